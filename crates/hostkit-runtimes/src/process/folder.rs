//! The folder of an instance, and what it says.

use std::fs;
use std::path::{Path, PathBuf};

use hostkit_core::kind::Failure;
use hostkit_core::layout::Layout;
use hostkit_core::workload::{Instance, InstanceId, InstanceState, Scope};
use hostkit_host::files;
use hostkit_host::processes;
use hostkit_host::shim::{LOCK_FILE, SPEC_FILE, STATE_FILE, ShimSpec, ShimState};

use crate::shared::instances;

/// Where one instance is described.
#[derive(Debug, Clone)]
pub(super) struct InstanceFolder {
    pub(super) id: InstanceId,
    pub(super) path: PathBuf,
}

/// Whether somebody looks after an instance.
pub(super) enum Shim {
    /// Yes, and this is what it says.
    Alive(ShimState),
    /// Yes, but it has not said anything yet.
    Silent,
    /// No; the last thing it said.
    Gone(Option<ShimState>),
}

impl InstanceFolder {
    pub(super) fn new(layout: &Layout, id: &InstanceId) -> Self {
        let path = layout.instances(&id.workload.environment).join(id.to_string());
        InstanceFolder { id: id.clone(), path }
    }

    pub(super) fn spec(&self) -> Option<ShimSpec> {
        read_json(&self.path.join(SPEC_FILE))
    }

    /// A state is believed only if the very process that wrote it still runs: same id, same start, same boot.
    pub(super) fn shim(&self) -> Shim {
        match read_json::<ShimState>(&self.path.join(STATE_FILE)) {
            Some(state) if state.shim.is_alive() => Shim::Alive(state),
            // A new shim has the lock; the state, if any, is still an older one's.
            _ if files::is_locked(&self.path.join(LOCK_FILE)) => Shim::Silent,
            state => Shim::Gone(state),
        }
    }

    /// The instance as it is; `None` while its description is not written.
    pub(super) fn observe(&self) -> Option<Instance> {
        let spec = self.spec()?;
        let (state, alive) = match self.shim() {
            Shim::Alive(state) => (Some(state), true),
            Shim::Silent => (None, false),
            Shim::Gone(state) => (state, false),
        };
        let running = state.as_ref().filter(|_| alive);
        let program = running.and_then(|s| s.program.as_ref()).map(|mark| mark.pid);
        Some(Instance {
            id: self.id.clone(),
            release: spec.release,
            state: running.map_or(InstanceState::Stopped, |s| s.state),
            pid: program,
            address: spec.address,
            started_at: state.as_ref().and_then(|s| s.started_at),
            restarts: state.as_ref().map_or(0, |s| s.restarts),
            last_exit: state.as_ref().and_then(|s| s.last_exit.clone()),
            memory: running.map(|s| processes::resident(&processes::descendants(s.shim.pid))),
        })
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// The folders of all instances that are meant.
pub(super) fn list(layout: &Layout, scope: &Scope) -> Result<Vec<InstanceFolder>, Failure> {
    let found = instances::with_folders(layout, scope)?;
    Ok(found.iter().map(|id| InstanceFolder::new(layout, id)).collect())
}
