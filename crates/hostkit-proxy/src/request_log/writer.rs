//! The thread that writes log files: the current one, and older ones numbered from 1.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::JoinHandle;

use super::{LogSink, Piece, Sample};
use crate::config::LogLimits;

/// How many pieces may wait: a few megabytes.
const WAITING: usize = 64;

/// Starts the writer of the log in `folder`. It ends, everything written, when the last sink is dropped.
pub(crate) fn start(folder: &Path, limits: LogLimits) -> io::Result<(LogSink, JoinHandle<()>)> {
    let (pieces, incoming) = sync_channel(WAITING);
    let dropped = Arc::new(AtomicU64::new(0));
    let lost = Arc::new(AtomicU64::new(0));
    let sink = LogSink {
        pieces,
        sample: Sample {
            one_of: limits.one_of,
            slow: limits.slow,
        },
        dropped: Arc::clone(&dropped),
        lost: Arc::clone(&lost),
    };
    let mut files = Files::open(folder.join("requests.log"), limits)?;
    let thread = std::thread::Builder::new()
        .name("request-log".into())
        .spawn(move || write_all(&incoming, &mut files, &Missing { dropped, lost }))?;
    Ok((sink, thread))
}

/// Lines that did not get into a file.
struct Missing {
    dropped: Arc<AtomicU64>,
    lost: Arc<AtomicU64>,
}

fn write_all(incoming: &Receiver<Piece>, files: &mut Files, missing: &Missing) {
    while let Ok(mut piece) = incoming.recv() {
        let lost = missing.dropped.swap(0, Ordering::Relaxed);
        let note = (lost > 0).then(|| format!("{{\"dropped_lines\":{lost}}}\n"));
        let written = files.write(&piece.bytes).and_then(|()| match &note {
            Some(note) => files.write(note.as_bytes()),
            None => Ok(()),
        });
        if let Err(error) = written {
            let lines = piece.bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
            missing.dropped.fetch_add(lines + lost, Ordering::Relaxed);
            missing.lost.fetch_add(lines, Ordering::Relaxed);
            tracing::warn!(path = %files.path.display(), "cannot write the request log: {error}");
        }
        piece.bytes.clear();
        // Its thread has enough, or is gone.
        drop(piece.home.try_send(piece.bytes));
    }
}

struct Files {
    path: PathBuf,
    limits: LogLimits,
    current: File,
    size: u64,
}

impl Files {
    fn open(path: PathBuf, limits: LogLimits) -> io::Result<Files> {
        let current = OpenOptions::new()
            .create(true)
            .append(true)
            .mode(0o600)
            .open(&path)?;
        let size = current.metadata()?.len();
        Ok(Files {
            path,
            limits,
            current,
            size,
        })
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.size > 0 && self.size + bytes.len() as u64 > self.limits.file_bytes {
            self.rotate()?;
        }
        self.current.write_all(bytes)?;
        self.size += bytes.len() as u64;
        Ok(())
    }

    /// `requests.log` becomes `requests.log.1`, that one `.2`; the oldest is overwritten.
    fn rotate(&mut self) -> io::Result<()> {
        let numbered = |number: usize| self.path.with_extension(format!("log.{number}"));
        let older = self.limits.files.saturating_sub(1);
        for number in (1..older).rev() {
            match fs::rename(numbered(number), numbered(number + 1)) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
        }
        if older > 0 {
            fs::rename(&self.path, numbered(1))?;
        } else {
            fs::remove_file(&self.path)?;
        }
        *self = Files::open(self.path.clone(), self.limits.clone())?;
        Ok(())
    }
}
