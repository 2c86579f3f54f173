//! A systemd in memory: units that never ran, with every way to go wrong as a setting. It knows what a few programs of
//! every machine do (`sleep`, `true`, `false`, `sh -c 'exit 7'`), everything else runs until it is ended.

mod files;
mod program;
mod state;
mod transient;
mod units;

use std::sync::{Arc, Mutex, MutexGuard};

use hostkit_host::systemd::unit_file::UnitFile;
use hostkit_host::systemd::{Ending, UnitName, UnitStatus};
use tokio::sync::broadcast;

pub use program::Program;

use super::faults::locked;
use super::{Faults, Journal};
use state::State;

/// How many changes a watcher may be behind before it is told to look at everything.
const CHANGES: usize = 1024;

/// A systemd in memory. Clones are second views of the same manager, as a caller that was started again has.
/// Faults, by method: `"ensure_file"`, `"remove_file"`, `"point_alias"`, `"remove_alias"`, `"alias_target"`, `"enable"`,
/// `"disable"`, `"reload"`, `"start"`, `"stop"`, `"restart"`, `"signal"`, `"reset_failed"`, `"status"`, `"list"`,
/// `"start_transient"`, `"wait"`, `"changes"`.
#[derive(Clone)]
pub struct FakeSystemd {
    state: Arc<Mutex<State>>,
    changed: broadcast::Sender<Option<UnitName>>,
    /// `start hostkit-shop.production.web.1.1.service`, `reload`, `ensure_file …`: what was asked for and may change
    /// something.
    pub journal: Journal,
    /// Faults by method.
    pub faults: Faults,
}

impl Default for FakeSystemd {
    fn default() -> Self {
        FakeSystemd::new(&Journal::default())
    }
}

impl FakeSystemd {
    /// A systemd that writes to `journal`.
    pub fn new(journal: &Journal) -> Self {
        FakeSystemd {
            state: Arc::default(),
            changed: broadcast::channel(CHANGES).0,
            journal: journal.clone(),
            faults: Faults::default(),
        }
    }

    /// What becomes of the programs of this unit from now on, whatever they are.
    pub fn behave(&self, name: &UnitName, program: Program) {
        self.state().programs.insert(name.clone(), program);
    }

    /// Ends the main process of a unit, as if it ended by itself just now.
    pub fn end(&self, name: &UnitName, ending: Ending) {
        self.state().end(name, ending);
        self.tell(name);
    }

    /// Makes everything that runs disappear, as after a loss of power. What is enabled runs again, the rest does not.
    pub fn lose_power(&self) {
        self.state().lose_power();
        let _ = self.changed.send(None);
    }

    /// The file of a unit, as it was last written.
    pub fn file(&self, name: &UnitName) -> Option<UnitFile> {
        self.state().files.get(name).cloned()
    }

    /// All units that are loaded, as they are.
    pub fn loaded(&self) -> Vec<UnitStatus> {
        let state = self.state();
        state.units.keys().map(|name| state.status(name)).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        locked(&self.state)
    }

    fn tell(&self, name: &UnitName) {
        // Nobody may be watching.
        let _ = self.changed.send(Some(name.clone()));
    }
}
