//! An open folder, and the folders in it.

use std::ffi::OsStr;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use hostkit_core::kind::{Failure, Kind};
use rustix::fs::{AtFlags, Mode, OFlags, ResolveFlags, Stat, fstat, mkdirat, openat, openat2, statat};
use rustix::io::Errno;

use super::failure;
use super::rights::Rights;
use crate::change::Change;

/// A folder that is open; the path is for messages alone.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

pub(super) const OPEN_FOLDER: OFlags = OFlags::RDONLY
    .union(OFlags::DIRECTORY)
    .union(OFlags::NOFOLLOW)
    .union(OFlags::CLOEXEC);

impl AsFd for Folder {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

impl Folder {
    /// Opens a folder by its path. Links are followed: only for folders of the system, where nobody but root can
    /// change any part of the path (`/home`, `/etc/sudoers.d`).
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let fd = openat(rustix::fs::CWD, path, flags, Mode::empty())
            .map_err(|e| failure("open", path, &e.into()))?;
        Ok(Folder {
            fd,
            path: path.to_owned(),
        })
    }

    /// Where it was opened.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A folder in this one; none where there is nothing of that name. What is no folder, a link to one as well, is
    /// a failure.
    pub fn folder(&self, name: &str) -> Result<Option<Folder>, Failure> {
        let name = checked(&self.path, name)?;
        match open_folder(&self.fd, name, ResolveFlags::empty()) {
            Ok(fd) => Ok(Some(self.named(name, fd))),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(failure("open", &self.path.join(name), &e.into())),
        }
    }

    /// A folder of that name with exactly these rights, made or mended where needed.
    pub fn ensure_folder(&self, name: &str, rights: &Rights) -> Result<(Folder, Change), Failure> {
        let name = checked(&self.path, name)?;
        let path = self.path.join(name);
        let made = match mkdirat(&self.fd, name, Mode::RWXU) {
            Ok(()) => Change::Made,
            Err(Errno::EXIST) => Change::Unneeded,
            Err(e) => return Err(failure("make", &path, &e.into())),
        };
        let folder = self
            .folder(name.to_str().unwrap_or_default())?
            .ok_or_else(|| failure("make", &path, &Errno::NOENT.into()))?;
        let mended = rights
            .ensure(&folder.fd, true)
            .map_err(|e| failure("set the rights of", &path, &e))?;
        Ok((folder, made | mended))
    }

    /// What of `rights` is not so at a folder, in words; `None` where there is none.
    pub(crate) fn differences(&self, name: &str, rights: &Rights) -> Result<Option<Vec<String>>, Failure> {
        let Some(folder) = self.folder(name)? else {
            return Ok(None);
        };
        rights
            .differences(&folder.fd)
            .map(Some)
            .map_err(|e| failure("look at", &folder.path, &e))
    }

    /// Facts about what is at a name, a link itself; none where nothing is.
    pub(crate) fn look(&self, name: &OsStr) -> Result<Option<Stat>, Failure> {
        match statat(&self.fd, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(e) => Err(failure("look at", &self.path.join(name), &e.into())),
        }
    }

    /// Facts about this folder.
    pub(crate) fn stat(&self) -> Result<Stat, Failure> {
        fstat(&self.fd).map_err(|e| failure("look at", &self.path, &e.into()))
    }

    /// The names in this folder, sorted.
    pub fn names(&self) -> Result<Vec<std::ffi::OsString>, Failure> {
        let read = || -> io::Result<Vec<std::ffi::OsString>> {
            let mut names = Vec::new();
            for entry in rustix::fs::Dir::read_from(&self.fd)? {
                let entry = entry?;
                let name = OsStr::from_bytes(entry.file_name().to_bytes());
                if name != "." && name != ".." {
                    names.push(name.to_owned());
                }
            }
            names.sort_unstable();
            Ok(names)
        };
        read().map_err(|e| failure("list", &self.path, &e))
    }

    pub(super) fn named(&self, name: &OsStr, fd: OwnedFd) -> Folder {
        Folder {
            fd,
            path: self.path.join(name),
        }
    }
}

/// Opens what is at a name, if it is a folder.
pub(super) fn open_folder(
    parent: impl AsFd,
    name: &OsStr,
    further: ResolveFlags,
) -> rustix::io::Result<OwnedFd> {
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS | further;
    loop {
        match openat2(&parent, name, OPEN_FOLDER, Mode::empty(), resolve) {
            // The kernel could not be sure that nothing was moved meanwhile.
            Err(Errno::AGAIN | Errno::INTR) => {}
            // With `O_DIRECTORY` a link is answered as what is no folder.
            Err(Errno::NOTDIR) if is_link(&parent, name) => return Err(Errno::LOOP),
            done => return done,
        }
    }
}

fn is_link(parent: impl AsFd, name: &OsStr) -> bool {
    statat(parent, name, AtFlags::SYMLINK_NOFOLLOW)
        .is_ok_and(|stat| rustix::fs::FileType::from_raw_mode(stat.st_mode).is_symlink())
}

/// One name, not a path.
pub(super) fn checked<'a>(folder: &Path, name: &'a str) -> Result<&'a OsStr, Failure> {
    let wrong = name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0']);
    if wrong {
        return Err(Failure::new(
            Kind::Invalid,
            format!(
                "cannot open an entry of `{}`: {name:?} is not a name",
                folder.display()
            ),
        ));
    }
    Ok(OsStr::new(name))
}
