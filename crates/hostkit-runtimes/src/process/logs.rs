//! Lines of all instances of an environment as one stream, and the end of old log files.

use std::collections::BTreeMap;
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
use hostkit_host::log_file::{Cursor, Form, StoredLine, Want, read_back};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::folder::{InstanceFolder, names_in};
use super::off_thread;

const POLL: Duration = Duration::from_millis(100);
/// How many lines are shown where nobody says.
const LAST: usize = 100;

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

/// Reads all logs of an environment, and on from there.
struct Reader {
    layout: Layout,
    environment: EnvironmentId,
    query: LogQuery,
    cursors: BTreeMap<InstanceId, Cursor>,
}

/// The wanted lines, and those that come, where the query follows.
pub(super) async fn stream(
    layout: Layout,
    environment: EnvironmentId,
    query: LogQuery,
) -> Result<LogLines, Failure> {
    let follow = query.follow;
    let mut reader = Reader {
        layout,
        environment,
        query,
        cursors: BTreeMap::new(),
    };
    let (mut reader, lines) = off_thread(move || {
        let lines = reader.read_back()?;
        Ok((reader, lines))
    })
    .await?;
    if !follow {
        return Ok(Box::pin(futures_util::stream::iter(lines)));
    }
    let (sender, mut receiver) = mpsc::channel(256);
    tokio::spawn(async move {
        let mut lines = lines;
        loop {
            for line in lines {
                if sender.send(line).await.is_err() {
                    return;
                }
            }
            tokio::select! {
                () = sender.closed() => return,
                () = tokio::time::sleep(POLL) => {}
            }
            let read = off_thread(move || {
                let lines = reader.read_on()?;
                Ok((reader, lines))
            });
            match read.await {
                Ok(more) => (reader, lines) = more,
                Err(failure) => {
                    tracing::warn!(%failure, "stopped following a log");
                    return;
                }
            }
        }
    });
    Ok(Box::pin(futures_util::stream::poll_fn(move |context| {
        receiver.poll_recv(context)
    })))
}

impl Reader {
    fn read_back(&mut self) -> Result<Vec<LogLine>, Failure> {
        let last = match (self.query.last, &self.query.since) {
            (None, None) => Some(LAST),
            (last, _) => last,
        };
        let want = Want {
            since: self
                .query
                .since
                .as_ref()
                .and_then(|span| Timestamp::now().checked_sub(span.0).ok()),
            last,
            ..self.want()
        };
        let mut lines = Vec::new();
        for id in logs_of(&self.layout, &self.environment, self.query.process.as_ref())? {
            let (found, cursor) =
                read_back(&file_of(&self.layout, &id), &want).map_err(|e| unreadable(&id, &e))?;
            lines.extend(found.into_iter().map(|line| of_instance(&id, line)));
            self.cursors.insert(id, cursor);
        }
        lines.sort_by_key(|line| line.at);
        if let Some(last) = last {
            lines.drain(..lines.len().saturating_sub(last));
        }
        Ok(lines)
    }

    /// What is wanted of a line whatever its age.
    fn want(&self) -> Want {
        Want {
            shown: self.query.shown.clone(),
            contains: self.query.grep.clone(),
            ..Want::default()
        }
    }

    fn read_on(&mut self) -> Result<Vec<LogLine>, Failure> {
        for id in logs_of(&self.layout, &self.environment, self.query.process.as_ref())? {
            let path = file_of(&self.layout, &id);
            self.cursors
                .entry(id)
                .or_insert_with(|| Cursor::at_start(&path, Form::Alone));
        }
        let (mut lines, want) = (Vec::new(), self.want());
        for (id, cursor) in &mut self.cursors {
            cursor
                .read_on(|line| lines.extend(want.take(line).map(|line| of_instance(id, line))))
                .map_err(|e| unreadable(id, &e))?;
        }
        lines.sort_by_key(|line| line.at);
        Ok(lines)
    }
}

fn of_instance(id: &InstanceId, line: StoredLine) -> LogLine {
    LogLine {
        at: line.at,
        process: Some(id.workload.process.clone()),
        instance: Some(id.to_string()),
        stream: line.stream,
        text: line.text,
    }
}

fn unreadable(id: &InstanceId, why: &std::io::Error) -> Failure {
    Failure::new(Kind::Internal, format!("cannot read the log of `{id}`: {why}"))
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
