//! What is asked of systemd. Two traits, because two sorts of callers exist: who writes unit files and who runs units;
//! [`Systemd`] is both.

use std::pin::Pin;

use futures_util::Stream;
use hostkit_core::kind::Failure;

use super::unit_file::UnitFile;
use super::{ListedUnit, Signal, TransientRun, TransientUnit, UnitName, UnitStatus};

/// The system manager, whole.
pub trait Systemd: UnitFiles + Units {}

impl<T: UnitFiles + Units + ?Sized> Systemd for T {}

/// Unit files in systemd's folder. Every method is idempotent and may be called at any time; whether it answers `true`
/// says that something changed. Nothing of it reaches the manager before [`UnitFiles::reload`].
#[async_trait::async_trait]
pub trait UnitFiles: Send + Sync {
    /// Makes a unit file have this content and mode 0644, in one step: whoever reads sees the old one or the new.
    async fn ensure_file(&self, name: &UnitName, file: &UnitFile) -> Result<bool, Failure>;

    /// Removes a unit file. Links that enable it are taken away by [`UnitFiles::disable`], before.
    async fn remove_file(&self, name: &UnitName) -> Result<bool, Failure>;

    /// Makes `alias` another name of the unit `target`, in the place of what it was a name of before, in one step.
    async fn point_alias(&self, alias: &UnitName, target: &UnitName) -> Result<bool, Failure>;

    /// Takes a name away again; a unit file of that name is left alone.
    async fn remove_alias(&self, alias: &UnitName) -> Result<bool, Failure>;

    /// What a name made by [`UnitFiles::point_alias`] stands for.
    async fn alias_target(&self, alias: &UnitName) -> Result<Option<UnitName>, Failure>;

    /// Has the unit started with the machine, as its `[Install]` section says. Effective without a reload.
    async fn enable(&self, name: &UnitName) -> Result<bool, Failure>;

    /// Takes [`UnitFiles::enable`] back; also where the file is gone already.
    async fn disable(&self, name: &UnitName) -> Result<bool, Failure>;

    /// Has the manager read all unit files again. Running units go on.
    async fn reload(&self) -> Result<(), Failure>;
}

/// What is done to a unit by a job of the manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Job {
    /// Nothing where it runs already.
    Start,
    /// With the unit's own signal, grace and kill. Nothing where it does not run, or is not known.
    Stop,
    /// Also starts what does not run.
    Restart,
}

impl Job {
    /// The word for people: `start`.
    pub fn verb(self) -> &'static str {
        match self {
            Job::Start => "start",
            Job::Stop => "stop",
            Job::Restart => "restart",
        }
    }
}

/// Which processes of a unit a signal is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Whom {
    /// The main one.
    Main,
    /// Every one in its control group.
    All,
}

/// Word that it is worth to look again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UnitChange {
    /// This unit changed in some way, came or went.
    Unit(UnitName),
    /// Word of changes may have been lost, or the manager read its files again: look at every unit.
    All,
}

/// Changes as they come. Ends never; dropping it unsubscribes.
pub type UnitChanges = Pin<Box<dyn Stream<Item = UnitChange> + Send>>;

/// Units as the manager has them. Every method may be called at any time, also twice at once. A manager that starts
/// itself afresh meanwhile (an upgrade does that) is waited for.
#[async_trait::async_trait]
pub trait Units: Send + Sync {
    /// Runs a job and waits for its end: after `Start` the program was executed (for a unit that notifies: is ready),
    /// after `Stop` none of its processes is left. A job that does not succeed is a failure that names the unit, says
    /// how it ended and where to read more; a program that ends badly right after it was executed may be one.
    async fn run_job(&self, job: Job, name: &UnitName) -> Result<(), Failure>;

    /// Sends a signal. A unit without a process is a failure of kind `NotFound`.
    async fn signal(&self, name: &UnitName, whom: Whom, signal: Signal) -> Result<(), Failure>;

    /// Makes a failed unit an inactive one and its restarts zero. Idempotent, also for a unit nobody knows.
    async fn reset_failed(&self, name: &UnitName) -> Result<(), Failure>;

    /// How a unit is. One that does not exist is no failure: its `load` says so.
    async fn status(&self, name: &UnitName) -> Result<UnitStatus, Failure>;

    /// The units whose names begin with `prefix`, by name: those the manager has loaded, also when their file is gone,
    /// and those that have a file. Aliases are not listed.
    async fn list(&self, prefix: &str) -> Result<Vec<ListedUnit>, Failure>;

    /// Starts a unit that has no file and is forgotten when it ends. When this returns, the program was executed;
    /// that it could not be (no such program, folder or account) is a failure. The answer is the only hold on it: it is
    /// killed when that is dropped.
    async fn start_transient(&self, unit: TransientUnit) -> Result<Box<dyn TransientRun>, Failure>;

    /// Changes of units whose names begin with `prefix`, from now on. Sees more than it misses: what is reported may
    /// look unchanged.
    async fn changes(&self, prefix: &str) -> Result<UnitChanges, Failure>;

    /// [`Job::Start`].
    async fn start(&self, name: &UnitName) -> Result<(), Failure> {
        self.run_job(Job::Start, name).await
    }

    /// [`Job::Stop`].
    async fn stop(&self, name: &UnitName) -> Result<(), Failure> {
        self.run_job(Job::Stop, name).await
    }

    /// [`Job::Restart`].
    async fn restart(&self, name: &UnitName) -> Result<(), Failure> {
        self.run_job(Job::Restart, name).await
    }
}
