//! Releases with the variables they were frozen with, sealed as one.

use std::collections::BTreeMap;

use hostkit_core::kind::Failure;
use hostkit_core::names::{ReleaseName, VariableName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::release::Release;
use hostkit_core::secret::Secret;
use hostkit_core::variables::Variables;
use rusqlite::{Connection, OptionalExtension, params};
use zeroize::Zeroizing;

use crate::Store;
use crate::column::{Json, Word};
use crate::error::{Error, not_found};

fn place(id: &EnvironmentId, name: &ReleaseName) -> String {
    format!("{id}/release/{name}")
}

fn unknown(id: &EnvironmentId, name: &ReleaseName) -> Error {
    not_found(
        format!("cannot find release `{name}` of `{id}`: it does not exist, or is not kept any more"),
        "see what there is with `hostkit releases`",
    )
}

impl Store {
    /// Stores a release with its variables. Whoever stores one of the same name again replaces it: a release is
    /// frozen anew only by the deployment that did not come to its end.
    pub fn add_release(&self, release: &Release, variables: &Variables) -> std::result::Result<(), Failure> {
        let (id, name) = (&release.environment, &release.name);
        self.write(&format!("store release `{name}` of `{id}`"), |write| {
            let plain: BTreeMap<&str, &str> =
                variables.iter().map(|(k, v)| (k.as_str(), v.reveal())).collect();
            let text = Zeroizing::new(serde_json::to_string(&plain)?);
            let sealed = self.sealer().seal(&place(id, name), &text)?;
            write
                .sql
                .prepare_cached(
                    "INSERT OR REPLACE INTO release (project, environment, name, created_at, body, variables)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
                )?
                .execute(params![
                    id.project.as_str(),
                    id.environment.as_str(),
                    name.as_str(),
                    Word(release.created_at),
                    Json(release),
                    sealed
                ])?;
            Ok(())
        })
    }

    /// The releases of an environment, newest first.
    pub fn releases(&self, id: &EnvironmentId) -> std::result::Result<Vec<Release>, Failure> {
        self.read(&format!("list releases of `{id}`"), |sql| {
            let mut statement = sql.prepare_cached(
                "SELECT body FROM release WHERE project = ?1 AND environment = ?2 ORDER BY rowid DESC",
            )?;
            let rows = statement.query_map([id.project.as_str(), id.environment.as_str()], |row| {
                Ok(row.get::<_, Json<Release>>(0)?.0)
            })?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// One release, or a NotFound failure.
    pub fn release(&self, id: &EnvironmentId, name: &ReleaseName) -> std::result::Result<Release, Failure> {
        self.read(&format!("read release `{name}` of `{id}`"), |sql| {
            let mut statement = sql.prepare_cached(
                "SELECT body FROM release WHERE project = ?1 AND environment = ?2 AND name = ?3",
            )?;
            let found = statement
                .query_row(key(id, name), |row| row.get::<_, Json<Release>>(0))
                .optional()?;
            found.map(|json| json.0).ok_or_else(|| unknown(id, name))
        })
    }

    /// The variables a release was frozen with.
    pub fn release_variables(
        &self,
        id: &EnvironmentId,
        name: &ReleaseName,
    ) -> std::result::Result<Variables, Failure> {
        self.read(&format!("read variables of release `{name}` of `{id}`"), |sql| {
            let sealed = sealed_variables(sql, id, name)?.ok_or_else(|| unknown(id, name))?;
            let text = self.sealer().unseal(&place(id, name), &sealed)?;
            let plain: BTreeMap<VariableName, String> = serde_json::from_str(&text)?;
            Ok(plain.into_iter().map(|(k, v)| (k, Secret::new(v))).collect())
        })
    }

    /// Forgets a release. Idempotent.
    pub fn remove_release(&self, id: &EnvironmentId, name: &ReleaseName) -> std::result::Result<(), Failure> {
        self.write(&format!("remove release `{name}` of `{id}`"), |write| {
            write
                .sql
                .prepare_cached("DELETE FROM release WHERE project = ?1 AND environment = ?2 AND name = ?3")?
                .execute(key(id, name))?;
            Ok(())
        })
    }
}

fn key<'a>(id: &'a EnvironmentId, name: &'a ReleaseName) -> [&'a str; 3] {
    [id.project.as_str(), id.environment.as_str(), name.as_str()]
}

fn sealed_variables(
    sql: &Connection,
    id: &EnvironmentId,
    name: &ReleaseName,
) -> rusqlite::Result<Option<Vec<u8>>> {
    sql.prepare_cached("SELECT variables FROM release WHERE project = ?1 AND environment = ?2 AND name = ?3")?
        .query_row(key(id, name), |row| row.get(0))
        .optional()
}
