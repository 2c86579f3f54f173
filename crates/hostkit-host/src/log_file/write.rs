//! Writing and rotating a log file. A full disk loses lines, counts them and says so later; it never stops the
//! program that prints them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hostkit_core::log::LogStream;
use jiff::Timestamp;

use super::{parse, rotated, word};

/// How much of a log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// The size at which a file is put away.
    pub bytes: u64,
    /// How many files that were put away are kept.
    pub files: usize,
    /// The age at which a file is put away, and at which one that was put away is removed.
    pub age: Duration,
}

impl Default for LogLimits {
    fn default() -> Self {
        LogLimits {
            bytes: 10 << 20,
            files: 5,
            age: Duration::from_secs(7 * 24 * 3600),
        }
    }
}

const BUFFER: usize = 64 * 1024;

/// Writes one log file. Lines are kept back until [`LogWriter::flush`].
#[derive(Debug)]
pub struct LogWriter {
    path: PathBuf,
    limits: LogLimits,
    open: Option<Open>,
    buffer: Vec<u8>,
    lines: u64,
    lost: u64,
}

#[derive(Debug)]
struct Open {
    file: File,
    size: u64,
    began: Timestamp,
}

impl LogWriter {
    /// Goes on with the log at `path`, or begins it. The file is opened at the first flush.
    pub fn new(path: PathBuf, limits: LogLimits) -> Self {
        LogWriter {
            path,
            limits,
            open: None,
            buffer: Vec::new(),
            lines: 0,
            lost: 0,
        }
    }

    /// Adds a line.
    pub fn line(&mut self, at: Timestamp, stream: LogStream, text: &str) {
        // Writing to memory does not fail.
        let _ = write!(self.buffer, "{at} {} ", word(stream));
        let start = self.buffer.len();
        self.buffer.extend_from_slice(text.as_bytes());
        for byte in &mut self.buffer[start..] {
            if *byte == b'\n' {
                *byte = b' ';
            }
        }
        self.buffer.push(b'\n');
        self.lines += 1;
        if self.buffer.len() >= BUFFER {
            self.flush();
        }
    }

    /// Brings all lines to the file, or loses them.
    pub fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let now = Timestamp::now();
        if self.lost > 0 {
            let word = format!(
                "{now} hostkit {} lines were lost: the log could not be written\n",
                self.lost
            );
            self.buffer.splice(0..0, word.into_bytes());
        }
        match self.write(now) {
            Ok(()) => self.lost = 0,
            Err(_) => {
                self.lost += self.lines;
                // Opened anew next time: the folder may be another one by then.
                self.open = None;
            }
        }
        self.buffer.clear();
        if self.buffer.capacity() > 4 * BUFFER {
            self.buffer.shrink_to(BUFFER);
        }
        self.lines = 0;
    }

    fn write(&mut self, now: Timestamp) -> io::Result<()> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => open_log(&self.path, now)?,
        };
        let aged = now.duration_since(open.began).unsigned_abs() > self.limits.age;
        if open.size > 0 && (open.size + self.buffer.len() as u64 > self.limits.bytes || aged) {
            self.rotate()?;
            open = open_log(&self.path, now)?;
        }
        if let Err(e) = open.file.write_all(&self.buffer) {
            // Half a line would be glued to the next one.
            let _ = open.file.set_len(open.size);
            return Err(e);
        }
        open.size += self.buffer.len() as u64;
        self.open = Some(open);
        Ok(())
    }

    fn rotate(&self) -> io::Result<()> {
        for age in (0..=self.limits.files).rev() {
            let path = rotated(&self.path, age);
            let Ok(meta) = fs::metadata(&path) else { continue };
            let too_old = age > 0
                && meta
                    .modified()
                    .ok()
                    .and_then(|m| m.elapsed().ok())
                    .is_some_and(|e| e > self.limits.age);
            if age == self.limits.files || too_old {
                fs::remove_file(&path)?;
            } else {
                fs::rename(&path, rotated(&self.path, age + 1))?;
            }
        }
        Ok(())
    }
}

fn open_log(path: &Path, now: Timestamp) -> io::Result<Open> {
    if let Some(folder) = path.parent() {
        crate::files::create_folder(folder, 0o700)?;
    }
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .read(true)
        .mode(0o600)
        .open(path)?;
    let mut size = file.metadata()?.len();
    let mut first = String::new();
    let _ = BufReader::new(&file).read_line(&mut first);
    let began = parse(first.trim_end()).map_or(now, |line| line.at);
    if size > 0 && !ends_with_line(&file, size) {
        file.write_all(b"\n")?;
        size += 1;
    }
    Ok(Open { file, size, began })
}

fn ends_with_line(file: &File, size: u64) -> bool {
    use std::os::unix::fs::FileExt;
    let mut last = [0];
    file.read_exact_at(&mut last, size - 1).is_ok() && last[0] == b'\n'
}
