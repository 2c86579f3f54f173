//! Writing and rotating a log file. A full disk loses lines, counts them and says so later; it never stops the
//! program that prints them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostkit_core::log::LogStream;
use jiff::Timestamp;
use nix::libc;

use super::{Form, parse, rotated, word};

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
/// How long a writer waits for its turn at a file that others write to. Turns are short; one that is not is not ours.
const TURN: Duration = Duration::from_secs(1);
/// How often a file may be put away by somebody else before it is written to all the same.
const ROUNDS: usize = 20;

/// Writes one log file. Lines are kept back until [`LogWriter::flush`].
///
/// Where several write to one file each flush takes its turn: nobody puts a file away while another writes to it, and
/// nobody writes to one that was put away. So a reader that follows misses no line.
#[derive(Debug)]
pub struct LogWriter {
    path: PathBuf,
    limits: LogLimits,
    /// Who this is, where others write to the file as well.
    writer: Option<String>,
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
    /// Whether half a line at its end, after a loss of power, was looked for.
    looked: bool,
}

impl LogWriter {
    /// Goes on with the log at `path`, or begins it. The file is opened at the first flush.
    pub fn new(path: PathBuf, limits: LogLimits) -> Self {
        LogWriter {
            path,
            limits,
            writer: None,
            open: None,
            buffer: Vec::new(),
            lines: 0,
            lost: 0,
        }
    }

    /// The same for a log that others write to as well; `writer`, a word, says whose lines these are.
    pub fn shared(path: PathBuf, limits: LogLimits, writer: &str) -> Self {
        LogWriter {
            writer: Some(writer.to_owned()),
            ..LogWriter::new(path, limits)
        }
    }

    /// What stands in front of a text.
    fn head(&self, at: Timestamp, stream: LogStream) -> String {
        match &self.writer {
            Some(writer) => format!("{at} {} {writer} ", word(stream)),
            None => format!("{at} {} ", word(stream)),
        }
    }

    /// Adds a line.
    pub fn line(&mut self, at: Timestamp, stream: LogStream, text: &str) {
        let head = self.head(at, stream);
        self.buffer.extend_from_slice(head.as_bytes());
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

    /// Makes the file now: who waits for its first line finds it.
    pub fn begin(&mut self) {
        if self.open.is_none() {
            self.open = open_log(&self.path, Timestamp::now(), self.form()).ok();
        }
    }

    /// Brings all lines to the file, or loses them.
    pub fn flush(&mut self) {
        if self.buffer.is_empty() {
            return;
        }
        let now = Timestamp::now();
        if self.lost > 0 {
            let head = self.head(now, LogStream::Hostkit);
            let word = format!(
                "{head}{} lines were lost: the log could not be written\n",
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
            None => open_log(&self.path, now, self.form())?,
        };
        let turn = match self.writer {
            Some(_) => self.take_turn(&mut open, now)?,
            None => Turn::Alone,
        };
        let aged = now.duration_since(open.began).unsigned_abs() > self.limits.age;
        let full = open.size > 0 && (open.size + self.buffer.len() as u64 > self.limits.bytes || aged);
        if full && turn != Turn::Missed {
            self.rotate()?;
            // Dropped, the old file is let go of: whoever waited for it sees that it was put away.
            open = open_log(&self.path, now, self.form())?;
            if self.writer.is_some() {
                self.take_turn(&mut open, now)?;
            }
        }
        if !open.looked && turn != Turn::Missed {
            open.end_line()?;
        }
        if let Err(e) = open.file.write_all(&self.buffer) {
            // Half a line would be glued to the next one.
            if turn != Turn::Missed {
                let _ = open.file.set_len(open.size);
            }
            return Err(e);
        }
        open.size += self.buffer.len() as u64;
        if turn == Turn::Taken {
            flock(&open.file, libc::LOCK_UN)?;
        }
        self.open = Some(open);
        Ok(())
    }

    fn form(&self) -> Form {
        match self.writer {
            Some(_) => Form::Shared,
            None => Form::Alone,
        }
    }

    /// Waits until nobody else writes to the file, and that the file is still the log: it may have been put away.
    fn take_turn(&self, open: &mut Open, now: Timestamp) -> io::Result<Turn> {
        let deadline = Instant::now() + TURN;
        for _ in 0..ROUNDS {
            while let Err(e) = flock(&open.file, libc::LOCK_EX | libc::LOCK_NB) {
                if e.kind() != io::ErrorKind::WouldBlock || Instant::now() > deadline {
                    return Ok(Turn::Missed);
                }
                std::thread::sleep(Duration::from_millis(1));
            }
            let held = open.file.metadata()?;
            let there = fs::symlink_metadata(&self.path).ok();
            if there.is_some_and(|there| (there.dev(), there.ino()) == (held.dev(), held.ino())) {
                open.size = held.len();
                return Ok(Turn::Taken);
            }
            *open = open_log(&self.path, now, self.form())?;
        }
        Ok(Turn::Missed)
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

/// Whether the file is this writer's for the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Turn {
    /// Nobody else writes to it.
    Alone,
    /// The others wait.
    Taken,
    /// Somebody does not let go of it.
    Missed,
}

#[allow(unsafe_code)]
fn flock(file: &File, operation: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is open, and nothing else is handed over.
    match unsafe { libc::flock(file.as_raw_fd(), operation) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

fn open_log(path: &Path, now: Timestamp, form: Form) -> io::Result<Open> {
    if let Some(folder) = path.parent() {
        crate::files::create_folder(folder, 0o700)?;
    }
    let mode = if form == Form::Shared { 0o640 } else { 0o600 };
    let mut options = OpenOptions::new();
    options
        .append(true)
        .read(true)
        .mode(mode)
        .custom_flags(libc::O_NOFOLLOW);
    let file = match options.clone().create_new(true).open(path) {
        Ok(file) => {
            // Whoever may look at shared logs is given that right here, whatever the program's own files get.
            file.set_permissions(fs::Permissions::from_mode(mode))?;
            file
        }
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => options.create(true).open(path)?,
        Err(e) => return Err(e),
    };
    let size = file.metadata()?.len();
    let mut first = String::new();
    let _ = BufReader::new(Read::take(&file, BUFFER as u64)).read_line(&mut first);
    let began = parse(first.trim_end(), form).map_or(now, |line| line.at);
    Ok(Open {
        file,
        size,
        began,
        looked: false,
    })
}

impl Open {
    fn end_line(&mut self) -> io::Result<()> {
        if self.size > 0 && !ends_with_line(&self.file, self.size) {
            self.file.write_all(b"\n")?;
            self.size += 1;
        }
        self.looked = true;
        Ok(())
    }
}

fn ends_with_line(file: &File, size: u64) -> bool {
    use std::os::unix::fs::FileExt;
    let mut last = [0];
    file.read_exact_at(&mut last, size - 1).is_ok() && last[0] == b'\n'
}
