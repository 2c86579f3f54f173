//! Removing the backups that no rule keeps any more.

use hostkit_core::backup::manifest;
use hostkit_core::backup::retention::Verdict;
use hostkit_core::backup::{BackupState, Cause, Taken};
use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;

use jiff::SignedDuration;

use super::{Store, open_store, target_settings};
use crate::context::Context;

/// How long a backup stays that was made before something was taken away or replaced, whatever the rules say.
const KEPT_BEFORE: SignedDuration = SignedDuration::from_hours(30 * 24);

/// Says which backups stay and which go, and removes those that go unless it is only asked.
pub(crate) async fn prune(context: &Context, id: &EnvironmentId, only_ask: bool) -> Result<Verdict, Failure> {
    let lock = context.lock_of_backups(id);
    let _held = lock.lock().await;
    match only_ask {
        true => judge(context, id),
        false => prune_now(context, id).await,
    }
}

fn judge(context: &Context, id: &EnvironmentId) -> Result<Verdict, Failure> {
    let store = &context.parts.store;
    let now = context.parts.clock.now();
    let all = store.backups_of(id)?;
    let taken = all.iter().filter_map(|backup| {
        let mut taken = backup.taken()?;
        // It has what was taken away, which a later one of the same day has not.
        taken.held |= backup.cause == Cause::Before && now.duration_since(backup.at).abs() < KEPT_BEFORE;
        Some(taken)
    });
    let taken: Vec<Taken> = taken.collect();
    Ok(store.backup_schedule(id)?.keep.judge(&taken))
}

/// As [`prune`]; the environment's lock is held.
pub(super) async fn prune_now(context: &Context, id: &EnvironmentId) -> Result<Verdict, Failure> {
    let store = &context.parts.store;
    let verdict = judge(context, id)?;
    if !verdict.remove.is_empty() {
        let ready = open_store(context).await?;
        let here = target_settings(context)?.place();
        for number in &verdict.remove {
            // What is at a target that was in use before is not ours to reach from here.
            if store.backup(id, *number)?.place == here {
                remove_files(&ready, id, *number).await?;
            }
            store.forget_backup(id, *number)?;
        }
    }
    // Those that could not be made are told of until a later one is good.
    let all = store.backups_of(id)?;
    let good = all.iter().find(|backup| backup.state == BackupState::Proven);
    if let Some(good) = good.map(|backup| backup.number) {
        let failed = all.iter().filter(|backup| backup.state == BackupState::Failed);
        for backup in failed.filter(|backup| backup.number < good) {
            store.forget_backup(id, backup.number)?;
        }
    }
    Ok(verdict)
}

/// Removes the files of a backup, its manifest first: from then on there is no backup of this number.
pub(super) async fn remove_files(ready: &Store, id: &EnvironmentId, number: u64) -> Result<(), Failure> {
    ready
        .target
        .remove(&manifest::file(id, number, manifest::FILE)?)
        .await?;
    for file in ready.target.list(Some(&manifest::folder(id, number)?)).await? {
        ready.target.remove(&file.path).await?;
    }
    Ok(())
}
