//! Reading a log: backwards from its end, and on from there as it grows, across rotations.

use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hostkit_core::log::Shown;
use jiff::Timestamp;
use nix::libc;

use super::{Form, StoredLine, parse, rotated};

/// No log has more files than this.
const MOST_FILES: usize = 32;
/// More than this is not read back, which no log of ours reaches: the folder may be the program's own, and a file
/// that claims to be endless must not take all memory of whoever looks at it.
const MOST_BYTES: u64 = 128 << 20;

/// How often a log that is rotated at the very moment is read anew.
const TRIES: usize = 20;

/// Which lines are wanted.
#[derive(Debug, Clone, Default)]
pub struct Want {
    /// Not older than this.
    pub since: Option<Timestamp>,
    /// How their text is shown.
    pub shown: Shown,
    /// With this text in them, as it is shown.
    pub contains: Option<String>,
    /// The last so many of them.
    pub last: Option<usize>,
    /// How the file is written.
    pub form: Form,
    /// Only of this writer, or of those whose name goes on with a dot after it.
    pub writer: Option<String>,
}

impl Want {
    /// The line as it is shown, if it is wanted.
    pub fn take(&self, line: StoredLine) -> Option<StoredLine> {
        if self.since.is_some_and(|since| line.at < since) {
            return None;
        }
        let is_of = |wanted: &String| match line.writer.strip_prefix(wanted.as_str()) {
            Some(rest) => rest.is_empty() || rest.starts_with('.'),
            None => false,
        };
        if !self.writer.as_ref().is_none_or(is_of) {
            return None;
        }
        let text = self.shown.text(line.text);
        let wanted = self
            .contains
            .as_ref()
            .is_none_or(|part| text.contains(part.as_str()));
        wanted.then_some(StoredLine { text, ..line })
    }
}

/// Where a reader stands in a log that grows.
#[derive(Debug)]
pub struct Cursor {
    path: PathBuf,
    form: Form,
    open: Option<Place>,
}

#[derive(Debug)]
struct Place {
    file: File,
    inode: u64,
    offset: u64,
}

/// Reads the wanted lines of a log, oldest first, and says where to go on. A log that does not exist has no lines.
pub fn read_back(path: &Path, want: &Want) -> io::Result<(Vec<StoredLine>, Cursor)> {
    let mut tries = 0;
    loop {
        let mut cursor = Cursor::at_start(path, want.form);
        cursor.open = Place::open(path, Start::End)?;
        let lines = read_files(path, cursor.open.as_ref(), want)?;
        tries += 1;
        // Rotated in between: files were read twice or not at all.
        if inode_of(path) == cursor.open.as_ref().map(|place| place.inode) || tries == TRIES {
            return Ok((lines, cursor));
        }
    }
}

fn read_files(path: &Path, newest: Option<&Place>, want: &Want) -> io::Result<Vec<StoredLine>> {
    let mut lines = Vec::new();
    let mut budget = MOST_BYTES;
    let mut read: Vec<u64> = Vec::new();
    for age in 0..MOST_FILES {
        let older;
        let place = match (age, newest) {
            (0, Some(place)) => place,
            (0, None) => continue,
            // Files that are moved at this moment are met twice, or leave a gap.
            _ => match Place::open(&rotated(path, age), Start::End)? {
                Some(place) => {
                    older = place;
                    &older
                }
                None => continue,
            },
        };
        if read.contains(&place.inode) {
            continue;
        }
        read.push(place.inode);
        let left = want.last.map(|last| last.saturating_sub(lines.len()));
        let (found, complete) = read_file_back(place, want, left, budget)?;
        lines.splice(0..0, found);
        budget = budget.saturating_sub(place.offset);
        if complete || budget == 0 {
            break;
        }
    }
    if let Some(last) = want.last {
        lines.drain(..lines.len().saturating_sub(last));
    }
    Ok(lines)
}

/// The wanted lines of one file up to a place, and whether older files need not be read any more.
fn read_file_back(
    place: &Place,
    want: &Want,
    left: Option<usize>,
    budget: u64,
) -> io::Result<(Vec<StoredLine>, bool)> {
    let first = place.offset.saturating_sub(budget);
    let mut window = if left.is_some() || want.since.is_some() {
        64 * 1024
    } else {
        place.offset
    };
    loop {
        let start = place.offset.saturating_sub(window).max(first);
        let mut bytes = vec![0; (place.offset - start) as usize];
        place.file.read_exact_at(&mut bytes, start)?;
        let whole = if start == 0 {
            &bytes[..]
        } else {
            bytes
                .iter()
                .position(|b| *b == b'\n')
                .map_or(&[][..], |at| &bytes[at + 1..])
        };
        let mut reached_since = false;
        let mut lines = Vec::new();
        each_line(whole, want.form, |line| {
            reached_since |= want.since.is_some_and(|since| line.at < since);
            lines.extend(want.take(line));
        });
        let enough = left.is_some_and(|left| lines.len() >= left);
        if enough || reached_since || start == first {
            return Ok((lines, enough || reached_since));
        }
        window = window.saturating_mul(8);
    }
}

fn each_line(bytes: &[u8], form: Form, mut line: impl FnMut(StoredLine)) {
    let text = String::from_utf8_lossy(bytes);
    // Not `lines()`: a carriage return at the end is the program's own.
    text.split_terminator('\n')
        .filter_map(|text| parse(text, form))
        .for_each(&mut line);
}

fn inode_of(path: &Path) -> Option<u64> {
    let meta = fs::symlink_metadata(path).ok()?;
    is_own(path, &meta).then(|| meta.ino())
}

/// Opens a log, but nothing else that may lie in its place: the folder may be the program's own, who reads may be
/// root. No link is followed, and nothing is waited for (a pipe).
fn open_own(path: &Path) -> io::Result<Option<File>> {
    let opened = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(path);
    let file = match opened {
        Err(e) if e.kind() == io::ErrorKind::NotFound || e.raw_os_error() == Some(libc::ELOOP) => {
            return Ok(None);
        }
        file => file?,
    };
    Ok(is_own(path, &file.metadata()?).then_some(file))
}

/// A log is a file that belongs to whom its folder belongs to; a hard link to somebody else's does not.
fn is_own(path: &Path, meta: &Metadata) -> bool {
    let folder = path.parent().and_then(|folder| fs::symlink_metadata(folder).ok());
    meta.is_file() && folder.is_some_and(|folder| folder.is_dir() && folder.uid() == meta.uid())
}

enum Start {
    Beginning,
    End,
}

impl Place {
    fn open(path: &Path, start: Start) -> io::Result<Option<Place>> {
        let Some(file) = open_own(path)? else {
            return Ok(None);
        };
        let meta = file.metadata()?;
        let offset = match start {
            Start::Beginning => 0,
            Start::End => end_of_last_line(&file, meta.len())?,
        };
        Ok(Some(Place {
            inode: meta.ino(),
            file,
            offset,
        }))
    }

    /// Hands over the lines that came since; half a line is left for later.
    fn read_on(&mut self, form: Form, line: &mut impl FnMut(StoredLine)) -> io::Result<()> {
        loop {
            let end = self.file.metadata()?.len();
            let count = end.saturating_sub(self.offset).min(1 << 20) as usize;
            let mut bytes = vec![0; count];
            self.file.read_exact_at(&mut bytes, self.offset)?;
            let Some(last) = bytes.iter().rposition(|b| *b == b'\n') else {
                return Ok(());
            };
            each_line(&bytes[..=last], form, &mut *line);
            self.offset += last as u64 + 1;
        }
    }
}

fn end_of_last_line(file: &File, mut end: u64) -> io::Result<u64> {
    let first = end.saturating_sub(MOST_BYTES);
    while end > first {
        let start = end.saturating_sub(64 * 1024);
        let mut bytes = vec![0; (end - start) as usize];
        file.read_exact_at(&mut bytes, start)?;
        match bytes.iter().rposition(|b| *b == b'\n') {
            Some(at) => return Ok(start + at as u64 + 1),
            None => end = start,
        }
    }
    Ok(0)
}

impl Cursor {
    /// Before the first line of a log.
    pub fn at_start(path: &Path, form: Form) -> Self {
        Cursor {
            path: path.to_path_buf(),
            form,
            open: None,
        }
    }

    /// Hands over every line that was written since the last call, also where the log was rotated in between.
    pub fn read_on(&mut self, mut line: impl FnMut(StoredLine)) -> io::Result<()> {
        if let Some(place) = &mut self.open {
            place.read_on(self.form, &mut line)?;
            if inode_of(&self.path) == Some(place.inode) {
                return Ok(());
            }
            // Put away: what came before that moment is still in it.
            place.read_on(self.form, &mut line)?;
        }
        for mut place in self.newer_files()? {
            place.read_on(self.form, &mut line)?;
            self.open = Some(place);
        }
        Ok(())
    }

    /// The files that follow the open one, oldest first; all of them where none is open or it is gone.
    ///
    /// Opened at once: a name may be another file's a moment later. Files only ever move to a greater age, and this
    /// looks at greater and greater ages, so that it misses none while they are moved. It may find nothing at an age
    /// between two files, or meet one twice: then what was met in between is newer, and the second time counts.
    fn newer_files(&self) -> io::Result<Vec<Place>> {
        let mut newer: Vec<Place> = Vec::new();
        for age in 0..MOST_FILES {
            let Some(place) = Place::open(&rotated(&self.path, age), Start::Beginning)? else {
                continue;
            };
            if self.open.as_ref().is_some_and(|open| open.inode == place.inode) {
                break;
            }
            newer.retain(|other| other.inode != place.inode);
            newer.push(place);
        }
        newer.reverse();
        Ok(newer)
    }
}
