//! What can be said about an instance that does not get ready.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::workload::Diagnosis;
use hostkit_host::log_file::{Want, read_back};
use hostkit_host::processes;

use super::folder::InstanceFolder;
use crate::shared::port_lease::is_free;
use crate::shared::shimmed::Shim;

/// Enough to hold a stack trace with what stands in front of it: causes are found in these lines.
const LINES: usize = 80;

/// `None` where there is no such instance.
pub(super) fn diagnose(folder: &InstanceFolder) -> Result<Option<Diagnosis>, Failure> {
    let Some(spec) = folder.spec() else {
        return Ok(None);
    };
    let (lines, _) = read_back(
        &spec.log,
        &Want {
            last: Some(LINES),
            ..Want::default()
        },
    )
    .map_err(|e| {
        Failure::new(
            Kind::Internal,
            format!("cannot read the log of `{}`: {e}", folder.id),
        )
    })?;
    let mut last_lines: Vec<String> = lines.into_iter().map(|line| line.text).collect();
    let (state, tree) = match folder.shimmed().shim() {
        Shim::Alive(state) => {
            let tree = processes::descendants(state.shim.pid);
            (Some(state), tree)
        }
        Shim::Silent => (None, Vec::new()),
        Shim::Gone(state) => (state, Vec::new()),
    };
    let listening = processes::listening(&tree);
    if let Some(port) = spec.address.map(|a| a.port())
        && !listening.iter().any(|a| a.port() == port)
        && !is_free(port)
    {
        last_lines.push(format!(
            "hostkit: port {port} is in use by another program of this machine"
        ));
    }
    Ok(Some(Diagnosis {
        last_lines,
        listening,
        last_exit: state.as_ref().and_then(|s| s.last_exit.clone()),
        restarts: state.as_ref().map_or(0, |s| s.restarts),
    }))
}
