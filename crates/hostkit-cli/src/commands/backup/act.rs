//! Waiting for an act on backups.

use futures_util::StreamExt;
use hostkit_api::client::LineStream;
use hostkit_core::backup::{Backup, BackupUpdate};
use hostkit_core::kind::{Failure, Kind};

use crate::session::Session;
use crate::stop::Stop;

/// Shows what is done until it is done.
pub(super) async fn follow(
    session: &Session<'_>,
    mut updates: LineStream<BackupUpdate>,
) -> Result<(Backup, Vec<String>), Stop> {
    while let Some(update) = updates.next().await {
        match update? {
            BackupUpdate::Step { text } => session.printer().say(&text),
            BackupUpdate::Done { backup, notes } => return Ok((*backup, notes)),
            BackupUpdate::Failed { failure } => return Err(failure.into()),
        }
    }
    Err(Failure::new(
        Kind::Unavailable,
        "cannot say how it ended: HostKit was stopped meanwhile",
    )
    .hint("`hostkit backup list` shows what there is")
    .into())
}
