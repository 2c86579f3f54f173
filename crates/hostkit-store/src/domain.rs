//! Domains: host names that were added to environments, each once in the installation.

use hostkit_core::domain::DomainName;
use hostkit_core::event::What;
use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;
use jiff::Timestamp;
use rusqlite::{Row, params};

use crate::column::Word;
use crate::error::conflict;
use crate::{Store, environment, project};

/// A host name that was added.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddedDomain {
    /// The name.
    pub host: DomainName,
    /// The environment it was added to.
    pub environment: EnvironmentId,
    /// When.
    pub added_at: Timestamp,
    /// Who asked for it.
    pub added_by: String,
}

const COLUMNS: &str = "SELECT host, project, environment, added_at, added_by FROM domain";

impl Store {
    /// Adds a host name to an environment that exists. A name that was added anywhere is a Conflict.
    pub fn add_domain(
        &self,
        id: &EnvironmentId,
        host: &DomainName,
        by: &str,
    ) -> std::result::Result<AddedDomain, Failure> {
        self.write(&format!("add domain `{host}` to `{id}`"), |write| {
            project::check_usable(&write.sql, &id.project)?;
            if !environment::is_there(&write.sql, id)? {
                return Err(environment::unknown(id));
            }
            let made = write
                .sql
                .prepare_cached(
                    "INSERT INTO domain (host, project, environment, added_at, added_by)
                     VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
                )?
                .execute(params![
                    host.to_string(),
                    id.project.as_str(),
                    id.environment.as_str(),
                    Word(write.now),
                    by
                ])?;
            if made == 0 {
                return Err(conflict(
                    format!("cannot add `{host}` to `{id}`: it was added to an environment already"),
                    "take it away there first: `hostkit domain remove`",
                ));
            }
            let what = What::DomainAdded {
                domain: host.clone(),
                by: by.to_owned(),
            };
            write.event(id, what)?;
            Ok(AddedDomain {
                host: host.clone(),
                environment: id.clone(),
                added_at: write.now,
                added_by: by.to_owned(),
            })
        })
    }

    /// Takes a host name away from an environment, and says whether it was there.
    pub fn remove_domain(
        &self,
        id: &EnvironmentId,
        host: &DomainName,
        by: &str,
    ) -> std::result::Result<bool, Failure> {
        self.write(&format!("remove domain `{host}` of `{id}`"), |write| {
            let gone = write
                .sql
                .prepare_cached("DELETE FROM domain WHERE host = ?1 AND project = ?2 AND environment = ?3")?
                .execute([&host.to_string(), id.project.as_str(), id.environment.as_str()])?;
            if gone == 0 {
                return Ok(false);
            }
            let what = What::DomainRemoved {
                domain: host.clone(),
                by: by.to_owned(),
            };
            write.event(id, what)?;
            Ok(true)
        })
    }

    /// All host names that were added to environments, by name.
    pub fn domains(&self) -> std::result::Result<Vec<AddedDomain>, Failure> {
        self.read("list domains", |sql| {
            let mut statement = sql.prepare_cached(&format!("{COLUMNS} ORDER BY host"))?;
            let rows = statement.query_map([], row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// The host names that were added to an environment, by name.
    pub fn domains_of(&self, id: &EnvironmentId) -> std::result::Result<Vec<AddedDomain>, Failure> {
        self.read(&format!("list domains of `{id}`"), |sql| {
            let text = format!("{COLUMNS} WHERE project = ?1 AND environment = ?2 ORDER BY host");
            let mut statement = sql.prepare_cached(&text)?;
            let rows = statement.query_map([id.project.as_str(), id.environment.as_str()], row)?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

fn row(row: &Row<'_>) -> rusqlite::Result<AddedDomain> {
    Ok(AddedDomain {
        host: row.get::<_, Word<_>>(0)?.0,
        environment: EnvironmentId::new(row.get::<_, Word<_>>(1)?.0, row.get::<_, Word<_>>(2)?.0),
        added_at: row.get::<_, Word<_>>(3)?.0,
        added_by: row.get(4)?,
    })
}
