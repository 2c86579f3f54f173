//! Lines of all instances of an environment as one stream, and the end of old log files.

use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::log::{LogLine, LogQuery};
use hostkit_core::names::ProcessName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::LogLines;
use hostkit_core::workload::InstanceId;
use hostkit_host::files;
use hostkit_host::log_file::{Form, StoredLine};

use super::folder::InstanceFolder;
use crate::shared::instances::names_in;
use crate::shared::lines::{self, LogFiles};

/// How much is kept of the logs of instances that are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogKeep {
    /// How old a log may become after its last line.
    pub age: Duration,
    /// How many bytes the logs of one environment's gone instances may take together; the oldest go first.
    pub bytes: u64,
}

impl Default for LogKeep {
    fn default() -> Self {
        LogKeep {
            age: Duration::from_secs(7 * 24 * 3600),
            bytes: 100 << 20,
        }
    }
}

/// The log of an instance: one folder for each process.
pub(super) fn file_of(layout: &Layout, id: &InstanceId) -> PathBuf {
    layout
        .logs(&id.workload.environment)
        .join(id.workload.process.as_str())
        .join(format!("{id}.log"))
}

/// The logs of an environment by instance.
fn logs_of(
    layout: &Layout,
    environment: &EnvironmentId,
    process: Option<&ProcessName>,
) -> Result<Vec<InstanceId>, Failure> {
    let root = layout.logs(environment);
    let mut found = Vec::new();
    for name in names_in(&root)? {
        let Ok(name) = ProcessName::parse(&name) else {
            continue;
        };
        if process.is_some_and(|wanted| *wanted != name) || !root.join(name.as_str()).is_dir() {
            continue;
        }
        for file in names_in(&root.join(name.as_str()))? {
            let id = file
                .strip_suffix(".log")
                .and_then(|id| InstanceId::try_from(id.to_owned()).ok());
            found.extend(id.filter(|id| id.workload.environment == *environment));
        }
    }
    Ok(found)
}

/// The logs of an environment, one for each instance.
struct EnvironmentLogs {
    layout: Layout,
    environment: EnvironmentId,
    process: Option<ProcessName>,
}

/// The wanted lines, and those that come, where the query follows.
pub(super) async fn stream(
    layout: Layout,
    environment: EnvironmentId,
    query: LogQuery,
) -> Result<LogLines, Failure> {
    let logs = EnvironmentLogs {
        layout,
        environment,
        process: query.process.clone(),
    };
    lines::stream(logs, query).await
}

impl LogFiles for EnvironmentLogs {
    type Log = InstanceId;

    fn form(&self) -> Form {
        Form::Alone
    }

    fn writer(&self) -> Option<String> {
        None
    }

    fn logs(&self) -> Result<Vec<InstanceId>, Failure> {
        logs_of(&self.layout, &self.environment, self.process.as_ref())
    }

    fn path(&self, log: &InstanceId) -> PathBuf {
        file_of(&self.layout, log)
    }

    fn line(&self, log: &InstanceId, line: StoredLine) -> Option<LogLine> {
        Some(LogLine {
            at: line.at,
            process: Some(log.workload.process.clone()),
            instance: Some(log.to_string()),
            stream: line.stream,
            text: line.text,
        })
    }
}

/// Removes logs of instances that are gone: those too old, and the oldest where they are too many.
pub(super) fn prune(layout: &Layout, environment: &EnvironmentId, keep: LogKeep) -> Result<(), Failure> {
    let mut gone: Vec<(SystemTime, u64, PathBuf)> = Vec::new();
    for id in logs_of(layout, environment, None)? {
        if InstanceFolder::new(layout, &id).path.exists() {
            continue;
        }
        let log = file_of(layout, &id);
        let Some(folder) = log.parent() else { continue };
        let own = format!("{id}.log");
        for name in names_in(folder)? {
            let is_own = name
                .strip_prefix(&own)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
            if let Some(meta) = Some(folder.join(&name))
                .filter(|_| is_own)
                .and_then(|p| p.metadata().ok())
            {
                let changed = meta.modified().unwrap_or(SystemTime::UNIX_EPOCH);
                gone.push((changed, meta.len(), folder.join(&name)));
            }
        }
    }
    gone.sort_by_key(|(changed, ..)| std::cmp::Reverse(*changed));
    let mut bytes = 0;
    for (changed, size, path) in gone {
        bytes += size;
        let aged = changed.elapsed().is_ok_and(|age| age > keep.age);
        if aged || bytes > keep.bytes {
            remove(&path)?;
        }
    }
    Ok(())
}

fn remove(path: &Path) -> Result<(), Failure> {
    files::remove_tree(path)
        .map_err(|e| Failure::new(Kind::Internal, format!("cannot remove `{}`: {e}", path.display())))
}
