//! What can be said about an instance that does not get ready.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::workload::{Diagnosis, InstanceId};
use hostkit_host::launch_role::{processes_of, writer_of};
use hostkit_host::log_file::{Form, Want, read_back};
use hostkit_host::processes;

use super::SystemdRuntime;
use super::logs::{self, Log};
use crate::shared::instances::no_instance;
use crate::shared::off_thread;
use crate::shared::port_lease::is_free;

/// Enough to hold a stack trace with what stands in front of it: causes are found in these lines.
const LINES: usize = 80;

impl SystemdRuntime {
    pub(super) async fn diagnosis(&self, id: &InstanceId) -> Result<Diagnosis, Failure> {
        let instance = self.look(id).await?.ok_or_else(|| no_instance("diagnose", id))?;
        let group = self.found(id).await?.status.control_group;
        let (layout, id) = (self.layout.clone(), id.clone());
        off_thread(move || {
            let want = Want {
                last: Some(LINES),
                form: Form::Shared,
                writer: Some(writer_of(&id)),
                ..Want::default()
            };
            let mut lines = Vec::new();
            for log in [Log::Output, Log::Errors] {
                let path = logs::path(&layout, &id.workload.environment, log);
                let (found, _) = read_back(&path, &want).map_err(|e| {
                    Failure::new(Kind::Internal, format!("cannot read the log of `{id}`: {e}"))
                })?;
                lines.extend(found);
            }
            lines.sort_by_key(|line| line.at);
            lines.drain(..lines.len().saturating_sub(LINES));
            let mut last_lines: Vec<String> = lines.into_iter().map(|line| line.text).collect();
            let pids = group.map(|group| processes_of(&group)).unwrap_or_default();
            let listening = processes::listening(&pids);
            if let Some(port) = instance.address.map(|a| a.port())
                && !listening.iter().any(|a| a.port() == port)
                && !is_free(port)
            {
                last_lines.push(format!(
                    "hostkit: port {port} is in use by another program of this machine"
                ));
            }
            Ok(Diagnosis {
                last_lines,
                listening,
                last_exit: instance.last_exit,
                restarts: instance.restarts,
            })
        })
        .await
    }
}
