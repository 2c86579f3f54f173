//! Steps of deployments, and what one hands on to the next: saved with its end.

use hostkit_core::deployment::{DeploymentId, StepName, StepRecord, StepState};
use hostkit_core::event::What;
use hostkit_core::kind::Failure;
use hostkit_core::names::ReleaseName;
use hostkit_core::project::EnvironmentId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::cancel::check_goes_on;
use crate::column::Word;
use crate::deployment::unknown;
use crate::error::Result;
use crate::{Store, Write};

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StepEnd<'a> {
    /// Which.
    pub name: StepName,
    /// As what.
    pub state: StepState,
    /// How long it took.
    pub milliseconds: Option<u64>,
    /// What the next step needs to know, saved with it.
    pub saga: &'a str,
    /// The release, once known.
    pub release: Option<&'a ReleaseName>,
}

impl Store {
    /// Records that a step began. Done again after an interruption, it begins anew. Of a deployment that was cancelled
    /// no further step begins: the failure says by whom.
    pub fn begin_step(&self, id: DeploymentId, name: StepName) -> std::result::Result<(), Failure> {
        self.write(&format!("begin step {name} of deployment {id}"), |write| {
            check_goes_on(write, id)?;
            write
                .sql
                .prepare_cached(
                    "INSERT OR REPLACE INTO step (deployment, position, name, state, started_at)
                     VALUES (?1, ?2, ?3, 'running', ?4)",
                )?
                .execute(params![
                    id.cast_signed(),
                    position(name),
                    Word(name),
                    Word(write.now)
                ])?;
            step_event(write, id, name, StepState::Running, None)
        })
    }

    /// Records how a step ended, together with what the next one needs to know.
    pub fn end_step(&self, id: DeploymentId, end: StepEnd<'_>) -> std::result::Result<(), Failure> {
        let StepEnd { name, state, .. } = end;
        self.write(&format!("end step {name} of deployment {id}"), |write| {
            write
                .sql
                .prepare_cached(
                    "UPDATE step SET state = ?3, milliseconds = coalesce(?4, milliseconds)
                     WHERE deployment = ?1 AND position = ?2",
                )?
                .execute(params![
                    id.cast_signed(),
                    position(name),
                    Word(state),
                    end.milliseconds.map(u64::cast_signed)
                ])?;
            save(&write.sql, id, end.saga, end.release)?;
            step_event(write, id, name, state, end.milliseconds)
        })
    }

    /// Saves the state of a deployment in the middle of a step.
    pub fn save_saga(
        &self,
        id: DeploymentId,
        saga: &str,
        release: Option<&ReleaseName>,
    ) -> std::result::Result<(), Failure> {
        self.write(&format!("save deployment {id}"), |write| {
            save(&write.sql, id, saga, release)
        })
    }
}

/// Steps are stored by their place in the list, so that they read in order.
fn position(name: StepName) -> i64 {
    StepName::ALL
        .iter()
        .position(|s| *s == name)
        .map_or(0, |p| p as i64)
}

pub(crate) fn save(
    sql: &Connection,
    id: DeploymentId,
    saga: &str,
    release: Option<&ReleaseName>,
) -> Result<()> {
    sql.prepare_cached("UPDATE deployment SET saga = ?2, release = coalesce(?3, release) WHERE id = ?1")?
        .execute(params![id.cast_signed(), saga, release.map(ReleaseName::as_str)])?;
    Ok(())
}

fn step_event(
    write: &mut Write<'_>,
    id: DeploymentId,
    step: StepName,
    state: StepState,
    milliseconds: Option<u64>,
) -> Result<()> {
    let of = write
        .sql
        .prepare_cached("SELECT project, environment FROM deployment WHERE id = ?1")?
        .query_row([id.cast_signed()], |row| {
            Ok(EnvironmentId::new(
                row.get::<_, Word<_>>(0)?.0,
                row.get::<_, Word<_>>(1)?.0,
            ))
        })
        .optional()?
        .ok_or_else(|| unknown(id))?;
    let what = What::Step {
        deployment: id,
        step,
        state,
        milliseconds,
    };
    write.event(&of, what)
}

/// The steps of a deployment so far, in order.
pub(crate) fn of(sql: &Connection, id: DeploymentId) -> Result<Vec<StepRecord>> {
    let mut statement = sql.prepare_cached(
        "SELECT name, state, started_at, milliseconds FROM step WHERE deployment = ?1 ORDER BY position",
    )?;
    let rows = statement.query_map([id.cast_signed()], |row| {
        Ok(StepRecord {
            name: row.get::<_, Word<_>>(0)?.0,
            state: row.get::<_, Word<_>>(1)?.0,
            started_at: row.get::<_, Word<_>>(2)?.0,
            milliseconds: row.get::<_, Option<i64>>(3)?.map(i64::cast_unsigned),
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
