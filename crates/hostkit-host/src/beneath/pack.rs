//! A tree that others may be changing into a tar archive: no link is followed, no other file system is entered, and what
//! is neither file, folder nor link is left out. So is, on wish, what an account could not read itself.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use hostkit_core::kind::{Failure, Kind};
use rustix::fs::{FileType, ResolveFlags, Stat, fstat, readlinkat};
use rustix::io::Errno;
use tar::{Builder, EntryType, Header};

use super::failure;
use super::folder::{Folder, open_folder};
use super::grant::open_file;
use crate::accounts::Account;

/// Deeper trees are refused: a folder is open for each level.
const DEEPEST: usize = 200;

/// What is in a tree, in bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Volume {
    /// As its files say.
    pub(crate) said: u64,
    /// On the disk: less where files have holes.
    pub(crate) on_disk: u64,
}

/// So many of those that were left out are named.
const MOST_NAMED: usize = 5;

/// How much was packed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Packed {
    pub(crate) files: u64,
    pub(crate) folders: u64,
    pub(crate) links: u64,
    /// What nobody wanted left out and is not in it.
    pub(crate) missing: Missing,
}

/// What could not be packed: the first of them by name, and how many they are.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Missing {
    pub(crate) first: Vec<PathBuf>,
    pub(crate) count: u64,
}

impl Missing {
    fn note(&mut self, path: PathBuf) {
        self.count += 1;
        if self.first.len() < MOST_NAMED {
            self.first.push(path);
        }
    }
}

/// Which entries are left out: the folder's path below the top, and a name in it.
pub(crate) type LeavesOut = fn(&Path, &OsStr) -> bool;

/// Is shown each entry: the folder it is in, that folder's path below the top, its name, and what is known of it. Answers
/// whether to enter it, if it is a folder.
type Visit<'a> = &'a mut dyn FnMut(&Folder, &Path, &OsStr, &Stat, FileType) -> Result<bool, Failure>;

impl Folder {
    /// How much there is to pack.
    pub(crate) fn volume(&self, leaves_out: LeavesOut) -> Result<Volume, Failure> {
        let mut volume = Volume::default();
        self.each(Path::new(""), leaves_out, 0, &mut |_, _, _, stat, kind| {
            if kind == FileType::RegularFile {
                volume.said = volume.said.saturating_add(stat.st_size.unsigned_abs());
                volume.on_disk = volume.on_disk.saturating_add(stat.st_blocks.unsigned_abs() * 512);
            }
            Ok(true)
        })?;
        Ok(volume)
    }

    /// Packs everything in this folder, without the folder itself. What goes away meanwhile is not counted. With a
    /// `reader`, nothing is packed that this account could not read: whoever packs may read more, and may have found a
    /// second name of a foreign file.
    pub(crate) fn pack(
        &self,
        into: &mut Builder<impl Write>,
        leaves_out: LeavesOut,
        reader: Option<Account>,
    ) -> Result<Packed, Failure> {
        let mut packed = Packed::default();
        self.each(
            Path::new(""),
            leaves_out,
            0,
            &mut |folder, place, name, stat, kind| {
                let path = folder.path().join(name);
                let added = add(into, (folder, name), &place.join(name), (stat, kind), reader);
                match (added.map_err(|e| failure("archive", &path, &e))?, kind) {
                    (Added::Gone, _) => {}
                    (Added::LeftOut, _) => {
                        packed.missing.note(place.join(name));
                        return Ok(false);
                    }
                    (Added::Yes, FileType::Directory) => packed.folders += 1,
                    (Added::Yes, FileType::Symlink) => packed.links += 1,
                    (Added::Yes, _) => packed.files += 1,
                }
                Ok(true)
            },
        )?;
        Ok(packed)
    }

    /// Visits everything below, folders before what is in them.
    fn each(
        &self,
        place: &Path,
        leaves_out: LeavesOut,
        depth: usize,
        visit: Visit<'_>,
    ) -> Result<(), Failure> {
        if depth > DEEPEST {
            return Err(Failure::new(
                Kind::Conflict,
                format!(
                    "cannot archive `{}`: its folders lie too deep",
                    self.path().display()
                ),
            ));
        }
        for name in self.names()? {
            if leaves_out(place, &name) {
                continue;
            }
            // Gone meanwhile.
            let Some(stat) = self.look(&name)? else {
                continue;
            };
            let kind = FileType::from_raw_mode(stat.st_mode);
            if !visit(self, place, &name, &stat, kind)? || kind != FileType::Directory {
                continue;
            }
            match open_folder(self, &name, ResolveFlags::NO_XDEV) {
                Ok(fd) => self
                    .named(&name, fd)
                    .each(&place.join(&name), leaves_out, depth + 1, visit)?,
                // Something else by now.
                Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => {}
                // Somebody else's disk: its place was shown, what is on it is no kind of entry here.
                Err(Errno::XDEV) => drop(visit(self, place, &name, &stat, FileType::Unknown)?),
                Err(e) => return Err(failure("archive", &self.path().join(&name), &e.into())),
            }
        }
        Ok(())
    }
}

/// What became of an entry.
enum Added {
    Yes,
    /// It was not there any more.
    Gone,
    LeftOut,
}

fn add(
    into: &mut Builder<impl Write>,
    (folder, name): (&Folder, &OsStr),
    path: &Path,
    (stat, kind): (&Stat, FileType),
    reader: Option<Account>,
) -> io::Result<Added> {
    let mut header = Header::new_gnu();
    let facts = |header: &mut Header, stat: &Stat| {
        header.set_mode(stat.st_mode & 0o7777);
        header.set_uid(stat.st_uid.into());
        header.set_gid(stat.st_gid.into());
        header.set_mtime(u64::try_from(stat.st_mtime).unwrap_or(0));
    };
    match kind {
        FileType::Directory => {
            if !reads(reader, stat, 0o5) {
                return Ok(Added::LeftOut);
            }
            facts(&mut header, stat);
            header.set_entry_type(EntryType::Directory);
            header.set_size(0);
            into.append_data(&mut header, path, io::empty())?;
        }
        FileType::Symlink => {
            let target = match readlinkat(folder, name, Vec::new()) {
                Ok(target) => target,
                Err(Errno::NOENT | Errno::INVAL) => return Ok(Added::Gone),
                Err(e) => return Err(e.into()),
            };
            facts(&mut header, stat);
            header.set_entry_type(EntryType::Symlink);
            header.set_size(0);
            into.append_link(&mut header, path, PathBuf::from(os(target.as_bytes())))?;
        }
        FileType::RegularFile => {
            let Some(file) = still_there(folder, name)? else {
                return Ok(Added::Gone);
            };
            let stat = fstat(&file)?;
            if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                return Ok(Added::Gone);
            }
            if !reads(reader, &stat, 0o4) {
                return Ok(Added::LeftOut);
            }
            facts(&mut header, &stat);
            let size = stat.st_size.unsigned_abs();
            header.set_entry_type(EntryType::Regular);
            header.set_size(size);
            // Exactly what its header says, also where the file grows or shrinks meanwhile.
            into.append_data(&mut header, path, file.chain(io::repeat(0)).take(size))?;
        }
        _ => return Ok(Added::LeftOut),
    }
    Ok(Added::Yes)
}

/// Whether an account could do this with what it is (bits as in a mode), had it found it. Of what is its own it can give
/// itself all rights.
fn reads(reader: Option<Account>, stat: &Stat, rights: u32) -> bool {
    let Some(Account { uid, gid }) = reader else {
        return true;
    };
    let is_folder = FileType::from_raw_mode(stat.st_mode) == FileType::Directory;
    let by_others = if stat.st_gid == gid { rights << 3 } else { rights };
    stat.st_uid == uid || ((is_folder || stat.st_nlink == 1) && stat.st_mode & by_others == by_others)
}

fn os(bytes: &[u8]) -> &OsStr {
    std::os::unix::ffi::OsStrExt::from_bytes(bytes)
}

/// What is at a name; nothing where it is gone or a link by now.
fn still_there(folder: &Folder, name: &OsStr) -> io::Result<Option<File>> {
    match open_file(folder, name) {
        Ok(file) => Ok(Some(file)),
        Err(Errno::NOENT | Errno::LOOP | Errno::XDEV | Errno::NXIO) => Ok(None),
        Err(e) => Err(e.into()),
    }
}
