//! Backups. What is in one leaves through [`download`], and the key through [`kit`], nowhere else.

use std::pin::Pin;

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hostkit_api::backup::{
    Adopted, BackupChange, BackupPlace, Backups, KitText, NewBackupTarget, OneBackup, RestorationElsewhere,
};
use hostkit_api::endpoints::{
    AdoptRecoveryKit, ChangeBackup, ConfirmRecoveryKit, CreateBackup, DownloadBackup, GetBackup,
    GetBackupTarget, GetHistory, ListAllBackups, ListBackups, PruneBackups, RestoreBackup,
    RestoreBackupElsewhere, RestoreMoment, SetBackupSchedule, SetBackupTarget, SetHistory, ShowRecoveryKit,
    VerifyBackup,
};
use hostkit_core::backup::history::{HistorySettings, HistoryStanding};
use hostkit_core::backup::retention::Verdict;
use hostkit_core::backup::schedule::BackupSchedule;
use hostkit_core::backup::{Backup, BackupUpdate};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::EnvironmentName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_engine::{BackupUpdates, MomentOrder, RestoreOrder};

use crate::auth::Admitted;
use crate::reply;
use crate::shared::Shared;

type Updates = Pin<Box<dyn Stream<Item = BackupUpdate> + Send>>;

/// Updates as they leave the house.
fn shown(updates: BackupUpdates) -> Updates {
    Box::pin(updates.map(|update| match update {
        BackupUpdate::Failed { failure } => BackupUpdate::Failed {
            failure: reply::told(failure),
        },
        update => update,
    }))
}

pub(crate) async fn list(call: Admitted<ListBackups>, (): ()) -> Result<Backups, Failure> {
    let standing = call.shared().engine.backups(call.target())?;
    Ok(Backups {
        backups: standing.backups,
        schedule: standing.schedule,
        place: standing.place,
        kit_confirmed: standing.kit_confirmed,
        left_out: standing.left_out,
        history: standing.history,
    })
}

pub(crate) async fn list_all(call: Admitted<ListAllBackups>, (): ()) -> Result<Vec<Backup>, Failure> {
    call.shared().engine.all_backups()
}

pub(crate) async fn create(call: Admitted<CreateBackup>) -> Result<Updates, Failure> {
    let (shared, id) = (call.shared(), call.target());
    shared.store().environment(id)?;
    tracing::info!(by = call.by(), environment = %id, "Backing up");
    Ok(shown(shared.engine.back_up(id)))
}

pub(crate) async fn prune(call: Admitted<PruneBackups>, (): ()) -> Result<Verdict, Failure> {
    let engine = &call.shared().engine;
    engine.backups(call.target())?;
    engine.prune_backups(call.target(), call.query().only_ask).await
}

pub(crate) async fn get(call: Admitted<GetBackup>, (): ()) -> Result<Backup, Failure> {
    let OneBackup { environment, number } = call.target();
    call.shared().store().backup(environment, *number)
}

pub(crate) async fn change(call: Admitted<ChangeBackup>, change: BackupChange) -> Result<Backup, Failure> {
    let OneBackup { environment, number } = call.target();
    call.shared()
        .engine
        .hold_backup(environment, *number, change.held)
}

pub(crate) async fn verify(call: Admitted<VerifyBackup>) -> Result<Updates, Failure> {
    let OneBackup { environment, number } = call.target();
    call.shared().store().backup(environment, *number)?;
    Ok(shown(call.shared().engine.verify_backup(environment, *number)))
}

pub(crate) async fn restore(call: Admitted<RestoreBackup>) -> Result<Updates, Failure> {
    let OneBackup { environment, number } = call.target().clone();
    let shared = call.shared();
    shared.store().backup(&environment, number)?;
    // What is not there is not this caller's to make.
    shared.store().environment(&environment)?;
    tracing::info!(by = call.by(), %environment, number, "Restoring");
    Ok(shown(shared.engine.restore_backup(RestoreOrder {
        from: environment.clone(),
        number,
        to: environment,
        backup_first: call.query().backup != Some(false),
        by: call.by().to_owned(),
    })))
}

pub(crate) async fn restore_elsewhere(call: Admitted<RestoreBackupElsewhere>) -> Result<Updates, Failure> {
    let (shared, query) = (call.shared(), call.query().clone());
    let RestorationElsewhere {
        project,
        environment,
        number,
        at,
        to_project,
        to_environment,
        backup,
    } = query;
    let project = project.ok_or_else(|| {
        Failure::new(
            Kind::Invalid,
            "cannot restore a backup: nobody said of which `project`",
        )
    })?;
    let environment = environment.unwrap_or_else(EnvironmentName::production);
    let from = EnvironmentId::new(project, environment);
    let to = EnvironmentId::new(
        to_project.unwrap_or_else(|| from.project.clone()),
        to_environment.unwrap_or_else(|| from.environment.clone()),
    );
    if let Some(at) = at {
        tracing::info!(by = call.by(), %from, %at, %to, "Restoring");
        return Ok(shown(shared.engine.restore_moment(MomentOrder {
            from,
            at,
            to,
            backup_first: backup != Some(false),
            by: call.by().to_owned(),
        })));
    }
    let number = match number {
        Some(number) => shared.store().backup(&from, number)?.number,
        None => shared.engine.newest_backup(&from)?.number,
    };
    tracing::info!(by = call.by(), %from, number, %to, "Restoring");
    Ok(shown(shared.engine.restore_backup(RestoreOrder {
        from,
        number,
        to,
        backup_first: backup != Some(false),
        by: call.by().to_owned(),
    })))
}

pub(crate) async fn restore_moment(call: Admitted<RestoreMoment>) -> Result<Updates, Failure> {
    let (shared, environment) = (call.shared(), call.target().clone());
    // What is not there is not this caller's to make.
    let made_at = shared.store().environment(&environment)?.created_at;
    let at = call.query().at.ok_or_else(|| {
        Failure::new(
            Kind::Invalid,
            "cannot restore to a moment: nobody said to which (`at`)",
        )
    })?;
    // Of somebody else's, who had the name before, nothing is told.
    if at < made_at {
        return Err(Failure::new(
            Kind::NotFound,
            format!("cannot restore `{environment}` to {at}: it was made on {made_at:.0}"),
        )
        .hint("one that had the name before is brought back into another project: `--to`"));
    }
    tracing::info!(by = call.by(), %environment, %at, "Restoring");
    Ok(shown(shared.engine.restore_moment(MomentOrder {
        from: environment.clone(),
        at,
        to: environment,
        backup_first: call.query().backup != Some(false),
        by: call.by().to_owned(),
    })))
}

pub(crate) async fn history(call: Admitted<GetHistory>, (): ()) -> Result<HistoryStanding, Failure> {
    let engine = &call.shared().engine;
    Ok(HistoryStanding {
        needs_start: engine.history_needs_start().await,
        ..engine.history()?
    })
}

pub(crate) async fn set_history(
    call: Admitted<SetHistory>,
    wanted: HistorySettings,
) -> Result<HistoryStanding, Failure> {
    let standing = call.shared().engine.set_history(wanted, call.by()).await?;
    tracing::info!(
        by = call.by(),
        on = wanted.on,
        days = wanted.days,
        "History of databases"
    );
    Ok(standing)
}

pub(crate) async fn download(
    call: Admitted<DownloadBackup>,
) -> Result<impl Stream<Item = Result<Bytes, Failure>>, Failure> {
    let (target, engine) = (call.target(), &call.shared().engine);
    let OneBackup { environment, number } = &target.backup;
    tracing::info!(by = call.by(), %environment, number, part = %target.part, "Downloading");
    let broken = format!("cannot read `{}` of backup {number} to its end", target.part);
    let pieces = engine.download_backup(environment, *number, &target.part).await?;
    Ok(pieces.map(move |piece| match piece {
        Ok(bytes) => Ok(Bytes::from(bytes)),
        Err(why) => Err(Failure::new(Kind::Unavailable, format!("{broken}: {why}"))),
    }))
}

pub(crate) async fn schedule(
    call: Admitted<SetBackupSchedule>,
    schedule: BackupSchedule,
) -> Result<BackupSchedule, Failure> {
    if schedule.hour > 23 {
        return Err(Failure::new(
            Kind::Invalid,
            format!("cannot back up at hour {}: a day has 0 to 23", schedule.hour),
        ));
    }
    call.shared()
        .engine
        .set_backup_schedule(call.target(), &schedule)?;
    Ok(schedule)
}

fn place(shared: &Shared) -> Result<BackupPlace, Failure> {
    Ok(BackupPlace {
        place: shared.engine.backup_target()?.place(),
        named: shared.store().backup_target()?.is_some(),
        kit_confirmed: shared.engine.has_confirmed_kit()?,
    })
}

pub(crate) async fn target(call: Admitted<GetBackupTarget>, (): ()) -> Result<BackupPlace, Failure> {
    place(call.shared())
}

pub(crate) async fn set_target(
    call: Admitted<SetBackupTarget>,
    new: NewBackupTarget,
) -> Result<BackupPlace, Failure> {
    call.shared().engine.set_backup_target(&new.try_into()?).await?;
    let place = place(call.shared())?;
    tracing::info!(
        by = call.by(),
        place = place.place,
        "Backups are kept elsewhere from now on"
    );
    Ok(place)
}

pub(crate) async fn kit(call: Admitted<ShowRecoveryKit>, (): ()) -> Result<String, Failure> {
    let kit = call.shared().engine.recovery_kit(call.by())?;
    Ok(kit.reveal().to_owned())
}

pub(crate) async fn confirm_kit(call: Admitted<ConfirmRecoveryKit>, kit: KitText) -> Result<(), Failure> {
    let engine = &call.shared().engine;
    engine.confirm_recovery_kit(&Secret::new(kit.text), call.by())
}

pub(crate) async fn adopt_kit(call: Admitted<AdoptRecoveryKit>, kit: KitText) -> Result<Adopted, Failure> {
    let engine = &call.shared().engine;
    let backups = engine
        .adopt_recovery_kit(&Secret::new(kit.text), call.by())
        .await?;
    Ok(Adopted { backups })
}
