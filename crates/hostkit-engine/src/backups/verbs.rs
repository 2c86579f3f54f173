//! What can be asked of the engine about backups.

use hostkit_core::backup::history::{HistorySettings, HistoryStanding};
use hostkit_core::backup::part::PartName;
use hostkit_core::backup::retention::Verdict;
use hostkit_core::backup::schedule::BackupSchedule;
use hostkit_core::backup::target::TargetSettings;
use hostkit_core::backup::{Backup, BackupUpdate, Cause};
use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::traits::Pieces;

use super::act::begin_any;
use super::history::{self, MomentOrder};
use super::{BackupStanding, BackupUpdates, RestoreOrder, begin};
use crate::Engine;

impl Engine {
    /// How it stands with the backups of an environment; also of one that is gone.
    pub fn backups(&self, environment: &EnvironmentId) -> Result<BackupStanding, Failure> {
        super::standing(&self.context, environment)
    }

    /// The newest backup of an environment that can be restored.
    pub fn newest_backup(&self, environment: &EnvironmentId) -> Result<Backup, Failure> {
        super::newest(&self.context, environment)
    }

    /// Makes a backup, reads it back and restores it for trial. The act goes on when nobody listens.
    pub fn back_up(&self, environment: &EnvironmentId) -> BackupUpdates {
        let id = environment.clone();
        begin(&self.context, |context, teller| async move {
            let made = super::make(&context, &id, Cause::Asked, &teller).await?;
            Ok((made, Vec::new()))
        })
    }

    /// Reads a backup back as it is now, and restores it for trial.
    pub fn verify_backup(&self, environment: &EnvironmentId, number: u64) -> BackupUpdates {
        let id = environment.clone();
        begin(&self.context, move |context, teller| async move {
            Ok((super::verify(&context, &id, number, &teller).await?, Vec::new()))
        })
    }

    /// Restores a backup: beside what is there, whose place it takes when all of it is good. A project that is not there
    /// is made anew.
    pub fn restore_backup(&self, order: RestoreOrder) -> BackupUpdates {
        begin(&self.context, |context, teller| async move {
            super::restore(&context, &order, &teller).await
        })
    }

    /// Brings the databases of an environment back to a moment: beside what is there, whose place they take.
    pub fn restore_moment(&self, order: MomentOrder) -> BackupUpdates {
        begin_any(&self.context, |context, teller| async move {
            let recovered = history::recover(&context, &order, &teller).await?;
            Ok(BackupUpdate::Recovered {
                recovered: Box::new(recovered),
            })
        })
    }

    /// Whether the database server has to be started anew before a history of its databases is kept.
    pub async fn history_needs_start(&self) -> bool {
        history::needs_start(&self.context).await
    }

    /// How it stands with the history of databases.
    pub fn history(&self) -> Result<HistoryStanding, Failure> {
        history::standing(&self.context)
    }

    /// Chooses whether a history of databases is kept, and how long. Returns when the server was started anew, where it has
    /// to be.
    pub async fn set_history(&self, settings: HistorySettings, by: &str) -> Result<HistoryStanding, Failure> {
        history::set(&self.context, settings, by).await?;
        self.history()
    }

    /// What is in a part of a backup, decrypted.
    pub async fn download_backup(
        &self,
        environment: &EnvironmentId,
        number: u64,
        part: &PartName,
    ) -> Result<Pieces, Failure> {
        super::download(&self.context, environment, number, part).await
    }

    /// Says which backups of an environment stay and which go, and removes those that go unless it is only asked.
    pub async fn prune_backups(
        &self,
        environment: &EnvironmentId,
        only_ask: bool,
    ) -> Result<Verdict, Failure> {
        super::prune(&self.context, environment, only_ask).await
    }

    /// Chooses when an environment is backed up, and which backups stay.
    pub fn set_backup_schedule(
        &self,
        environment: &EnvironmentId,
        schedule: &BackupSchedule,
    ) -> Result<(), Failure> {
        self.store().set_backup_schedule(environment, schedule)
    }

    /// Keeps a backup whatever the rules say, or lets go of it.
    pub fn hold_backup(
        &self,
        environment: &EnvironmentId,
        number: u64,
        held: bool,
    ) -> Result<Backup, Failure> {
        self.store().hold_backup(environment, number, held)
    }

    /// Where backups are kept.
    pub fn backup_target(&self) -> Result<TargetSettings, Failure> {
        super::target_settings(&self.context)
    }

    /// Names the place where backups are kept from now on.
    pub async fn set_backup_target(&self, target: &TargetSettings) -> Result<(), Failure> {
        super::set_target(&self.context, target).await
    }

    /// The recovery kit, shown until somebody has confirmed to have it.
    pub fn recovery_kit(&self, by: &str) -> Result<Secret, Failure> {
        super::kit(&self.context, by)
    }

    /// Somebody shows to have the recovery kit.
    pub fn confirm_recovery_kit(&self, kit: &Secret, by: &str) -> Result<(), Failure> {
        super::confirm(&self.context, kit, by)
    }

    /// Takes over the backups that a recovery kit is for, and answers how many are new here.
    pub async fn adopt_recovery_kit(&self, kit: &Secret, by: &str) -> Result<usize, Failure> {
        super::adopt(&self.context, kit, by).await
    }

    /// All backups there are, by environment; also those of projects that are gone.
    pub fn all_backups(&self) -> Result<Vec<Backup>, Failure> {
        self.store().backups()
    }

    /// Whether somebody has shown to have the recovery kit of the key that is in use.
    pub fn has_confirmed_kit(&self) -> Result<bool, Failure> {
        super::key::is_confirmed(&self.context)
    }
}
