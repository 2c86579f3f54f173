//! Which instances get traffic: those that were found healthy since their program was last started. An instance that
//! crashed and came back has to prove itself again before it is sent requests.

use std::collections::HashMap;
use std::sync::Mutex;

use hostkit_core::names::ProjectName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::workload::{Instance, InstanceId, InstanceState};
use jiff::Timestamp;

use crate::context::locked;

#[derive(Default)]
pub(crate) struct Ready(Mutex<HashMap<InstanceId, Option<Timestamp>>>);

impl Ready {
    /// Notes that an instance is healthy as it runs now.
    pub(crate) fn mark(&self, instance: &Instance) {
        locked(&self.0).insert(instance.id.clone(), instance.started_at);
    }

    /// Whether an instance runs and was found healthy since it was started.
    pub(crate) fn contains(&self, instance: &Instance) -> bool {
        instance.state == InstanceState::Running
            && locked(&self.0).get(&instance.id) == Some(&instance.started_at)
    }

    /// Forgets instances of an environment that are gone. To be called while nobody else starts any there.
    pub(crate) fn forget_gone(&self, environment: &EnvironmentId, there: &[Instance]) {
        let is_there = |id: &InstanceId| there.iter().any(|i| i.id == *id);
        locked(&self.0).retain(|id, _| id.workload.environment != *environment || is_there(id));
    }

    /// Forgets all instances of a project.
    pub(crate) fn forget_project(&self, project: &ProjectName) {
        locked(&self.0).retain(|id, _| id.workload.environment.project != *project);
    }
}
