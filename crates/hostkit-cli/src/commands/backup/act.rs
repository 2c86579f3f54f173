//! Waiting for an act on backups.

use futures_util::StreamExt;
use hostkit_api::client::LineStream;
use hostkit_core::backup::{Backup, BackupUpdate, Recovered};
use hostkit_core::kind::{Failure, Kind};

use crate::session::Session;
use crate::stop::Stop;

/// Shows what is done until there is a backup.
pub(super) async fn follow(
    session: &Session<'_>,
    updates: LineStream<BackupUpdate>,
) -> Result<(Backup, Vec<String>), Stop> {
    match outcome(session, updates).await? {
        BackupUpdate::Done { backup, notes } => Ok((*backup, notes)),
        _ => Err(unknown()),
    }
}

/// Shows what is done until databases are as they were at a moment.
pub(super) async fn follow_recovery(
    session: &Session<'_>,
    updates: LineStream<BackupUpdate>,
) -> Result<Recovered, Stop> {
    match outcome(session, updates).await? {
        BackupUpdate::Recovered { recovered } => Ok(*recovered),
        _ => Err(unknown()),
    }
}

async fn outcome(session: &Session<'_>, mut updates: LineStream<BackupUpdate>) -> Result<BackupUpdate, Stop> {
    while let Some(update) = updates.next().await {
        match update? {
            BackupUpdate::Step { text } => session.printer().say(&text),
            BackupUpdate::Failed { failure } => return Err(failure.into()),
            done => return Ok(done),
        }
    }
    Err(unknown())
}

fn unknown() -> Stop {
    Failure::new(
        Kind::Unavailable,
        "cannot say how it ended: HostKit was stopped meanwhile",
    )
    .hint("`hostkit backup list` shows what there is")
    .into()
}
