//! The two logs of an environment, to which all of its instances write.
//!
//! `/var/log/projects/NAME/app.log` and `error.log` are production's; another environment's have its name in front
//! (`staging.app.log`). All lie in the project's one folder: root made that one, and makes or opens nothing below a
//! folder in which the project could have put a link.

use std::os::unix::fs::{DirBuilderExt, PermissionsExt, chown};
use std::path::PathBuf;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::log::{LogLine, LogQuery};
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::LogLines;
use hostkit_core::workload::InstanceId;
use hostkit_host::log_file::{Form, StoredLine};
use nix::unistd::{Group, User};

use super::folder::open_to_all;
use super::unit;
use crate::shared::lines::{self, LogFiles};

/// Who may read all logs of a Debian machine.
const READERS: &str = "adm";

/// One of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Log {
    /// What is printed to standard output.
    Output,
    /// What is printed to standard error, and HostKit's own word.
    Errors,
}

/// Where a log lies.
pub(super) fn path(layout: &Layout, id: &EnvironmentId, log: Log) -> PathBuf {
    let name = match log {
        Log::Output => "app.log",
        Log::Errors => "error.log",
    };
    let folder = unit::log_folder(layout, id);
    if id.environment.is_production() {
        folder.join(name)
    } else {
        folder.join(format!("{}.{name}", id.environment))
    }
}

/// Makes the project's folder, where it is missing: its own, to be read by whoever reads logs. Files in it get the
/// folder's group.
pub(super) fn ensure_folder(layout: &Layout, id: &EnvironmentId) -> Result<(), Failure> {
    let folder = unit::log_folder(layout, id);
    if folder.is_dir() {
        return Ok(());
    }
    let cannot = |e: std::io::Error| {
        Failure::new(
            Kind::Internal,
            format!("cannot make the folder `{}`: {e}", folder.display()),
        )
    };
    let account = User::from_name(id.project.as_str())
        .map_err(|e| cannot(e.into()))?
        .ok_or_else(|| {
            Failure::new(
                Kind::NotFound,
                format!(
                    "cannot start anything of `{}`: it has no account on this machine",
                    id.project
                ),
            )
            .hint(format!("hostkit provision {}", id.project))
        })?;
    let readers = Group::from_name(READERS)
        .ok()
        .flatten()
        .map_or(account.gid, |group| group.gid);
    // Made under another name: what is there is complete.
    let draft = folder.with_extension("new");
    hostkit_host::files::remove_tree(&draft).map_err(cannot)?;
    if let Some(parent) = folder.parent() {
        open_to_all(parent).map_err(cannot)?;
    }
    std::fs::DirBuilder::new()
        .mode(0o700)
        .create(&draft)
        .map_err(cannot)?;
    chown(&draft, Some(account.uid.as_raw()), Some(readers.as_raw())).map_err(cannot)?;
    std::fs::set_permissions(&draft, std::fs::Permissions::from_mode(0o2750)).map_err(cannot)?;
    match std::fs::rename(&draft, &folder) {
        // Another workload of the project was quicker.
        Err(_) if folder.is_dir() => hostkit_host::files::remove_tree(&draft).map_err(cannot),
        renamed => renamed.map_err(cannot),
    }
}

/// The logs of an environment.
struct EnvironmentLogs {
    layout: Layout,
    environment: EnvironmentId,
    process: Option<String>,
}

/// The wanted lines, and those that come, where the query follows.
pub(super) async fn stream(
    layout: &Layout,
    environment: &EnvironmentId,
    query: LogQuery,
) -> Result<LogLines, Failure> {
    let logs = EnvironmentLogs {
        layout: layout.clone(),
        environment: environment.clone(),
        process: query.process.as_ref().map(ToString::to_string),
    };
    lines::stream(logs, query).await
}

impl LogFiles for EnvironmentLogs {
    type Log = Log;

    fn form(&self) -> Form {
        Form::Shared
    }

    fn writer(&self) -> Option<String> {
        self.process.clone()
    }

    fn logs(&self) -> Result<Vec<Log>, Failure> {
        Ok(vec![Log::Output, Log::Errors])
    }

    fn path(&self, log: &Log) -> PathBuf {
        path(&self.layout, &self.environment, *log)
    }

    fn line(&self, _: &Log, line: StoredLine) -> Option<LogLine> {
        let EnvironmentId { project, environment } = &self.environment;
        // The project may write to these files itself: what names no instance is no line.
        let id = InstanceId::try_from(format!("{project}.{environment}.{}", line.writer)).ok()?;
        Some(LogLine {
            at: line.at,
            process: Some(id.workload.process.clone()),
            instance: Some(id.to_string()),
            stream: line.stream,
            text: line.text,
        })
    }
}
