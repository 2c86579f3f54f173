//! Deployments with their steps, and the saved state of those that are under way. The queue of a lane is its
//! deployments in state `queued`.

use hostkit_core::deployment::{Act, Deployment, DeploymentId, DeploymentState, ProbeReport};
use hostkit_core::event::What;
use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;
use rusqlite::{Connection, OptionalExtension, Row, params};

use crate::column::{Json, Word};
use crate::error::{Error, Result, not_found};
use crate::{Store, Write, environment, project, step};

/// How a deployment ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// As what.
    pub state: DeploymentState,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// What the probe saw.
    pub probe: Option<ProbeReport>,
    /// A sentence for people.
    pub message: String,
}

const COLUMNS: &str =
    "SELECT id, project, environment, act, trigger, state, release, skipped_for, failure, probe,
     created_at, started_at, finished_at FROM deployment";

impl Store {
    /// Queues a deployment. A `Deploy` takes the place of older ones of its environment that still wait.
    pub fn submit(
        &self,
        id: &EnvironmentId,
        act: &Act,
        trigger: &str,
    ) -> std::result::Result<Deployment, Failure> {
        self.write(&format!("queue a deployment of `{id}`"), |write| {
            queue(write, id, act, trigger)
        })
    }

    /// Queues a deployment that follows from another one, which remembers it: `saga` makes what is saved for that one
    /// from the new number. All of it or nothing, so that an interruption queues no second one.
    pub fn submit_after(
        &self,
        of: &Deployment,
        act: &Act,
        trigger: &str,
        saga: impl FnOnce(DeploymentId) -> std::result::Result<String, Failure>,
    ) -> std::result::Result<Deployment, Failure> {
        let id = &of.environment;
        self.write(&format!("queue a deployment of `{id}`"), |write| {
            let queued = queue(write, id, act, trigger)?;
            step::save(&write.sql, of.id, &saga(queued.id)?, None)?;
            Ok(queued)
        })
    }

    /// The deployment of an environment that waits for the longest.
    pub fn next_queued(&self, id: &EnvironmentId) -> std::result::Result<Option<Deployment>, Failure> {
        self.read(&format!("read the queue of `{id}`"), |sql| {
            let text = format!(
                "{COLUMNS} WHERE project = ?1 AND environment = ?2 AND state = 'queued' ORDER BY id LIMIT 1"
            );
            let found = sql
                .prepare_cached(&text)?
                .query_row([id.project.as_str(), id.environment.as_str()], deployment)
                .optional()?;
            Ok(found)
        })
    }

    /// Marks a queued deployment as running. The result is whether it still was queued.
    pub fn begin_deployment(&self, id: DeploymentId) -> std::result::Result<bool, Failure> {
        self.write(&format!("begin deployment {id}"), |write| {
            let begun = write
                .sql
                .prepare_cached(
                    "UPDATE deployment SET state = 'running', started_at = ?2 WHERE id = ?1 AND state = 'queued'",
                )?
                .execute(params![id.cast_signed(), Word(write.now)])?;
            if begun > 0 {
                changed(write, id, format!("deployment {id} began"))?;
            }
            Ok(begun > 0)
        })
    }

    /// The saved state of a deployment.
    pub fn saga(&self, id: DeploymentId) -> std::result::Result<Option<String>, Failure> {
        self.read(&format!("read deployment {id}"), |sql| {
            let found = sql
                .prepare_cached("SELECT saga FROM deployment WHERE id = ?1")?
                .query_row([id.cast_signed()], |row| row.get(0))
                .optional()?;
            found.ok_or_else(|| unknown(id))
        })
    }

    /// Records the end of a deployment; what was saved for its steps is dropped.
    pub fn finish_deployment(&self, id: DeploymentId, outcome: &Outcome) -> std::result::Result<(), Failure> {
        self.write(&format!("finish deployment {id}"), |write| {
            write
                .sql
                .prepare_cached(
                    "UPDATE deployment SET state = ?2, failure = ?3, probe = ?4, finished_at = ?5, saga = NULL
                     WHERE id = ?1",
                )?
                .execute(params![
                    id.cast_signed(),
                    Word(outcome.state),
                    outcome.failure.as_ref().map(Json),
                    outcome.probe.as_ref().map(Json),
                    Word(write.now)
                ])?;
            changed(write, id, outcome.message.clone())
        })
    }

    /// One deployment with its steps, or a NotFound failure.
    pub fn deployment(&self, id: DeploymentId) -> std::result::Result<Deployment, Failure> {
        self.read(&format!("read deployment {id}"), |sql| load(sql, id))
    }

    /// The last `limit` deployments of an environment, newest first.
    pub fn deployments(
        &self,
        id: &EnvironmentId,
        limit: usize,
    ) -> std::result::Result<Vec<Deployment>, Failure> {
        self.read(&format!("list deployments of `{id}`"), |sql| {
            let text = format!("{COLUMNS} WHERE project = ?1 AND environment = ?2 ORDER BY id DESC LIMIT ?3");
            let limit = i64::try_from(limit).unwrap_or(i64::MAX);
            let mut statement = sql.prepare_cached(&text)?;
            let rows = statement.query_map(
                params![id.project.as_str(), id.environment.as_str(), limit],
                deployment,
            )?;
            with_steps(sql, rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// All deployments that are queued or running, oldest first.
    pub fn unfinished_deployments(&self) -> std::result::Result<Vec<Deployment>, Failure> {
        self.read("list unfinished deployments", |sql| {
            let text = format!("{COLUMNS} WHERE state IN ('queued', 'running') ORDER BY id");
            let mut statement = sql.prepare_cached(&text)?;
            let rows = statement.query_map([], deployment)?;
            with_steps(sql, rows.collect::<rusqlite::Result<_>>()?)
        })
    }

    /// Forgets all but the last `keep` finished deployments of an environment; the result is those forgotten.
    pub fn prune_deployments(
        &self,
        id: &EnvironmentId,
        keep: usize,
    ) -> std::result::Result<Vec<DeploymentId>, Failure> {
        self.write(&format!("prune deployments of `{id}`"), |write| {
            let keep = i64::try_from(keep).unwrap_or(i64::MAX);
            let mut statement = write.sql.prepare_cached(
                "DELETE FROM deployment WHERE project = ?1 AND environment = ?2
                 AND state NOT IN ('queued', 'running')
                 AND id <= (SELECT id FROM deployment WHERE project = ?1 AND environment = ?2
                            ORDER BY id DESC LIMIT 1 OFFSET ?3)
                 AND id IS NOT (SELECT generation FROM environment WHERE project = ?1 AND name = ?2)
                 RETURNING id",
            )?;
            let rows = statement.query_map(
                params![id.project.as_str(), id.environment.as_str(), keep],
                |row| Ok(row.get::<_, i64>(0)?.cast_unsigned()),
            )?;
            Ok(rows.collect::<rusqlite::Result<_>>()?)
        })
    }
}

pub(crate) fn unknown(id: DeploymentId) -> Error {
    not_found(
        format!("cannot find deployment {id}: there is none of this number"),
        "see `hostkit deployments`",
    )
}

fn queue(write: &mut Write<'_>, id: &EnvironmentId, act: &Act, trigger: &str) -> Result<Deployment> {
    project::check_usable(&write.sql, &id.project)?;
    if !environment::is_there(&write.sql, id)? {
        return Err(environment::unknown(id));
    }
    write
        .sql
        .prepare_cached(
            "INSERT INTO deployment (project, environment, act, trigger, state, created_at)
             VALUES (?1, ?2, ?3, ?4, 'queued', ?5)",
        )?
        .execute(params![
            id.project.as_str(),
            id.environment.as_str(),
            Json(act),
            trigger,
            Word(write.now)
        ])?;
    let number = write.sql.last_insert_rowid().cast_unsigned();
    if matches!(act, Act::Deploy { .. }) {
        skip_older(write, id, number)?;
    }
    changed(write, number, format!("deployment {number} is queued"))?;
    load(&write.sql, number)
}

fn skip_older(write: &mut Write<'_>, of: &EnvironmentId, newer: DeploymentId) -> Result<()> {
    let skipped: Vec<i64> = {
        let mut statement = write.sql.prepare_cached(
            "UPDATE deployment SET state = 'skipped', skipped_for = ?3, finished_at = ?4
             WHERE project = ?1 AND environment = ?2 AND state = 'queued' AND id < ?3
             AND json_extract(act, '$.act') = 'deploy' RETURNING id",
        )?;
        let values = params![
            of.project.as_str(),
            of.environment.as_str(),
            newer.cast_signed(),
            Word(write.now)
        ];
        let rows = statement.query_map(values, |row| row.get(0))?;
        rows.collect::<rusqlite::Result<_>>()?
    };
    for id in skipped {
        let id = id.cast_unsigned();
        changed(
            write,
            id,
            format!("deployment {id} was skipped: deployment {newer} is newer"),
        )?;
    }
    Ok(())
}

/// Records the event of a change of state.
pub(crate) fn changed(write: &mut Write<'_>, id: DeploymentId, message: String) -> Result<()> {
    let now = load(&write.sql, id)?;
    let what = What::Deployment {
        deployment: id,
        state: now.state,
        release: now.release,
        message,
    };
    write.event(&now.environment, what)
}

pub(crate) fn load(sql: &Connection, id: DeploymentId) -> Result<Deployment> {
    let found = sql
        .prepare_cached(&format!("{COLUMNS} WHERE id = ?1"))?
        .query_row([id.cast_signed()], deployment)
        .optional()?;
    let mut all = with_steps(sql, found.into_iter().collect())?;
    all.pop().ok_or_else(|| unknown(id))
}

fn with_steps(sql: &Connection, mut all: Vec<Deployment>) -> Result<Vec<Deployment>> {
    for deployment in &mut all {
        deployment.steps = step::of(sql, deployment.id)?;
    }
    Ok(all)
}

fn deployment(row: &Row<'_>) -> rusqlite::Result<Deployment> {
    Ok(Deployment {
        id: row.get::<_, i64>(0)?.cast_unsigned(),
        environment: EnvironmentId::new(row.get::<_, Word<_>>(1)?.0, row.get::<_, Word<_>>(2)?.0),
        act: row.get::<_, Json<_>>(3)?.0,
        trigger: row.get(4)?,
        state: row.get::<_, Word<_>>(5)?.0,
        release: row.get::<_, Option<Word<_>>>(6)?.map(|w| w.0),
        skipped_for: row.get::<_, Option<i64>>(7)?.map(i64::cast_unsigned),
        failure: row.get::<_, Option<Json<_>>>(8)?.map(|j| j.0),
        steps: Vec::new(),
        probe: row.get::<_, Option<Json<_>>>(9)?.map(|j| j.0),
        created_at: row.get::<_, Word<_>>(10)?.0,
        started_at: row.get::<_, Option<Word<_>>>(11)?.map(|w| w.0),
        finished_at: row.get::<_, Option<Word<_>>>(12)?.map(|w| w.0),
    })
}
