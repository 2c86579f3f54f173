//! Making a backup: each part is streamed to the target, read back and compared; the manifest is put last; then the whole
//! is restored for trial.

use std::sync::Arc;

use futures_util::stream;
use hostkit_core::addon::{AddonId, AddonKind};
use hostkit_core::backup::manifest::{self, BackupManifest};
use hostkit_core::backup::part::{Counts, FileFigures, PartKind, PartName, StoredPart};
use hostkit_core::backup::{Backup, BackupState, Cause};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::{Counting, Export, LeftOut};

use super::act::{Moved, Teller};
use super::own::{self, ProjectPart};
use super::{
    Store, copies_of, has_copies, has_something, no_copies, open_store, parts, prove, prune, put,
    target_settings, uncopied,
};
use crate::context::Context;

/// Makes a backup and proves it, and removes those that no rule keeps any more.
pub(crate) async fn make(
    context: &Arc<Context>,
    id: &EnvironmentId,
    cause: Cause,
    teller: &Teller,
) -> Result<Backup, Failure> {
    let lock = context.lock_of_backups(id);
    let _held = lock.lock().await;
    let complete = make_now(context, id, cause, teller).await?;
    let proven = prove::prove(context, &complete, teller).await?;
    // Those that stay are kept all the same where others cannot be removed now.
    if let Err(error) = prune::prune_now(context, id).await {
        tracing::warn!(%error, environment = %id, "cannot remove old backups");
    }
    Ok(proven)
}

/// As [`make`], where the environment's lock is held; not tried yet.
pub(super) async fn make_now(
    context: &Arc<Context>,
    id: &EnvironmentId,
    cause: Cause,
    teller: &Teller,
) -> Result<Backup, Failure> {
    parts(context)?;
    let store = &context.parts.store;
    // Asked first: without an environment there is no backup to fail.
    store.environment(id)?;
    let place = target_settings(context)?.place();
    let ready = ready(context, id).await;
    let floor = ready.as_ref().map_or(0, |(_, floor)| *floor);
    let backup = store.begin_backup(id, cause, &place, floor)?;
    teller.say(format!("backup {} of {id}, to {place}", backup.number));
    let made = match ready {
        Ok((ready, _)) => {
            let made = fill(context, &ready, &backup, teller).await;
            if made.is_err() {
                clear(&ready, id, backup.number).await;
            }
            made
        }
        Err(failure) => Err(failure),
    };
    match made {
        Ok(parts) => store.complete_backup(&backup, &parts),
        Err(failure) => {
            store.fail_backup(&backup, &failure)?;
            Err(failure)
        }
    }
}

/// The target, and the highest number that it has of this environment. Files that a failed backup left are removed.
async fn ready(context: &Context, id: &EnvironmentId) -> Result<(Store, u64), Failure> {
    let ready = open_store(context).await?;
    let folder = manifest::folder_of(id)?;
    let listed = Moved::default()
        .within(
            parts(context)?.patience,
            "look at the backups there are",
            ready.target.list(Some(&folder)),
        )
        .await?;
    let mut numbers: Vec<u64> = listed
        .iter()
        .filter_map(|file| manifest::read_path(&file.path))
        .map(|(_, number, _)| number)
        .collect();
    numbers.dedup();
    let known = context.parts.store.backups_of(id)?;
    let failed = known.iter().filter(|backup| backup.state == BackupState::Failed);
    for backup in failed.filter(|backup| numbers.contains(&backup.number)) {
        clear(&ready, id, backup.number).await;
    }
    Ok((ready, numbers.into_iter().max().unwrap_or_default()))
}

/// Removes what there is of a backup. What cannot be removed now is removed before the next backup is made.
async fn clear(ready: &Store, id: &EnvironmentId, number: u64) {
    let removed = prune::remove_files(ready, id, number).await;
    if let Err(error) = removed {
        tracing::warn!(%error, environment = %id, number, "what a failed backup left is still there");
    }
}

async fn fill(
    context: &Arc<Context>,
    ready: &Store,
    backup: &Backup,
    teller: &Teller,
) -> Result<Vec<StoredPart>, Failure> {
    let id = &backup.environment;
    let mut stored = Vec::new();
    let mut keep = async |name: PartName, export: Export| -> Result<(), Failure> {
        let left_out = export.left_out.clone();
        let part = put(context, ready, backup, &name.to_string(), export).await?;
        teller.say(format!("{name}: {}, read back", ByteSize(part.0.bytes)));
        for what in left_out.get() {
            teller.say(format!("{name}: left out: {what}"));
        }
        stored.push(StoredPart {
            name,
            figures: part.0,
            counts: part.1,
            left_out: left_out.get().to_vec(),
        });
        Ok(())
    };
    let project = ProjectPart::of(context, id)?;
    let (bytes, counts) = (project.written()?, project.counts());
    keep(PartName::main(PartKind::Project), whole(bytes, counts)).await?;
    let variables = own::variables(context, id)?;
    let (bytes, counts) = (own::written(&variables)?, own::counts_of(&variables));
    keep(PartName::main(PartKind::Variables), whole(bytes, counts)).await?;
    let kinds = parts(context)?.copies.iter().map(|copies| copies.kind());
    for kind in kinds {
        let Some((copies, of)) = copies_of(context, id, kind)? else {
            continue;
        };
        for name in copies.parts(&of).await? {
            let export = copies.export(&of, &name).await?;
            keep(name, export).await?;
        }
    }
    if backup.cause == Cause::Last {
        // What is in no backup would be lost with the project.
        uncopied(context, id)?.map_or(Ok(()), Err)?;
    }
    let manifest = BackupManifest::of(backup, &context.parts.settings.version, stored.clone());
    let bytes = serde_json::to_vec(&manifest)
        .map_err(|why| Failure::new(Kind::Internal, format!("cannot write a manifest: {why}")))?;
    put(
        context,
        ready,
        backup,
        manifest::FILE,
        whole(bytes, Counts::new()),
    )
    .await?;
    Ok(stored)
}

fn whole(bytes: Vec<u8>, counts: Counts) -> Export {
    Export {
        pieces: Box::pin(stream::iter([Ok(bytes)])),
        counting: Counting::known(counts),
        left_out: LeftOut::default(),
    }
}

/// Puts one file, and reads it back.
async fn put(
    context: &Context,
    ready: &Store,
    backup: &Backup,
    name: &str,
    export: Export,
) -> Result<(FileFigures, Counts), Failure> {
    let path = manifest::file(&backup.environment, backup.number, name)?;
    let act = format!("back up `{name}` to {}", ready.target.place());
    let figures = put::put(context, ready, &path, &act, export.pieces).await?;
    let counts = export.counting.get().cloned().ok_or_else(|| {
        Failure::new(
            Kind::Internal,
            format!("cannot {act}: nobody counted what is in it"),
        )
    })?;
    Ok((figures, counts))
}

/// A backup before something of an environment is taken away or replaced. Where it cannot be made nothing may be.
/// None where there is nothing to lose, or no backups are made at all.
pub(crate) async fn before(
    context: &Arc<Context>,
    id: &EnvironmentId,
    losing: Option<AddonKind>,
) -> Result<Option<Backup>, Failure> {
    if context.parts.backups.is_none() || !has_something(context, id)? {
        return Ok(None);
    }
    if let Some(kind) = losing {
        let order = context.parts.store.addon(&AddonId::new(id.clone(), kind))?.order;
        if !has_copies(context, &order) {
            return Err(refused(no_copies(id, kind)));
        }
    }
    let made = make(context, id, Cause::Before, &Teller::default()).await;
    made.map(Some).map_err(refused)
}

/// The last backup of an environment whose project goes: it stays until somebody lets go of it.
pub(crate) async fn make_last(context: &Arc<Context>, id: &EnvironmentId) -> Result<Option<Backup>, Failure> {
    if context.parts.backups.is_none() || !has_something(context, id)? {
        return Ok(None);
    }
    let made = make(context, id, Cause::Last, &Teller::default()).await;
    made.map(Some).map_err(refused)
}

pub(super) fn refused(failure: Failure) -> Failure {
    let message = format!(
        "nothing was changed, for there would be no backup: {}",
        failure.message
    );
    Failure { message, ..failure }.hint("mend that, or say `--no-backup` to lose the data for good")
}
