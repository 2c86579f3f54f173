//! Which instances get traffic: those that were found healthy since their program was last started. An instance that
//! crashed and came back has to prove itself again before it is sent requests. One may also say that it wants none for a while.

use std::collections::HashMap;
use std::sync::Mutex;

use hostkit_core::names::ProjectName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::workload::{Instance, InstanceId, InstanceState};
use jiff::Timestamp;

use crate::context::locked;

#[derive(Default)]
pub(crate) struct Ready {
    healthy: Mutex<HashMap<InstanceId, Option<Timestamp>>>,
    /// Those that are healthy and want no requests just now.
    resting: Mutex<HashMap<InstanceId, Option<Timestamp>>>,
}

impl Ready {
    /// Notes that an instance is healthy as it runs now.
    pub(crate) fn mark(&self, instance: &Instance) {
        locked(&self.resting).remove(&instance.id);
        locked(&self.healthy).insert(instance.id.clone(), instance.started_at);
    }

    /// Notes whether an instance wants requests; whether that is new.
    pub(crate) fn note(&self, instance: &Instance, wants_requests: bool) -> bool {
        let was_resting = self.rests(instance);
        let mut resting = locked(&self.resting);
        match wants_requests {
            true => drop(resting.remove(&instance.id)),
            false => drop(resting.insert(instance.id.clone(), instance.started_at)),
        }
        was_resting == wants_requests
    }

    /// Whether an instance said, since it was started, that it wants no requests.
    pub(crate) fn rests(&self, instance: &Instance) -> bool {
        locked(&self.resting).get(&instance.id) == Some(&instance.started_at)
    }

    /// Whether an instance runs and was found healthy since it was started.
    pub(crate) fn contains(&self, instance: &Instance) -> bool {
        instance.state == InstanceState::Running
            && locked(&self.healthy).get(&instance.id) == Some(&instance.started_at)
    }

    /// Forgets instances of an environment that are gone. To be called while nobody else starts any there.
    pub(crate) fn forget_gone(&self, environment: &EnvironmentId, there: &[Instance]) {
        let is_there = |id: &InstanceId| there.iter().any(|i| i.id == *id);
        for known in [&self.healthy, &self.resting] {
            locked(known).retain(|id, _| id.workload.environment != *environment || is_there(id));
        }
    }

    /// Forgets all instances of a project.
    pub(crate) fn forget_project(&self, project: &ProjectName) {
        for known in [&self.healthy, &self.resting] {
            locked(known).retain(|id, _| id.workload.environment.project != *project);
        }
    }
}
