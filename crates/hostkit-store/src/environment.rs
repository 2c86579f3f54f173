//! Environments: what is live in them, and how many of each process were asked for.

use std::collections::BTreeMap;

use hostkit_core::canary::Percent;
use hostkit_core::deployment::DeploymentId;
use hostkit_core::kind::Failure;
use hostkit_core::names::{ProcessName, ProjectName, ReleaseName};
use hostkit_core::project::EnvironmentId;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use crate::column::{Json, Word};
use crate::error::{Error, Result, not_found};
use crate::{Store, Write, port, project};

/// What is live.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Live {
    /// The release that answers.
    pub release: ReleaseName,
    /// The deployment whose instances are live; instances of all others are not wanted.
    pub generation: DeploymentId,
}

/// A release that some visitors get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Canary {
    /// The release.
    pub release: ReleaseName,
    /// The deployment that started its instances, by which they are known also once it is live.
    pub generation: DeploymentId,
    /// How many visitors get it.
    pub percent: Percent,
}

/// What a deployment decides about an environment, switched as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// What is live; nothing before the first deployment.
    pub live: Option<Live>,
    /// What some visitors get instead. Deployments of versions before know of none.
    #[serde(default)]
    pub canary: Option<Canary>,
    /// The release that was live before, which a rollback without a name goes to.
    pub previous: Option<ReleaseName>,
    /// Whether its owner stopped it.
    pub stopped: bool,
    /// Numbers of instances asked for by `scale`, where they differ from the manifest's.
    pub counts: BTreeMap<ProcessName, u16>,
}

/// An environment as it shall be.
#[derive(Debug, Clone, PartialEq)]
pub struct Environment {
    /// Its name.
    pub id: EnvironmentId,
    /// When it was created.
    pub created_at: Timestamp,
    /// What is live; nothing before the first deployment.
    pub live: Option<Live>,
    /// What some visitors get instead.
    pub canary: Option<Canary>,
    /// The release that was live before, which a rollback without a name goes to.
    pub previous: Option<ReleaseName>,
    /// Whether its owner stopped it.
    pub stopped: bool,
    /// Numbers of instances asked for by `scale`, where they differ from the manifest's.
    pub counts: BTreeMap<ProcessName, u16>,
    /// The stable loopback ports of its processes.
    pub ports: BTreeMap<ProcessName, u16>,
}

impl Environment {
    /// What was last switched to.
    pub fn standing(&self) -> Standing {
        Standing {
            live: self.live.clone(),
            canary: self.canary.clone(),
            previous: self.previous.clone(),
            stopped: self.stopped,
            counts: self.counts.clone(),
        }
    }
}

const COLUMNS: &str =
    "SELECT e.project, e.name, e.created_at, e.release, e.generation, e.previous, e.stopped, e.counts,
     e.canary FROM environment e JOIN project p ON p.name = e.project";

impl Store {
    /// Makes an environment of an existing project. Idempotent.
    pub fn ensure_environment(&self, id: &EnvironmentId) -> std::result::Result<Environment, Failure> {
        self.write(&format!("create environment `{id}`"), |write| {
            insert(write, id)?;
            load(&write.sql, id)
        })
    }

    /// One environment, or a NotFound failure.
    pub fn environment(&self, id: &EnvironmentId) -> std::result::Result<Environment, Failure> {
        self.read(&format!("read environment `{id}`"), |sql| load(sql, id))
    }

    /// All environments of projects that are not being deleted, by name.
    pub fn environments(&self) -> std::result::Result<Vec<Environment>, Failure> {
        self.read("list environments", |sql| {
            let text = format!("{COLUMNS} WHERE p.deleting = 0 ORDER BY e.project, e.name");
            listed(sql, &text, [])
        })
    }

    /// Switches an environment to another standing, in one step. Idempotent.
    pub fn switch(&self, id: &EnvironmentId, standing: &Standing) -> std::result::Result<(), Failure> {
        self.write(&format!("switch `{id}`"), |write| {
            let live = standing.live.as_ref();
            let changed = write
                .sql
                .prepare_cached(
                    "UPDATE environment SET release = ?3, generation = ?4, previous = ?5, stopped = ?6, counts = ?7,
                     canary = ?8 WHERE project = ?1 AND name = ?2",
                )?
                .execute(params![
                    id.project.as_str(),
                    id.environment.as_str(),
                    live.map(|l| l.release.as_str()),
                    live.map(|l| l.generation.cast_signed()),
                    standing.previous.as_ref().map(ReleaseName::as_str),
                    standing.stopped,
                    Json(&standing.counts),
                    standing.canary.as_ref().map(Json)
                ])?;
            if changed == 0 { Err(unknown(id)) } else { Ok(()) }
        })
    }
}

/// Makes an environment of a project that can be changed. Idempotent.
pub(crate) fn insert(write: &Write<'_>, id: &EnvironmentId) -> Result<()> {
    project::check_usable(&write.sql, &id.project)?;
    write
        .sql
        .prepare_cached(
            "INSERT INTO environment (project, name, created_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING",
        )?
        .execute(params![
            id.project.as_str(),
            id.environment.as_str(),
            Word(write.now)
        ])?;
    Ok(())
}

pub(crate) fn is_there(sql: &Connection, id: &EnvironmentId) -> Result<bool> {
    Ok(sql
        .prepare_cached("SELECT 1 FROM environment WHERE project = ?1 AND name = ?2")?
        .exists([id.project.as_str(), id.environment.as_str()])?)
}

pub(crate) fn unknown(id: &EnvironmentId) -> Error {
    not_found(
        format!("cannot find environment `{id}`: there is none of this name"),
        &format!("see what there is with `hostkit project show {}`", id.project),
    )
}

pub(crate) fn load(sql: &Connection, id: &EnvironmentId) -> Result<Environment> {
    let text = format!("{COLUMNS} WHERE e.project = ?1 AND e.name = ?2");
    let found = sql
        .prepare_cached(&text)?
        .query_row([id.project.as_str(), id.environment.as_str()], environment)
        .optional()?;
    let mut environment = found.ok_or_else(|| unknown(id))?;
    environment.ports = port::of(sql, id)?;
    Ok(environment)
}

pub(crate) fn all(sql: &Connection) -> Result<Vec<Environment>> {
    listed(sql, &format!("{COLUMNS} ORDER BY e.project, e.name"), [])
}

pub(crate) fn of_project(sql: &Connection, name: &ProjectName) -> Result<Vec<Environment>> {
    let text = format!("{COLUMNS} WHERE e.project = ?1 ORDER BY e.name");
    listed(sql, &text, [name.as_str()])
}

fn listed(sql: &Connection, text: &str, values: impl rusqlite::Params) -> Result<Vec<Environment>> {
    let mut statement = sql.prepare_cached(text)?;
    let rows = statement.query_map(values, environment)?;
    let mut all = rows.collect::<rusqlite::Result<Vec<_>>>()?;
    for environment in &mut all {
        environment.ports = port::of(sql, &environment.id)?;
    }
    Ok(all)
}

fn environment(row: &Row<'_>) -> rusqlite::Result<Environment> {
    let release: Option<Word<ReleaseName>> = row.get(3)?;
    let generation: Option<i64> = row.get(4)?;
    let live = release.zip(generation).map(|(release, generation)| Live {
        release: release.0,
        generation: generation.cast_unsigned(),
    });
    Ok(Environment {
        id: EnvironmentId::new(row.get::<_, Word<_>>(0)?.0, row.get::<_, Word<_>>(1)?.0),
        created_at: row.get::<_, Word<_>>(2)?.0,
        live,
        canary: row.get::<_, Option<Json<_>>>(8)?.map(|j| j.0),
        previous: row.get::<_, Option<Word<_>>>(5)?.map(|w| w.0),
        stopped: row.get(6)?,
        counts: row.get::<_, Json<_>>(7)?.0,
        ports: BTreeMap::new(),
    })
}
