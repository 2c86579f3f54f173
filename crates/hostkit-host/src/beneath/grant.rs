//! Lets one further account read a whole tree that belongs to somebody: a site's files to the front door.

use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;

use hostkit_core::kind::{Failure, Kind};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, ResolveFlags, fstat, openat2, statat};
use rustix::io::Errno;

use super::failure;
use super::folder::{Folder, open_folder};
use crate::acl::{self, AccessList};
use crate::change::Change;

/// Deeper than any site's folders, and few enough to hold open.
const DEEPEST: usize = 64;

impl Folder {
    /// Lets `reader` pass through this folder, if it belongs to `owner`, without seeing what else is in it.
    pub fn grant_entering(&self, reader: u32, owner: u32) -> Result<Change, Failure> {
        let granted = fstat(self).map_err(io::Error::from).and_then(|stat| {
            if stat.st_uid != owner {
                return Ok(Change::Unneeded);
            }
            grant(self, reader, 0o1)
        });
        granted.map_err(|e| failure("publish", self.path(), &e))
    }

    /// Lets `reader` enter every folder and read every file of this tree that belongs to `owner`. Rights of others
    /// stay. Links, devices, and what belongs to somebody else are passed over: whoever can write to the tree may have
    /// put a second name of a foreign file there.
    pub fn grant_reading(&self, reader: u32, owner: u32) -> Result<Change, Failure> {
        let mut change = Change::Unneeded;
        grant_folder(self.as_fd(), reader, owner, 0, &mut change).map_err(|e| match e.kind() {
            io::ErrorKind::QuotaExceeded => Failure::new(
                Kind::Invalid,
                format!(
                    "cannot publish `{}`: its folders are more than {DEEPEST} deep",
                    self.path().display()
                ),
            ),
            _ => failure("publish", self.path(), &e),
        })?;
        Ok(change)
    }
}

fn grant_folder(
    folder: impl AsFd,
    reader: u32,
    owner: u32,
    depth: usize,
    change: &mut Change,
) -> io::Result<()> {
    if depth > DEEPEST {
        return Err(io::ErrorKind::QuotaExceeded.into());
    }
    if fstat(&folder)?.st_uid != owner {
        return Ok(());
    }
    *change |= grant(&folder, reader, 0o5)?;
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        // What it is now only decides how it is opened; what was opened is looked at again.
        let kind = match statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => FileType::from_raw_mode(stat.st_mode),
            Err(Errno::NOENT) => continue,
            Err(e) => return Err(e.into()),
        };
        let passed_over = match kind {
            FileType::Directory => match open_folder(&folder, name, ResolveFlags::NO_XDEV) {
                Ok(inner) => {
                    grant_folder(inner, reader, owner, depth + 1, change)?;
                    Ok(())
                }
                Err(e) => Err(e),
            },
            FileType::RegularFile => match open_file(&folder, name) {
                Ok(file) => {
                    let stat = fstat(&file)?;
                    if FileType::from_raw_mode(stat.st_mode).is_file() && stat.st_uid == owner {
                        *change |= grant(&file, reader, 0o4)?;
                    }
                    Ok(())
                }
                Err(e) => Err(e),
            },
            _ => Ok(()),
        };
        match passed_over {
            Ok(()) | Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR | Errno::XDEV | Errno::NXIO) => {}
            Err(e) => return Err(e.into()),
        }
    }
    Ok(())
}

/// Opens what is at a name, unless it is a link, without waiting for the other end of a pipe.
pub(super) fn open_file(folder: impl AsFd, name: &OsStr) -> rustix::io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
    let resolve = ResolveFlags::BENEATH
        | ResolveFlags::NO_SYMLINKS
        | ResolveFlags::NO_MAGICLINKS
        | ResolveFlags::NO_XDEV;
    loop {
        match openat2(&folder, name, flags, Mode::empty(), resolve) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            done => return done.map(|fd: OwnedFd| File::from(fd)),
        }
    }
}

fn grant(file: impl AsFd, reader: u32, rights: u16) -> io::Result<Change> {
    let there = acl::observe(&file)?;
    let mut wanted = match &there {
        Some(list) => list.clone(),
        None => AccessList::of_mode(fstat(&file)?.st_mode, &[]),
    };
    wanted.users.insert(reader, rights);
    wanted.widen_mask();
    if there.as_ref() == Some(&wanted) {
        return Ok(Change::Unneeded);
    }
    acl::write(&file, &wanted)?;
    Ok(Change::Made)
}
