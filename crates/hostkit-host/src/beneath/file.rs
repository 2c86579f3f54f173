//! Files and links in an open folder: replaced as a whole, never written in place.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use hostkit_core::kind::Failure;
use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, ResolveFlags, fstat, fsync, openat, openat2, readlinkat, renameat,
    symlinkat, unlinkat,
};
use rustix::io::Errno;

use super::failure;
use super::folder::{Folder, checked};
use super::rights::Rights;
use crate::change::Change;

/// A file that is written whole and not yet in its place. It is removed where it is not put there.
#[derive(Debug)]
pub struct Staged<'a> {
    folder: &'a Folder,
    name: OsString,
    temporary: OsString,
    placed: bool,
}

impl Folder {
    /// A file with this content and these rights. Its place is taken in one step, also after a loss of power; a link
    /// of that name is replaced, not followed.
    pub fn ensure_file(&self, name: &str, content: &[u8], rights: &Rights) -> Result<Change, Failure> {
        let path = self.path().join(name);
        let same = self.with_file(name, |file| {
            // A second name of the same file may be anybody's: such a file is left to them.
            if fstat(&*file)?.st_nlink != 1 || !holds(file, content)? {
                return Ok(None);
            }
            rights.ensure(&*file, false).map(Some)
        });
        match same.map_err(|e| failure("write", &path, &e))? {
            Some(Some(change)) => Ok(change),
            _ => {
                self.stage_file(name, content, rights)?.commit()?;
                Ok(Change::Made)
            }
        }
    }

    /// Writes a file beside its place, for a look at it before it is put there.
    pub fn stage_file(&self, name: &str, content: &[u8], rights: &Rights) -> Result<Staged<'_>, Failure> {
        let name = checked(self.path(), name)?;
        let path = self.path().join(name);
        // One fixed name: what a killed writer left is found and replaced. Whoever reads folders of parts (sudo, cron)
        // passes over names with a dot.
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(".hostkit-new");
        let staged = Staged {
            folder: self,
            name: name.to_owned(),
            temporary,
            placed: false,
        };
        staged
            .write(content, rights)
            .map_err(|e| failure("write", &path, &e))?;
        Ok(staged)
    }

    /// The content of a file; none where there is none. A link or anything else is a failure, so is a file of more
    /// than `limit` bytes.
    pub fn read_file(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, Failure> {
        let path = self.path().join(name);
        self.with_file(name, |file| {
            let mut content = Vec::new();
            file.take(limit + 1).read_to_end(&mut content)?;
            if content.len() as u64 > limit {
                let why = format!("it has more than {limit} bytes");
                return Err(io::Error::new(io::ErrorKind::FileTooLarge, why));
            }
            Ok(content)
        })
        .map_err(|e| failure("read", &path, &e))
    }

    /// What of `rights` is not so at a file, in words; nothing where there is none.
    pub(crate) fn file_differences(&self, name: &str, rights: &Rights) -> Result<Vec<String>, Failure> {
        let path = self.path().join(name);
        self.with_file(name, |file| rights.differences(&*file))
            .map(Option::unwrap_or_default)
            .map_err(|e| failure("look at", &path, &e))
    }

    /// Makes a link of that name lead to `target`, in one step; another link there is replaced.
    pub fn point_link(&self, name: &str, target: &Path) -> Result<Change, Failure> {
        let name = checked(self.path(), name)?;
        let path = self.path().join(name);
        if readlinkat(self, name, Vec::new())
            .is_ok_and(|there| there.as_bytes() == target.as_os_str().as_encoded_bytes())
        {
            return Ok(Change::Unneeded);
        }
        let mut temporary = OsString::from(".");
        temporary.push(name);
        temporary.push(".hostkit-new");
        let swap = || -> rustix::io::Result<()> {
            unless_gone(unlinkat(self, &temporary, AtFlags::empty()))?;
            symlinkat(target, self, &temporary)?;
            if let Err(e) = renameat(self, &temporary, self, name) {
                let _ = unlinkat(self, &temporary, AtFlags::empty());
                return Err(e);
            }
            fsync(self)
        };
        swap().map_err(|e| failure("link", &path, &e.into()))?;
        Ok(Change::Made)
    }

    /// Removes a file or a link, not what it leads to.
    pub fn remove_file(&self, name: &str) -> Result<Change, Failure> {
        let name = checked(self.path(), name)?;
        match unlinkat(self, name, AtFlags::empty()) {
            Ok(()) => Ok(Change::Made),
            Err(Errno::NOENT) => Ok(Change::Unneeded),
            Err(e) => Err(failure("remove", &self.path().join(name), &e.into())),
        }
    }

    /// Opens the regular file of that name and does something with it; `None` where there is none.
    pub(super) fn with_file<T>(
        &self,
        name: &str,
        act: impl FnOnce(&mut File) -> io::Result<T>,
    ) -> io::Result<Option<T>> {
        let name = checked(self.path(), name).map_err(|e| io::Error::new(io::ErrorKind::InvalidInput, e))?;
        // Without `NONBLOCK` a pipe of that name would make the caller wait for its other end.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let opened = loop {
            match openat2(self, name, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN | Errno::INTR) => {}
                done => break done,
            }
        };
        let mut file = match opened {
            Ok(fd) => File::from(fd),
            Err(Errno::NOENT) => return Ok(None),
            Err(e) => return Err(e.into()),
        };
        match FileType::from_raw_mode(fstat(&file)?.st_mode) {
            FileType::RegularFile => act(&mut file).map(Some),
            FileType::Directory => Err(Errno::ISDIR.into()),
            _ => Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "it is not a regular file",
            )),
        }
    }
}

impl Staged<'_> {
    /// Where it is now.
    pub fn path(&self) -> PathBuf {
        self.folder.path().join(&self.temporary)
    }

    /// Puts it in its place.
    pub fn commit(mut self) -> Result<(), Failure> {
        let broken = |e: Errno| failure("write", &self.folder.path().join(&self.name), &e.into());
        renameat(self.folder, &self.temporary, self.folder, &self.name).map_err(broken)?;
        fsync(self.folder).map_err(broken)?;
        self.placed = true;
        Ok(())
    }

    fn write(&self, content: &[u8], rights: &Rights) -> io::Result<()> {
        unless_gone(unlinkat(self.folder, &self.temporary, AtFlags::empty()))?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(
            self.folder,
            &self.temporary,
            flags,
            Mode::RUSR | Mode::WUSR,
        )?);
        file.write_all(content)?;
        let _ = rights.ensure(&file, false)?;
        file.sync_all()
    }
}

impl Drop for Staged<'_> {
    fn drop(&mut self) {
        if !self.placed {
            let _ = unlinkat(self.folder, &self.temporary, AtFlags::empty());
        }
    }
}

fn holds(file: &mut File, content: &[u8]) -> io::Result<bool> {
    if file.metadata()?.len() != content.len() as u64 {
        return Ok(false);
    }
    let mut there = Vec::with_capacity(content.len());
    file.take(content.len() as u64 + 1).read_to_end(&mut there)?;
    Ok(there == content)
}

fn unless_gone(done: rustix::io::Result<()>) -> rustix::io::Result<()> {
    match done {
        Err(Errno::NOENT) => Ok(()),
        other => other,
    }
}
