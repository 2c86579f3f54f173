//! What there is: units, by what systemd says of them, and folders that units were to come from.

use std::collections::BTreeSet;

use hostkit_core::kind::Failure;
use hostkit_core::names::ReleaseName;
use hostkit_core::workload::{Instance, InstanceId, InstanceState, Scope};
use hostkit_host::launch_role::{LaunchSpec, RunRecord};
use hostkit_host::shim::RestartRule;
use hostkit_host::systemd::{ActiveState, ListedUnit, UnitStatus};

use jiff::Timestamp;

use super::SystemdRuntime;
use super::folder::InstanceFolder;
use super::unit;
use crate::shared::instances::with_folders;
use crate::shared::off_thread;

/// Stands for the release of a unit of which nobody remembers anything else.
const UNKNOWN_RELEASE: &str = "00000000-000000";

/// An instance as it is found: both may be missing after a crash in the middle of something.
pub(super) struct Found {
    pub(super) spec: Option<LaunchSpec>,
    pub(super) record: RunRecord,
    pub(super) is_asked: bool,
    pub(super) status: UnitStatus,
}

impl SystemdRuntime {
    /// All instances that are meant, in order: those with a unit file, those whose unit lives without one, and those
    /// with a folder.
    pub(super) async fn find(&self, scope: &Scope) -> Result<Vec<InstanceId>, Failure> {
        let units = self.systemd.list(&prefix(scope)).await?;
        let mut found: BTreeSet<InstanceId> = units
            .iter()
            .filter(|listed| listed.has_file || lives(listed))
            .filter_map(|listed| unit::instance_of(&listed.name))
            .filter(|id| scope.contains(&id.workload))
            .collect();
        let (layout, scope) = (self.layout.clone(), scope.clone());
        found.extend(off_thread(move || with_folders(&layout, &scope)).await?);
        Ok(found.into_iter().collect())
    }

    /// What is known of an instance.
    pub(super) async fn found(&self, id: &InstanceId) -> Result<Found, Failure> {
        let status = self.systemd.status(&unit::name_of(id)?).await?;
        let folder = self.folder(id);
        off_thread(move || {
            Ok(Found {
                spec: folder.spec(),
                record: RunRecord::read(&folder.state),
                is_asked: folder.asked.exists(),
                status,
            })
        })
        .await
    }

    /// The instance as it is; `None` where there is nothing of it any more.
    pub(super) async fn look(&self, id: &InstanceId) -> Result<Option<Instance>, Failure> {
        let found = self.found(id).await?;
        let is_there = found.spec.is_some() || is_alive(&found.status) || self.folder(id).path.exists();
        Ok(is_there.then(|| instance(id, &found)))
    }
}

/// Whether anything of a unit runs, or will.
pub(crate) fn is_alive(status: &UnitStatus) -> bool {
    !matches!(status.active, ActiveState::Inactive | ActiveState::Failed)
}

fn lives(listed: &ListedUnit) -> bool {
    !matches!(listed.active, ActiveState::Inactive | ActiveState::Failed)
}

/// Whether somebody removed the unit's file or the folder under a unit that goes on.
pub(super) fn is_whole(folder: &InstanceFolder) -> bool {
    folder.spec_file().exists()
}

/// The longest beginning that all units of a scope have.
fn prefix(scope: &Scope) -> String {
    let mut prefix = "hostkit-".to_owned();
    let Some(environment) = &scope.environment else {
        return prefix;
    };
    prefix.push_str(&format!("{}.{}.", environment.project, environment.environment));
    if let Some(process) = &scope.process {
        prefix.push_str(&format!("{process}."));
        if let Some(deployment) = scope.deployment {
            prefix.push_str(&format!("{deployment}."));
        }
    }
    prefix
}

fn instance(id: &InstanceId, found: &Found) -> Instance {
    let Found {
        spec, record, status, ..
    } = found;
    let rule = spec.as_ref().map(|spec| spec.restart).unwrap_or_default();
    let state = state(status, record, &rule, found.is_asked);
    let is_running = state == InstanceState::Running;
    Instance {
        id: id.clone(),
        release: spec
            .as_ref()
            .and_then(|spec| spec.release.clone())
            .or_else(|| ReleaseName::parse(UNKNOWN_RELEASE).ok())
            .unwrap_or_else(|| unreachable!("{UNKNOWN_RELEASE} is the name of a release")),
        state,
        pid: status.main_pid.filter(|_| is_running),
        address: spec.as_ref().and_then(|spec| spec.address),
        started_at: started_at(status, record, &rule),
        restarts: status.restarts,
        last_exit: record.last_exit.clone().or_else(|| of_systemd(status)),
        memory: status.memory.filter(|_| is_alive(status)),
    }
}

/// How a program is that systemd keeps running by `launch`.
pub(crate) fn state(
    status: &UnitStatus,
    record: &RunRecord,
    rule: &RestartRule,
    is_asked: bool,
) -> InstanceState {
    match status.active {
        ActiveState::Active | ActiveState::Reloading => InstanceState::Running,
        ActiveState::Deactivating if is_asked => InstanceState::Stopping,
        ActiveState::Activating | ActiveState::Deactivating => record.state(rule),
        _ => InstanceState::Stopped,
    }
}

/// When the program was started: systemd started `launch`, which waited out the pause before it became the program.
pub(crate) fn started_at(status: &UnitStatus, record: &RunRecord, rule: &RestartRule) -> Option<Timestamp> {
    let paused_until = record.pause_ends(rule);
    status
        .started_at
        .max(paused_until.filter(|_| status.started_at.is_some()))
}

/// How the program ended, where nobody of ours came to note it.
pub(crate) fn of_systemd(status: &UnitStatus) -> Option<hostkit_core::workload::Exit> {
    use hostkit_host::systemd::Ending;
    let exit = status.last_exit.as_ref()?;
    let (code, signal) = match exit.ending {
        Ending::Exited(code) => (Some(code), None),
        Ending::Signalled(signal) => (None, Some(signal)),
        _ => (None, None),
    };
    Some(hostkit_core::workload::Exit {
        code,
        signal,
        out_of_memory: status.is_out_of_memory(),
        // Who did not look at the kernel's counts does not know which limit it was.
        memory_limit: None,
        at: exit.at,
    })
}
