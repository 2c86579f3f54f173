//! Backups: made, read back, restored for trial, kept by a rule, and brought back. One act at a time for each environment;
//! an act goes on when nobody waits for it any more, and one that was cut off is cleaned up at the next start.

mod act;
pub(crate) mod keep;
mod key;
mod make;
mod own;
mod prove;
mod prune;
mod read;
mod restore;
mod shown;

use std::sync::Arc;

use hostkit_core::addon::AddonId;
use hostkit_core::backup::part::PartKind;
use hostkit_core::backup::target::TargetSettings;
use hostkit_core::backup::{Backup, BackupState};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::traits::{BackupTarget, Copies, CopyOf};

use crate::context::Context;
use crate::parts::BackupParts;

pub use act::BackupUpdates;
pub(crate) use act::begin;
pub(crate) use key::{adopt, confirm, kit};
pub(crate) use make::{before, make, make_last};
pub(crate) use prove::verify;
pub(crate) use prune::prune;
pub(crate) use read::download;
pub use restore::RestoreOrder;
pub(crate) use restore::restore;
pub use shown::BackupStanding;
pub(crate) use shown::{findings, standing};

/// What backups are made with, or why there are none.
fn parts(context: &Context) -> Result<&BackupParts, Failure> {
    context.parts.backups.as_ref().ok_or_else(|| {
        Failure::new(
            Kind::Conflict,
            "cannot work on backups: this installation makes none",
        )
    })
}

/// A place for backups that can be used, with the key.
struct Store {
    target: Arc<dyn BackupTarget>,
    key: Secret,
}

/// Where backups are kept: where somebody said, else in a folder of the installation's own.
pub(crate) fn target_settings(context: &Context) -> Result<TargetSettings, Failure> {
    let named = context.parts.store.backup_target()?;
    Ok(named.unwrap_or_else(|| TargetSettings::Folder(context.parts.layout.backups())))
}

async fn open_store(context: &Context) -> Result<Store, Failure> {
    let targets = &parts(context)?.targets;
    let settings = target_settings(context)?;
    if context.parts.store.backup_target()?.is_none() {
        // Nobody has named a place: ours is made with the first backup.
        targets.set_up(&settings).await?;
    }
    Ok(Store {
        target: targets.open(&settings)?,
        key: key::ours(context)?,
    })
}

/// Names the place where backups are kept from now on. What is at the one before stays there.
pub(crate) async fn set_target(context: &Context, settings: &TargetSettings) -> Result<(), Failure> {
    parts(context)?.targets.set_up(settings).await?;
    context.parts.store.set_backup_target(settings)
}

/// What makes copies of one kind, and whose; nothing where the environment has no such thing.
fn copies_of<'a>(
    context: &'a Context,
    id: &EnvironmentId,
    kind: PartKind,
) -> Result<Option<(&'a Arc<dyn Copies>, CopyOf)>, Failure> {
    let Some(copies) = parts(context)?.copies.iter().find(|copies| copies.kind() == kind) else {
        return Ok(None);
    };
    let order = match kind {
        PartKind::Addon(kind) => match context.parts.store.addon(&AddonId::new(id.clone(), kind)) {
            Ok(addon) if !addon.removing => Some(addon.order),
            Ok(_) => return Ok(None),
            Err(failure) if failure.kind == Kind::NotFound => return Ok(None),
            Err(failure) => return Err(failure),
        },
        _ => None,
    };
    let of = CopyOf {
        environment: id.clone(),
        order,
    };
    Ok(Some((copies, of)))
}

/// A backup that can be read: one that is there.
fn readable(context: &Context, id: &EnvironmentId, number: u64) -> Result<Backup, Failure> {
    let backup = context.parts.store.backup(id, number)?;
    match backup.state {
        BackupState::Running | BackupState::Failed => {
            let why = match backup.state {
                BackupState::Running => "it is being made",
                _ => "it could not be made",
            };
            Err(Failure::new(
                Kind::Conflict,
                format!("cannot read backup {number} of `{id}`: {why}"),
            )
            .hint(format!("see all with `hostkit backup list {}`", id.project)))
        }
        _ => Ok(backup),
    }
}

/// The newest backup that can be restored.
pub(crate) fn newest(context: &Context, id: &EnvironmentId) -> Result<Backup, Failure> {
    let all = context.parts.store.backups_of(id)?;
    let good = |state| all.iter().find(|backup| backup.state == state);
    good(BackupState::Proven)
        .or_else(|| good(BackupState::Complete))
        .cloned()
        .ok_or_else(|| {
            Failure::new(
                Kind::NotFound,
                format!("cannot find a backup of `{id}`: there is none that can be restored"),
            )
            .hint(format!("see all with `hostkit backup list {}`", id.project))
        })
}

/// Whether an environment has anything that a backup is for.
fn has_something(context: &Context, id: &EnvironmentId) -> Result<bool, Failure> {
    let store = &context.parts.store;
    let environment = store.environment(id)?;
    Ok(environment.live.is_some()
        || !store.addons_of(id)?.is_empty()
        || !store.variable_names(id)?.is_empty())
}

