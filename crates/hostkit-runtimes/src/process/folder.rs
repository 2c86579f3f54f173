//! The folder of an instance, and what it says.

use std::path::PathBuf;

use hostkit_core::kind::Failure;
use hostkit_core::layout::Layout;
use hostkit_core::workload::{Instance, InstanceId, InstanceState, Scope};
use hostkit_host::processes;
use hostkit_host::shim::ShimSpec;

use crate::shared::instances;
use crate::shared::shimmed::Shimmed;

/// Where one instance is described.
#[derive(Debug, Clone)]
pub(super) struct InstanceFolder {
    pub(super) id: InstanceId,
    pub(super) path: PathBuf,
}

impl InstanceFolder {
    pub(super) fn new(layout: &Layout, id: &InstanceId) -> Self {
        let path = layout.instances(&id.workload.environment).join(id.to_string());
        InstanceFolder { id: id.clone(), path }
    }

    /// The instance as a program below a shim.
    pub(super) fn shimmed(&self) -> Shimmed {
        Shimmed {
            name: self.id.to_string(),
            path: self.path.clone(),
        }
    }

    pub(super) fn spec(&self) -> Option<ShimSpec> {
        self.shimmed().spec()
    }

    /// The instance as it is; `None` while its description is not written.
    pub(super) fn observe(&self) -> Option<Instance> {
        let spec = self.spec()?;
        let (state, alive) = self.shimmed().last_state();
        let running = state.as_ref().filter(|_| alive);
        let program = running.and_then(|s| s.program.as_ref()).map(|mark| mark.pid);
        Some(Instance {
            id: self.id.clone(),
            release: spec.release?,
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

/// The folders of all instances that are meant.
pub(super) fn list(layout: &Layout, scope: &Scope) -> Result<Vec<InstanceFolder>, Failure> {
    let found = instances::with_folders(layout, scope)?;
    Ok(found.iter().map(|id| InstanceFolder::new(layout, id)).collect())
}
