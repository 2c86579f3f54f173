//! The registry of stable loopback ports: a process keeps its port for as long as its environment lives.

use std::collections::{BTreeMap, BTreeSet};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ProcessName;
use hostkit_core::project::{EnvironmentId, STABLE_PORTS, VOICE_PORT};
use rusqlite::{Connection, params};

use crate::column::Word;
use crate::error::{Error, Result};
use crate::{Store, environment};

impl Store {
    /// The stable port of a process: the one it has, or the lowest that nobody has and `is_free` confirms (programs
    /// that are not HostKit's may hold ports of the range). Idempotent.
    pub fn assign_port(
        &self,
        id: &EnvironmentId,
        process: &ProcessName,
        is_free: impl Fn(u16) -> bool,
    ) -> std::result::Result<u16, Failure> {
        self.write(&format!("assign a port to `{id}` {process}"), |write| {
            if !environment::is_there(&write.sql, id)? {
                return Err(environment::unknown(id));
            }
            if let Some(port) = of(&write.sql, id)?.get(process) {
                return Ok(*port);
            }
            let taken = taken(&write.sql)?;
            let port = STABLE_PORTS
                .into_iter()
                .find(|p| *p != VOICE_PORT && !taken.contains(p) && is_free(*p));
            let port = port.ok_or_else(|| {
                let (first, last) = (STABLE_PORTS.start(), STABLE_PORTS.end());
                let message =
                    format!("cannot assign a port to `{id}` {process}: all of {first} to {last} are taken");
                Error::Refused(
                    Failure::new(Kind::Unavailable, message)
                        .hint("delete a project that is not needed any more"),
                )
            })?;
            write
                .sql
                .prepare_cached(
                    "INSERT INTO port (port, project, environment, process) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    port,
                    id.project.as_str(),
                    id.environment.as_str(),
                    process.as_str()
                ])?;
            Ok(port)
        })
    }
}

fn taken(sql: &Connection) -> Result<BTreeSet<u16>> {
    let mut statement = sql.prepare_cached("SELECT port FROM port")?;
    let rows = statement.query_map([], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

pub(crate) fn of(sql: &Connection, id: &EnvironmentId) -> Result<BTreeMap<ProcessName, u16>> {
    let mut statement =
        sql.prepare_cached("SELECT process, port FROM port WHERE project = ?1 AND environment = ?2")?;
    let rows = statement.query_map([id.project.as_str(), id.environment.as_str()], |row| {
        Ok((row.get::<_, Word<_>>(0)?.0, row.get(1)?))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
