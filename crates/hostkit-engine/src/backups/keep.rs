//! Backups that are made by themselves: when their time has come, and again after pauses where they failed.

use std::sync::Arc;

use hostkit_core::backup::{Backup, BackupState, Cause};
use hostkit_core::kind::{Failure, Kind};
use hostkit_store::Environment;
use jiff::Timestamp;

use super::act::Teller;
use super::make;
use crate::context::Context;

pub(crate) async fn run(context: Arc<Context>) {
    if let Err(error) = take_up(&context) {
        tracing::warn!(%error, "cannot take up backups that were cut off");
    }
    loop {
        for environment in context.parts.store.environments().unwrap_or_default() {
            match is_due(&context, &environment) {
                // One after the other: a machine has other things to do.
                Ok(true) => {
                    drop(make::make(&context, &environment.id, Cause::Schedule, &Teller::default()).await)
                }
                Ok(false) => {}
                Err(error) => {
                    tracing::warn!(%error, environment = %environment.id, "cannot tell when to back up")
                }
            }
        }
        tokio::time::sleep(context.parts.settings.reconcile_all_every).await;
    }
}

/// Backups that were being made when the former process ended: nothing of them counts. Their files go before the next
/// backup is made.
fn take_up(context: &Context) -> Result<(), Failure> {
    let store = &context.parts.store;
    let interrupted = Failure::new(
        Kind::Unavailable,
        "cannot finish the backup: HostKit was stopped while it was made",
    );
    for backup in store
        .backups()?
        .iter()
        .filter(|backup| backup.state == BackupState::Running)
    {
        store.fail_backup(backup, &interrupted)?;
    }
    Ok(())
}

fn is_due(context: &Context, environment: &Environment) -> Result<bool, Failure> {
    let (store, id) = (&context.parts.store, &environment.id);
    if !super::has_something(context, id)? {
        return Ok(false);
    }
    let all = store.backups_of(id)?;
    if all.iter().any(|backup| backup.state == BackupState::Running) {
        return Ok(false);
    }
    let is_failed = |backup: &&Backup| backup.state == BackupState::Failed;
    let mut failed: Vec<Timestamp> = all.iter().take_while(is_failed).map(|backup| backup.at).collect();
    failed.reverse();
    let last = all
        .iter()
        .find(|backup| !is_failed(backup))
        .map(|backup| backup.at);
    // Younger than its first backup's time is no reason to make one at once.
    let last = last.map_or(environment.created_at, |last| last.max(environment.created_at));
    Ok(store
        .backup_schedule(id)?
        .is_due(id, last, &failed, context.parts.clock.now()))
}
