//! Add-ons of environments: how they were ordered, what their programs prove themselves with (sealed), and how far a
//! rotation is.

use hostkit_core::addon::{AddonId, AddonKind, AddonOrder, AddonSettings, Credential};
use hostkit_core::deployment::DeploymentId;
use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::{ADDON_PORTS, EnvironmentId, addon_ports_from};
use hostkit_core::secret::Secret;
use jiff::Timestamp;
use rusqlite::{Connection, Row, params};

use crate::column::{Json, Word};
use crate::error::{Error, Result, conflict, not_found};
use crate::{Store, Write, environment, project, seal};

/// An add-on as it was ordered.
#[derive(Debug, Clone, PartialEq)]
pub struct Addon {
    /// How it should be.
    pub order: AddonOrder,
    /// The deployment that gives the newest credential to the environment's programs; older ones are accepted until it,
    /// or a later one, is live. None where no rotation is under way, or it has not got as far.
    pub rotation: Option<DeploymentId>,
    /// Whether it is being taken away.
    pub removing: bool,
    /// When it was added.
    pub created_at: Timestamp,
    /// When its newest credential was made.
    pub credential_since: Timestamp,
}

/// What the secrets of an add-on are bound to. No variable's place has as many parts.
fn place(id: &AddonId, what: &str) -> String {
    format!("{}/addon/{}/{what}", id.environment, id.kind)
}

fn key(id: &AddonId) -> [&str; 3] {
    [
        id.environment.project.as_str(),
        id.environment.environment.as_str(),
        id.kind.as_str(),
    ]
}

/// What is set of one that somebody else keeps.
fn outside() -> AddonSettings {
    AddonSettings {
        outside: true,
        ..AddonSettings::default()
    }
}

const COLUMNS: &str =
    "SELECT a.project, a.environment, a.kind, a.port, a.operator, a.settings, a.rotation, a.removing,
     a.created_at, EXISTS (SELECT 1 FROM addon_made m
         WHERE m.project = a.project AND m.environment = a.environment AND m.kind = a.kind)
     FROM addon a";

impl Store {
    /// Orders an add-on for an environment, which is made where its project exists, with a first credential and, where
    /// asked, a port that `is_free` confirms. One that is there is a Conflict.
    pub fn add_addon(
        &self,
        id: &AddonId,
        settings: &AddonSettings,
        port: Option<fn(u16) -> bool>,
        by: &str,
    ) -> std::result::Result<Addon, Failure> {
        self.order_addon(id, settings, port, new_secret()?, by)
    }

    /// The same for one that somebody else keeps: its first credential is its address.
    pub fn add_outside_addon(
        &self,
        id: &AddonId,
        address: &Secret,
        by: &str,
    ) -> std::result::Result<Addon, Failure> {
        self.order_addon(id, &outside(), None, address.clone(), by)
    }

    fn order_addon(
        &self,
        id: &AddonId,
        settings: &AddonSettings,
        port: Option<fn(u16) -> bool>,
        first: Secret,
        by: &str,
    ) -> std::result::Result<Addon, Failure> {
        self.write(&format!("add {id}"), |write| {
            let port = port
                .map(|is_free| free_port(&write.sql, None, is_free))
                .transpose()?;
            self.insert_addon(write, id, settings, port, (&first, by))?;
            self.load_addon(&write.sql, id)
        })
    }

    /// One that somebody else keeps, as a part of what is written besides.
    pub(crate) fn insert_outside_addon(
        &self,
        write: &mut Write<'_>,
        id: &AddonId,
        (address, by): (&Secret, &str),
    ) -> Result<()> {
        self.insert_addon(write, id, &outside(), None, (address, by))
    }

    fn insert_addon(
        &self,
        write: &mut Write<'_>,
        id: &AddonId,
        settings: &AddonSettings,
        port: Option<u16>,
        (first, by): (&Secret, &str),
    ) -> Result<()> {
        let operator = self
            .sealer()
            .seal(&place(id, "operator"), new_secret()?.reveal())?;
        environment::insert(write, &id.environment)?;
        let [project, environment, kind] = key(id);
        let made = write
            .sql
            .prepare_cached(
                "INSERT INTO addon (project, environment, kind, port, operator, settings, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) ON CONFLICT (project, environment, kind) DO NOTHING",
            )?
            .execute(params![
                project,
                environment,
                kind,
                port,
                operator,
                Json(settings),
                Word(write.now)
            ])?;
        if made == 0 {
            return Err(conflict(
                format!(
                    "cannot add {} to `{}`: it has one",
                    id.kind.title(),
                    id.environment
                ),
                &format!("see it with `hostkit addon list {}`", id.environment.project),
            ));
        }
        self.insert_credential(write, id, 1, first)?;
        let what = What::AddonAdded {
            kind: id.kind,
            by: by.to_owned(),
        };
        write.event(&id.environment, what)
    }

    /// One add-on, or a NotFound failure.
    pub fn addon(&self, id: &AddonId) -> std::result::Result<Addon, Failure> {
        self.read(&format!("read {id}"), |sql| self.load_addon(sql, id))
    }

    /// All add-ons of all projects, also of such that are being deleted, by name.
    pub fn addons(&self) -> std::result::Result<Vec<Addon>, Failure> {
        self.read("list add-ons", |sql| {
            self.listed_addons(
                sql,
                &format!("{COLUMNS} ORDER BY a.project, a.environment, a.kind"),
                [],
            )
        })
    }

    /// The add-ons of an environment, by kind; none where there is no such environment.
    pub fn addons_of(&self, id: &EnvironmentId) -> std::result::Result<Vec<Addon>, Failure> {
        self.read(&format!("list add-ons of `{id}`"), |sql| {
            let text = format!("{COLUMNS} WHERE a.project = ?1 AND a.environment = ?2 ORDER BY a.kind");
            self.listed_addons(sql, &text, [id.project.as_str(), id.environment.as_str()])
        })
    }

    /// Notes that an add-on was ready: from now on it has data. Idempotent.
    pub fn note_addon_made(&self, id: &AddonId) -> std::result::Result<(), Failure> {
        self.write(&format!("note that {id} is made"), |write| {
            write
                .sql
                .prepare_cached(
                    "INSERT INTO addon_made (project, environment, kind) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
                )?
                .execute(key(id))?;
            Ok(())
        })
    }

    /// Keeps other settings of an add-on.
    pub fn set_addon_settings(
        &self,
        id: &AddonId,
        settings: &AddonSettings,
        by: &str,
    ) -> std::result::Result<Addon, Failure> {
        self.write(&format!("set {id}"), |write| {
            project::check_usable(&write.sql, &id.environment.project)?;
            let [project, environment, kind] = key(id);
            write
                .sql
                .prepare_cached(
                    "UPDATE addon SET settings = ?4 WHERE project = ?1 AND environment = ?2 AND kind = ?3",
                )?
                .execute(params![project, environment, kind, Json(settings)])?;
            let what = What::AddonChanged {
                kind: id.kind,
                by: by.to_owned(),
            };
            write.event(&id.environment, what)?;
            self.load_addon(&write.sql, id)
        })
    }

    /// Begins a rotation: a newer credential, with the one before still accepted. One that is under way goes on as it is:
    /// it has its new credential.
    pub fn begin_rotation(&self, id: &AddonId, by: &str) -> std::result::Result<Addon, Failure> {
        self.begin_rotation_to(id, &new_secret()?, by)
    }

    /// The same with a credential that is known: the address of what somebody else keeps.
    pub fn begin_rotation_to(
        &self,
        id: &AddonId,
        next: &Secret,
        by: &str,
    ) -> std::result::Result<Addon, Failure> {
        self.write(&format!("rotate {id}"), |write| {
            project::check_usable(&write.sql, &id.environment.project)?;
            let addon = self.load_addon(&write.sql, id)?;
            if let [only] = &addon.order.credentials[..] {
                self.insert_credential(write, id, only.number + 1, next)?;
                let what = What::AddonRotation {
                    kind: id.kind,
                    by: by.to_owned(),
                };
                write.event(&id.environment, what)?;
            }
            self.load_addon(&write.sql, id)
        })
    }

    /// Notes which deployment gives the newest credential to programs.
    pub fn set_rotation(&self, id: &AddonId, deployment: DeploymentId) -> std::result::Result<(), Failure> {
        self.write(&format!("rotate {id}"), |write| {
            let [project, environment, kind] = key(id);
            write
                .sql
                .prepare_cached(
                    "UPDATE addon SET rotation = ?4 WHERE project = ?1 AND environment = ?2 AND kind = ?3",
                )?
                .execute(params![project, environment, kind, deployment.cast_signed()])?;
            Ok(())
        })
    }

    /// Ends a rotation: only the newest credential is accepted from now on.
    pub fn finish_rotation(&self, id: &AddonId) -> std::result::Result<Addon, Failure> {
        self.write(&format!("finish the rotation of {id}"), |write| {
            let newest = self.load_addon(&write.sql, id)?.order.credentials[0].number;
            let [project, environment, kind] = key(id);
            let gone = write
                .sql
                .prepare_cached(
                    "DELETE FROM credential WHERE project = ?1 AND environment = ?2 AND kind = ?3 AND number < ?4",
                )?
                .execute(params![project, environment, kind, newest])?;
            write
                .sql
                .prepare_cached(
                    "UPDATE addon SET rotation = NULL WHERE project = ?1 AND environment = ?2 AND kind = ?3",
                )?
                .execute(key(id))?;
            if gone > 0 {
                write.event(&id.environment, What::AddonRotated { kind: id.kind })?;
            }
            self.load_addon(&write.sql, id)
        })
    }

    /// Marks an add-on as one that is being taken away; a NotFound failure where there is none. Idempotent.
    pub fn begin_addon_removal(&self, id: &AddonId) -> std::result::Result<Addon, Failure> {
        self.write(&format!("remove {id}"), |write| {
            write
                .sql
                .prepare_cached(
                    "UPDATE addon SET removing = 1 WHERE project = ?1 AND environment = ?2 AND kind = ?3",
                )?
                .execute(key(id))?;
            self.load_addon(&write.sql, id)
        })
    }

    /// Forgets an add-on that was taken away. Idempotent.
    pub fn finish_addon_removal(&self, id: &AddonId) -> std::result::Result<(), Failure> {
        self.write(&format!("remove {id}"), |write| {
            let gone = write
                .sql
                .prepare_cached("DELETE FROM addon WHERE project = ?1 AND environment = ?2 AND kind = ?3")?
                .execute(key(id))?;
            match gone {
                0 => Ok(()),
                _ => write.event(&id.environment, What::AddonRemoved { kind: id.kind }),
            }
        })
    }

    fn insert_credential(&self, write: &Write<'_>, id: &AddonId, number: u32, secret: &Secret) -> Result<()> {
        let sealed = self
            .sealer()
            .seal(&place(id, &format!("credential/{number}")), secret.reveal())?;
        let [project, environment, kind] = key(id);
        write
            .sql
            .prepare_cached(
                "INSERT INTO credential (project, environment, kind, number, sealed, created_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                project,
                environment,
                kind,
                number,
                sealed,
                Word(write.now)
            ])?;
        Ok(())
    }

    fn load_addon(&self, sql: &Connection, id: &AddonId) -> Result<Addon> {
        let text = format!("{COLUMNS} WHERE a.project = ?1 AND a.environment = ?2 AND a.kind = ?3");
        let found = self.listed_addons(sql, &text, key(id))?.pop();
        found.ok_or_else(|| {
            not_found(
                format!(
                    "cannot find {} of `{}`: it has none",
                    id.kind.title(),
                    id.environment
                ),
                &format!(
                    "add one with `hostkit addon add {} {}`",
                    id.environment.project, id.kind
                ),
            )
        })
    }

    fn listed_addons(
        &self,
        sql: &Connection,
        text: &str,
        values: impl rusqlite::Params,
    ) -> Result<Vec<Addon>> {
        let mut statement = sql.prepare_cached(text)?;
        let mut rows = statement.query(values)?;
        let mut addons = Vec::new();
        while let Some(row) = rows.next()? {
            addons.push(self.read_addon(sql, row)?);
        }
        Ok(addons)
    }

    fn read_addon(&self, sql: &Connection, row: &Row<'_>) -> Result<Addon> {
        let environment = EnvironmentId::new(row.get::<_, Word<_>>(0)?.0, row.get::<_, Word<_>>(1)?.0);
        let id = AddonId::new(environment, row.get::<_, Word<AddonKind>>(2)?.0);
        let operator: Vec<u8> = row.get(4)?;
        let operator = self.sealer().unseal(&place(&id, "operator"), &operator)?;
        let (credentials, credential_since) = self.credentials(sql, &id)?;
        Ok(Addon {
            order: AddonOrder {
                credentials,
                operator: Secret::new(operator.as_str()),
                port: row.get(3)?,
                settings: row.get::<_, Json<_>>(5)?.0,
                made: row.get(9)?,
                id,
            },
            rotation: row.get::<_, Option<i64>>(6)?.map(i64::cast_unsigned),
            removing: row.get(7)?,
            created_at: row.get::<_, Word<_>>(8)?.0,
            credential_since,
        })
    }

    /// The newest first, with the time it was made at.
    fn credentials(&self, sql: &Connection, id: &AddonId) -> Result<(Vec<Credential>, Timestamp)> {
        let mut statement = sql.prepare_cached(
            "SELECT number, sealed, created_at FROM credential
             WHERE project = ?1 AND environment = ?2 AND kind = ?3 ORDER BY number DESC",
        )?;
        let mut rows = statement.query(key(id))?;
        let (mut credentials, mut since) = (Vec::new(), None);
        while let Some(row) = rows.next()? {
            let number: u32 = row.get(0)?;
            let sealed: Vec<u8> = row.get(1)?;
            let secret = self
                .sealer()
                .unseal(&place(id, &format!("credential/{number}")), &sealed)?;
            credentials.push(Credential {
                number,
                secret: Secret::new(secret.as_str()),
            });
            since = since.or(Some(row.get::<_, Word<_>>(2)?.0));
        }
        let since = since.ok_or_else(|| {
            Error::Refused(Failure::new(
                Kind::Internal,
                format!("cannot read {id}: it has no credential"),
            ))
        })?;
        Ok((credentials, since))
    }
}

/// 64 hexadecimal digits: 256 bits, and nothing that a URL or a file of settings would have to escape.
pub(crate) fn new_secret() -> std::result::Result<Secret, Failure> {
    let mut bytes = zeroize::Zeroizing::new([0u8; 32]);
    seal::random(&mut *bytes)?;
    Ok(Secret::new(seal::to_hex(&*bytes).as_str()))
}

/// A port that no add-on has, and no program of add-ons that serves all: the preferred one, or the lowest of the range.
pub(crate) fn free_port(sql: &Connection, preferred: Option<u16>, is_free: fn(u16) -> bool) -> Result<u16> {
    let mut statement = sql.prepare_cached(
        "SELECT port FROM addon WHERE port NOT NULL UNION ALL SELECT port FROM shared_service",
    )?;
    let taken: std::collections::BTreeSet<u16> = statement
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    let mut chance = [0; 2];
    seal::random(&mut chance)?;
    let chance = u16::from_ne_bytes(chance);
    let mut ports = preferred.into_iter().chain(addon_ports_from(chance));
    let found = ports.find(|port| !taken.contains(port) && is_free(*port));
    found.ok_or_else(|| {
        let (first, last) = (ADDON_PORTS.start(), ADDON_PORTS.end());
        Error::Refused(Failure::new(
            Kind::Unavailable,
            format!("cannot assign a port to an add-on: all of {first} to {last} are taken"),
        ))
    })
}

#[cfg(test)]
mod tests;
