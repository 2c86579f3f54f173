//! A tar archive, as [`Folder::pack`] makes them, into a folder that nobody else can change meanwhile. Whoever packed it is
//! not trusted: a name of it is one name in an open folder, never a path, no link is followed, and what is neither file,
//! folder nor link is refused.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use rustix::fs::{
    Mode, OFlags, ResolveFlags, Timespec, Timestamps, fchmod, fstatvfs, futimens, mkdirat, openat, symlinkat,
};
use tar::{Archive, Entry, EntryType, Header};

use super::Packed;
use super::folder::{Folder, open_folder};

/// Deeper trees are refused, as when they are packed: a folder is open for each level.
const DEEPEST: usize = 201;
/// The longest path, in bytes, and the longest target of a link.
const LONGEST: u64 = 64 * 1024;
/// After so many bytes it is looked again how much room there is.
const LOOK_EVERY: u64 = 16 * 1024 * 1024;
const BLOCK: usize = 64 * 1024;
/// What of a mode comes back: nobody becomes somebody else by a file of a backup.
const OF_FILES: u32 = 0o777;
const OF_FOLDERS: u32 = 0o3777;

/// A folder that is being filled. Its mode may forbid that, so it gets it at the end.
struct Level {
    name: OsString,
    folder: OwnedFd,
    mode: u32,
    modified: i64,
}

struct Unpacking<'a> {
    top: &'a Folder,
    /// The folders that lead to where the last entry was, from the top.
    levels: Vec<Level>,
    min_free: u64,
    unwatched: u64,
    packed: Packed,
}

impl Folder {
    /// Unpacks an archive into this folder, which is empty. So many bytes of the disk stay free. Where it fails, what was
    /// unpacked until then is left.
    pub(crate) fn unpack(&self, from: impl Read, min_free: u64) -> io::Result<Packed> {
        let mut archive = Archive::new(from);
        let mut unpacking = Unpacking {
            top: self,
            levels: Vec::new(),
            min_free,
            unwatched: LOOK_EVERY,
            packed: Packed::default(),
        };
        let (mut path, mut target) = (None, None);
        for entry in archive.entries()?.raw(true) {
            let mut entry = entry?;
            match entry.header().entry_type() {
                EntryType::GNULongName => path = Some(long(&mut entry)?),
                EntryType::GNULongLink => target = Some(long(&mut entry)?),
                _ => unpacking.add(&mut entry, path.take(), target.take())?,
            }
        }
        // Behind the end there is nothing; a stream that was cut off says so only there.
        io::copy(&mut archive.into_inner(), &mut io::sink())?;
        unpacking.leave_until(0)?;
        Ok(unpacking.packed)
    }
}

/// A name that did not fit into its header, in an entry before it.
fn long(entry: &mut Entry<'_, impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    entry.take(LONGEST + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > LONGEST {
        return Err(refused("it has a name that is too long"));
    }
    if bytes.last() == Some(&0) {
        bytes.pop();
    }
    Ok(bytes)
}

fn refused(why: &'static str) -> io::Error {
    io::Error::other(why)
}

/// The names of a path, from the top.
fn names(path: &[u8]) -> io::Result<Vec<&OsStr>> {
    let path = path.strip_suffix(b"/").unwrap_or(path);
    let names: Vec<&OsStr> = path.split(|byte| *byte == b'/').map(OsStr::from_bytes).collect();
    let is_name =
        |name: &OsStr| !matches!(name.as_bytes(), b"" | b"." | b"..") && !name.as_bytes().contains(&0);
    match names.iter().all(|name| is_name(name)) {
        true if names.len() <= DEEPEST => Ok(names),
        true => Err(refused("its folders lie too deep")),
        false => Err(refused("it has an entry that leads out of the folder")),
    }
}

impl Unpacking<'_> {
    fn add(
        &mut self,
        entry: &mut Entry<'_, impl Read>,
        path: Option<Vec<u8>>,
        target: Option<Vec<u8>>,
    ) -> io::Result<()> {
        let header = entry.header().clone();
        let path = path.unwrap_or_else(|| header.path_bytes().into_owned());
        let names = names(&path)?;
        let Some((name, above)) = names.split_last() else {
            return Err(refused("it has an entry without a name"));
        };
        self.enter(above)?;
        match header.entry_type() {
            EntryType::Regular => {
                self.file(name, entry, &header)?;
                self.packed.files += 1;
            }
            EntryType::Directory => {
                mkdirat(self.here(), *name, Mode::RWXU)?;
                let folder = open_folder(self.here(), name, ResolveFlags::NO_XDEV)?;
                self.levels.push(Level {
                    name: (*name).to_owned(),
                    folder,
                    mode: header.mode()? & OF_FOLDERS,
                    modified: modified(&header),
                });
                self.packed.folders += 1;
            }
            EntryType::Symlink => {
                let target = target.or_else(|| header.link_name_bytes().map(|bytes| bytes.into_owned()));
                let target = target.ok_or_else(|| refused("it has a link that leads nowhere"))?;
                symlinkat(OsString::from_vec(target), self.here(), *name)?;
                self.packed.links += 1;
            }
            _ => return Err(refused("it has an entry that is neither file, folder nor link")),
        }
        Ok(())
    }

    /// The folder that is filled now.
    fn here(&self) -> BorrowedFd<'_> {
        match self.levels.last() {
            Some(level) => level.folder.as_fd(),
            None => self.top.as_fd(),
        }
    }

    /// Goes to a folder, which an entry before made: it is the one that is filled, or above it.
    fn enter(&mut self, path: &[&OsStr]) -> io::Result<()> {
        let same = self.levels.iter().zip(path);
        let same = same.take_while(|(level, name)| level.name == **name).count();
        match same == path.len() {
            true => self.leave_until(same),
            false => Err(refused(
                "it has an entry in a folder that is not there, or is a link",
            )),
        }
    }

    /// Gives the folders below that many levels what they are to have.
    fn leave_until(&mut self, count: usize) -> io::Result<()> {
        while self.levels.len() > count {
            let Some(level) = self.levels.pop() else { break };
            fchmod(&level.folder, Mode::from_raw_mode(level.mode))?;
            futimens(&level.folder, &times(level.modified))?;
        }
        Ok(())
    }

    fn file(&mut self, name: &OsStr, from: &mut impl Read, header: &Header) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(self.here(), name, flags, Mode::RUSR | Mode::WUSR)?);
        let (mut left, mut block) = (header.entry_size()?, vec![0; BLOCK]);
        while left > 0 {
            let read = from.read(&mut block)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.watch(read as u64)?;
            file.write_all(&block[..read])?;
            left = left.saturating_sub(read as u64);
        }
        fchmod(&file, Mode::from_raw_mode(header.mode()? & OF_FILES))?;
        futimens(&file, &times(modified(header)))?;
        Ok(())
    }

    fn watch(&mut self, bytes: u64) -> io::Result<()> {
        self.unwatched += bytes;
        if self.unwatched >= LOOK_EVERY {
            self.unwatched = 0;
            let disk = fstatvfs(self.top)?;
            if disk.f_bavail.saturating_mul(disk.f_frsize) < self.min_free {
                return Err(io::ErrorKind::StorageFull.into());
            }
        }
        Ok(())
    }
}

fn modified(header: &Header) -> i64 {
    header
        .mtime()
        .ok()
        .and_then(|time| i64::try_from(time).ok())
        .unwrap_or_default()
}

fn times(modified: i64) -> Timestamps {
    let time = Timespec {
        tv_sec: modified,
        tv_nsec: 0,
    };
    Timestamps {
        last_access: time,
        last_modification: time,
    }
}
