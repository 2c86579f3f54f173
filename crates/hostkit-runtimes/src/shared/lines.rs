//! Lines of several log files as one stream: old ones by their time, then new ones as they come.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::log::{LogLine, LogQuery};
use hostkit_core::traits::LogLines;
use hostkit_host::log_file::{Cursor, Form, StoredLine, Want, read_back};
use jiff::Timestamp;
use tokio::sync::mpsc;

use super::off_thread;

const POLL: Duration = Duration::from_millis(100);
/// How many lines are shown where nobody says.
const LAST: usize = 100;

/// The files in which the wanted lines are.
pub(crate) trait LogFiles: Send + 'static {
    /// Names one of them.
    type Log: Ord + Clone + Send;

    /// How they are written.
    fn form(&self) -> Form;

    /// Whose lines are wanted, in files of several writers.
    fn writer(&self) -> Option<String>;

    /// The files there are now.
    fn logs(&self) -> Result<Vec<Self::Log>, Failure>;

    /// Where one of them lies.
    fn path(&self, log: &Self::Log) -> PathBuf;

    /// A line of a file; nothing where it is none of ours.
    fn line(&self, log: &Self::Log, line: StoredLine) -> Option<LogLine>;
}

/// Reads log files, and on from there.
struct Reader<F: LogFiles> {
    files: F,
    query: LogQuery,
    cursors: BTreeMap<F::Log, Cursor>,
}

/// The wanted lines, and those that come, where the query follows.
pub(crate) async fn stream<F: LogFiles>(files: F, query: LogQuery) -> Result<LogLines, Failure> {
    let follow = query.follow;
    let mut reader = Reader {
        files,
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

impl<F: LogFiles> Reader<F> {
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
        for log in self.files.logs()? {
            let path = self.files.path(&log);
            let (found, cursor) = read_back(&path, &want).map_err(|e| unreadable(&path, &e))?;
            lines.extend(found.into_iter().filter_map(|line| self.files.line(&log, line)));
            self.cursors.insert(log, cursor);
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
            form: self.files.form(),
            writer: self.files.writer(),
            ..Want::default()
        }
    }

    fn read_on(&mut self) -> Result<Vec<LogLine>, Failure> {
        let form = self.files.form();
        for log in self.files.logs()? {
            let path = self.files.path(&log);
            self.cursors
                .entry(log)
                .or_insert_with(|| Cursor::at_start(&path, form));
        }
        let (mut lines, want) = (Vec::new(), self.want());
        let files = &self.files;
        for (log, cursor) in &mut self.cursors {
            cursor
                .read_on(|line| lines.extend(want.take(line).and_then(|line| files.line(log, line))))
                .map_err(|e| unreadable(&files.path(log), &e))?;
        }
        lines.sort_by_key(|line| line.at);
        Ok(lines)
    }
}

fn unreadable(path: &std::path::Path, why: &std::io::Error) -> Failure {
    Failure::new(
        Kind::Internal,
        format!("cannot read the log `{}`: {why}", path.display()),
    )
}
