//! Backups: made, read back, restored for trial, kept by a rule, and brought back. One act at a time for each environment;
//! an act goes on when nobody waits for it any more, and one that was cut off is cleaned up at the next start.

mod act;
pub(crate) mod history;
mod keep;
mod key;
mod make;
mod own;
mod prove;
mod prune;
mod put;
mod read;
mod restore;
mod shown;
mod verbs;

use std::sync::Arc;

use hostkit_core::addon::{AddonId, AddonKind, AddonOrder};
use hostkit_core::backup::part::PartKind;
use hostkit_core::backup::target::TargetSettings;
use hostkit_core::backup::{Backup, BackupState};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::traits::{BackupTarget, Copies, CopyOf};
use tokio::task::JoinHandle;

use crate::context::{Context, locked};
use crate::parts::BackupParts;

pub use act::BackupUpdates;
use act::begin;
use key::{adopt, confirm, kit};
use make::make;
pub(crate) use make::{before, make_last};
use prove::verify;
use prune::prune;
use read::download;
pub use restore::RestoreOrder;
use restore::restore;
pub use shown::BackupStanding;
pub(crate) use shown::findings;
use shown::standing;

/// Begins to make backups by themselves, where any are made, and to keep a history of databases.
pub(crate) fn start(context: &Arc<Context>) -> Vec<JoinHandle<()>> {
    let Some(parts) = &context.parts.backups else {
        return Vec::new();
    };
    let mut loops = vec![tokio::spawn(keep::run(context.clone()))];
    if let Some(driver) = &parts.history {
        loops.push(tokio::spawn(history::run(context.clone(), driver.clone())));
    }
    loops
}

/// Ends what somebody asked for; the next start cleans up.
pub(crate) fn stop(context: &Context) {
    for act in std::mem::take(&mut *locked(&context.backup_acts)) {
        act.abort();
    }
}

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

/// What makes copies, and whose.
type CopiesOf<'a> = (&'a Arc<dyn Copies>, CopyOf);

/// What makes copies of one kind, and whose; nothing where the environment has no such thing.
fn copies_of<'a>(
    context: &'a Context,
    id: &EnvironmentId,
    kind: PartKind,
) -> Result<Option<CopiesOf<'a>>, Failure> {
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
    Ok(copies.covers(&of).then_some((copies, of)))
}

/// Whether what an add-on keeps goes into backups.
fn has_copies(context: &Context, order: &AddonOrder) -> bool {
    let of = CopyOf {
        environment: order.id.environment.clone(),
        order: Some(order.clone()),
    };
    let parts = context.parts.backups.as_ref();
    parts.is_some_and(|parts| {
        let mut all = parts.copies.iter();
        all.any(|copies| copies.kind() == PartKind::Addon(order.id.kind) && copies.covers(&of))
    })
}

fn no_copies(id: &EnvironmentId, kind: AddonKind) -> Failure {
    Failure::new(
        Kind::Conflict,
        format!(
            "cannot back up the {} of `{id}`: this version makes no copies of it",
            kind.title()
        ),
    )
}

/// What of an environment is in no backup, if anything: such a backup never calls itself proven. What somebody else keeps
/// is not lost with this machine, and stands in no backup's way: [`left_out`] tells of it.
fn uncopied(context: &Context, id: &EnvironmentId) -> Result<Option<Failure>, Failure> {
    let addons = context.parts.store.addons_of(id)?;
    let mut own = addons
        .iter()
        .filter(|addon| !addon.removing && !addon.order.settings.outside);
    let found = own.find(|addon| !has_copies(context, &addon.order));
    Ok(found.map(|addon| no_copies(id, addon.order.id.kind)))
}

/// What somebody else keeps for an environment, and no backup has.
fn left_out(context: &Context, id: &EnvironmentId) -> Result<Vec<AddonKind>, Failure> {
    let addons = context.parts.store.addons_of(id)?.into_iter();
    Ok(addons
        .filter(|addon| addon.order.settings.outside && !has_copies(context, &addon.order))
        .map(|addon| addon.order.id.kind)
        .collect())
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
