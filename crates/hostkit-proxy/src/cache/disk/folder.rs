//! The folder on disk. Everything in it is opened beneath a descriptor, follows no link, and has a name made of hashes;
//! what has another name is somebody else's and stays.

use std::ffi::CStr;
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::Path;
use std::time::Duration;

use rustix::fs::{
    AtFlags, Dir, FileType, FlockOperation, Mode, OFlags, Timespec, Timestamps, flock, fstatvfs, fsync,
    futimens, mkdirat, openat, renameat, statat, unlinkat,
};
use rustix::io::Errno;

use super::index::{FileKey, Form, FormId, ScopeId};

const FOLDER: OFlags = OFlags::DIRECTORY
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC)
    .union(OFlags::RDONLY);
/// A file that is being written.
const NEW: &str = "new";
/// A folder whose answers are not to be used any more begins so.
const GONE: &str = "gone-";
/// So much of a disk stays free for others: this part of it, of a large one no more than that.
const FREE_PART: u64 = 50;
const MOST_FREE: u64 = 1 << 30;

/// The folder of the cache.
pub(super) struct Root(OwnedFd);

/// What is found in a scope's folder.
pub(super) struct Known {
    pub(super) file: FileKey,
    pub(super) form: Form,
    /// When it was last used.
    pub(super) used: Duration,
}

impl Root {
    /// Opens it; it is made if it is not there.
    pub(super) fn open(path: &Path) -> io::Result<Root> {
        match mkdirat(rustix::fs::CWD, path, Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(Root(openat(rustix::fs::CWD, path, FOLDER, Mode::empty())?))
    }

    /// Takes it for this front door alone, until it is closed; whether nobody else has it.
    pub(super) fn lock(&self) -> io::Result<bool> {
        match flock(&self.0, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(true),
            Err(Errno::WOULDBLOCK) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// The folder of a scope.
    pub(super) fn scope(&self, scope: ScopeId) -> io::Result<Option<OwnedFd>> {
        match openat(&self.0, scope.name(), FOLDER, Mode::empty()) {
            Ok(folder) => Ok(Some(folder)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// The same, made if it is not there.
    pub(super) fn make_scope(&self, scope: ScopeId) -> io::Result<OwnedFd> {
        match mkdirat(&self.0, scope.name(), Mode::RWXU) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(openat(&self.0, scope.name(), FOLDER, Mode::empty())?)
    }

    /// Scopes that have a folder.
    pub(super) fn scopes(&self) -> io::Result<Vec<ScopeId>> {
        let mut found = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            let Some(scope) = ScopeId::parse(name) else {
                continue;
            };
            let is = statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW)?;
            match FileType::from_raw_mode(is.st_mode) {
                FileType::Directory => found.push(scope),
                // It has the name of one, and is none.
                _ => unlinkat(&self.0, name, AtFlags::empty())?,
            }
        }
        Ok(found)
    }

    /// Takes all answers of a scope away at once; [`Root::sweep`] removes them. Returns whether there were any.
    pub(super) fn put_aside(&self, scope: ScopeId) -> io::Result<bool> {
        let mut random = [0; 8];
        getrandom::fill(&mut random).map_err(|error| io::Error::other(error.to_string()))?;
        let gone = format!("{GONE}{}", hex(&random));
        match renameat(&self.0, scope.name(), &self.0, gone) {
            Ok(()) => Ok(true),
            Err(Errno::NOENT) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// What was taken away does not come back when the power fails.
    pub(super) fn sync(&self) -> io::Result<()> {
        Ok(fsync(&self.0)?)
    }

    /// Removes what was put aside, as far as it was ours.
    pub(super) fn sweep(&self) -> io::Result<()> {
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = entry.file_name();
            if !name.to_bytes().starts_with(GONE.as_bytes()) {
                continue;
            }
            let Ok(folder) = openat(&self.0, name, FOLDER, Mode::empty()) else {
                continue;
            };
            for entry in Dir::read_from(&folder)? {
                // What is no file is none of ours.
                unlinkat(&folder, entry?.file_name(), AtFlags::empty()).ok();
            }
            unlinkat(&self.0, name, AtFlags::REMOVEDIR).ok();
        }
        Ok(())
    }

    /// Whether the disk has room for others beside us.
    pub(super) fn has_room(&self) -> io::Result<bool> {
        let disk = fstatvfs(&self.0)?;
        let all = disk.f_blocks.saturating_mul(disk.f_frsize);
        let free = disk.f_bavail.saturating_mul(disk.f_frsize);
        Ok(free > (all / FREE_PART).min(MOST_FREE))
    }
}

/// The files of a scope, by their names alone: no one is opened. What has the name of an answer and is none goes, as does
/// a file that was being written when a front door was killed.
pub(super) fn list(scope: ScopeId, folder: impl AsFd) -> io::Result<Vec<Known>> {
    let folder = folder.as_fd();
    let mut known = Vec::new();
    for entry in Dir::read_from(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_bytes() == NEW.as_bytes() {
            unlinkat(folder, name, AtFlags::empty()).ok();
            continue;
        }
        let Some((key, id)) = parse(name) else { continue };
        let Ok(found) = statat(folder, name, AtFlags::SYMLINK_NOFOLLOW) else {
            continue;
        };
        if FileType::from_raw_mode(found.st_mode) != FileType::RegularFile {
            unlinkat(folder, name, AtFlags::empty()).ok();
            continue;
        }
        known.push(Known {
            file: FileKey { scope, key },
            form: Form::new(id, u64::try_from(found.st_size).unwrap_or(0)),
            used: Duration::from_secs(u64::try_from(found.st_mtime).unwrap_or(0)),
        });
    }
    Ok(known)
}

/// Writes a file as a whole: whoever opens it finds all of it, the one before, or none.
pub(super) fn write(folder: impl AsFd, file: &FileKey, id: FormId, parts: [&[u8]; 2]) -> io::Result<()> {
    let folder = folder.as_fd();
    unlinkat(folder, NEW, AtFlags::empty()).ok();
    let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let mut new = File::from(openat(folder, NEW, flags, Mode::RUSR | Mode::WUSR)?);
    let written = parts.iter().try_for_each(|part| new.write_all(part));
    let named = written.and_then(|()| Ok(renameat(folder, NEW, folder, name(file, id))?));
    if named.is_err() {
        unlinkat(folder, NEW, AtFlags::empty()).ok();
    }
    named
}

/// Opens a file for reading; nothing where there is none, or something that is no file.
pub(super) fn open(folder: impl AsFd, file: &FileKey, id: FormId) -> io::Result<Option<File>> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    match openat(folder, name(file, id), flags, Mode::empty()) {
        Ok(file) => Ok(Some(File::from(file))),
        Err(Errno::NOENT | Errno::LOOP | Errno::NXIO) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Notes that a file was used, for the time after this process: the one that was not goes first.
pub(super) fn note_use(file: &File) {
    let now = Timespec {
        tv_sec: 0,
        tv_nsec: rustix::fs::UTIME_NOW,
    };
    let times = Timestamps {
        last_access: now,
        last_modification: now,
    };
    futimens(file, &times).ok();
}

/// Removes a file; it may be gone already.
pub(super) fn remove(folder: impl AsFd, file: &FileKey, id: FormId) -> io::Result<()> {
    match unlinkat(folder, name(file, id), AtFlags::empty()) {
        Ok(()) | Err(Errno::NOENT | Errno::ISDIR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// What was removed does not come back when the power fails.
pub(super) fn sync(folder: impl AsFd) -> io::Result<()> {
    Ok(fsync(folder)?)
}

fn name(file: &FileKey, id: FormId) -> String {
    format!("{}-{}", hex(&file.key), hex(&id))
}

fn parse(name: &CStr) -> Option<([u8; 16], FormId)> {
    let (key, id) = name.to_str().ok()?.split_once('-')?;
    Some((bytes(key)?, bytes(id)?))
}

impl ScopeId {
    fn name(self) -> String {
        hex(&self.0)
    }

    fn parse(name: &CStr) -> Option<ScopeId> {
        bytes(name.to_str().ok()?).map(ScopeId)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Only as [`hex`] writes it: there is one name for one answer.
fn bytes<const LENGTH: usize>(text: &str) -> Option<[u8; LENGTH]> {
    let mut bytes = [0; LENGTH];
    if text.len() != 2 * LENGTH || !text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&text[2 * at..2 * at + 2], 16).ok()?;
    }
    Some(bytes)
}
