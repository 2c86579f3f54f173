//! Cancelling a deployment: one that waits is taken out, one that runs is marked, in one act with the look at how far
//! it is. The mark is its failure: whoever takes it up after an interruption finds that it is only to be undone.

use hostkit_core::deployment::{Deployment, DeploymentId, DeploymentState, StepName, StepState};
use hostkit_core::kind::{Failure, Kind};
use rusqlite::params;

use crate::column::{Json, Word};
use crate::deployment::{changed, load};
use crate::error::{Error, Result, conflict};
use crate::{Store, Write};

impl Store {
    /// Cancels a deployment for somebody. Once it switches it is a Conflict, and so is one that is over or has failed
    /// by itself. Idempotent while it is undone.
    pub fn cancel(&self, id: DeploymentId, by: &str) -> std::result::Result<Deployment, Failure> {
        self.write(&format!("cancel deployment {id}"), |write| {
            let now = load(&write.sql, id)?;
            match now.state {
                DeploymentState::Queued => take_out(write, &now, by)?,
                DeploymentState::Running if now.is_being_cancelled() => return Ok(now),
                DeploymentState::Running => {
                    check_can_be_undone(&now)?;
                    mark(write, id, by)?;
                }
                DeploymentState::Cancelled => return Ok(now),
                _ => {
                    return Err(conflict(
                        format!("cannot cancel deployment {id}: it is over"),
                        "see `hostkit deployments`; `hostkit rollback` brings the release before live again",
                    ));
                }
            }
            load(&write.sql, id)
        })
    }
}

fn failure(id: DeploymentId, by: &str) -> Failure {
    Failure::new(
        Kind::Conflict,
        format!("cannot finish deployment {id}: `{by}` cancelled it"),
    )
}

fn take_out(write: &mut Write<'_>, deployment: &Deployment, by: &str) -> Result<()> {
    let id = deployment.id;
    write
        .sql
        .prepare_cached(
            "UPDATE deployment SET state = 'cancelled', failure = ?2, finished_at = ?3 WHERE id = ?1",
        )?
        .execute(params![id.cast_signed(), Json(failure(id, by)), Word(write.now)])?;
    changed(
        write,
        id,
        format!("deployment {id} was taken out of the queue: `{by}` cancelled it"),
    )
}

fn mark(write: &mut Write<'_>, id: DeploymentId, by: &str) -> Result<()> {
    write
        .sql
        .prepare_cached("UPDATE deployment SET failure = ?2 WHERE id = ?1")?
        .execute(params![id.cast_signed(), Json(failure(id, by))])?;
    changed(
        write,
        id,
        format!("deployment {id} is being undone: `{by}` cancelled it"),
    )
}

fn check_can_be_undone(deployment: &Deployment) -> Result<()> {
    let id = deployment.id;
    for step in &deployment.steps {
        if step.state == StepState::Failed || step.state == StepState::Undone {
            return Err(conflict(
                format!("cannot cancel deployment {id}: it failed by itself and is being undone"),
                "see `hostkit deployments`",
            ));
        }
        if step.name >= StepName::Switch {
            return Err(conflict(
                format!("cannot cancel deployment {id}: it has begun to switch"),
                "once it is live, `hostkit rollback` brings the release before live again",
            ));
        }
    }
    Ok(())
}

/// Refuses the next step of a deployment that was cancelled: with the step that switches, whoever comes first wins.
pub(crate) fn check_goes_on(write: &Write<'_>, id: DeploymentId) -> Result<()> {
    let now = load(&write.sql, id)?;
    match now.failure.filter(|_| now.state == DeploymentState::Running) {
        Some(failure) => Err(Error::Refused(failure)),
        None => Ok(()),
    }
}
