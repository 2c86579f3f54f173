//! What is brought in beside something that an account owns, and takes its place.

use std::ffi::OsStr;
use std::fs::File;
use std::io;

use hostkit_core::kind::Failure;
use rustix::fs::{Mode, OFlags, RenameFlags, fstat, fsync, openat, renameat, renameat_with};
use rustix::io::Errno;

use super::failure;
use super::folder::{Folder, checked};
use crate::accounts::Account;

impl Folder {
    /// Whose this folder is.
    pub fn owner(&self) -> Result<Account, Failure> {
        let stat = self.stat()?;
        Ok(Account {
            uid: stat.st_uid,
            gid: stat.st_gid,
        })
    }

    /// Opens a file to be read; none where there is none. A link or anything else is a failure, and so is a file that has
    /// a second name: it may be anybody's.
    pub fn open_file(&self, name: &str) -> Result<Option<File>, Failure> {
        let opened = self.with_file(name, |file| match fstat(&*file)?.st_nlink {
            1 => file.try_clone(),
            _ => Err(io::Error::other("it is the second name of a file")),
        });
        opened.map_err(|e| failure("read", &self.path().join(name), &e))
    }

    /// Makes a file to be written, for who makes it alone. Whatever is there by that name is a failure.
    pub fn create_file(&self, name: &str) -> Result<File, Failure> {
        let name = checked(self.path(), name)?;
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let made = openat(self, name, flags, Mode::RUSR | Mode::WUSR);
        made.map(File::from)
            .map_err(|e| failure("write", &self.path().join(name), &e.into()))
    }

    /// Puts what is at one name into the place of another, which gets the first name, in one step. Where nothing is at the
    /// other, it is a renaming. Links are moved, not followed. It is on the disk when this returns.
    pub fn exchange(&self, name: &str, place: &str) -> Result<(), Failure> {
        let (name, place) = (checked(self.path(), name)?, checked(self.path(), place)?);
        let exchanged = match renameat_with(self, name, self, place, RenameFlags::EXCHANGE) {
            Err(Errno::NOENT) => renameat(self, name, self, place),
            exchanged => exchanged,
        };
        exchanged.and_then(|()| fsync(self)).map_err(|e| {
            failure(
                "put something in the place of",
                &self.path().join(place),
                &e.into(),
            )
        })
    }

    /// Has two folders give each other what they have at a name, a link itself. Where one has nothing there, the other has
    /// nothing afterwards. Done again, all is as it was before. Both may be changed by others meanwhile.
    pub(crate) fn trade(&self, name: &OsStr, other: &Folder) -> Result<(), Failure> {
        let exchange = || renameat_with(self, name, other, name, RenameFlags::EXCHANGE);
        let give = |from: &Folder, to: &Folder| renameat_with(from, name, to, name, RenameFlags::NOREPLACE);
        let mut traded = Err(Errno::EXIST);
        for _ in 0..TRADES {
            // What is there now decides which of them it is.
            traded = match exchange() {
                Err(Errno::NOENT) => match give(self, other) {
                    Err(Errno::NOENT) => give(other, self),
                    given => given,
                },
                exchanged => exchanged,
            };
            if !matches!(traded, Err(Errno::EXIST | Errno::NOENT)) {
                break;
            }
        }
        match traded {
            // Whoever owns it has removed it.
            Ok(()) | Err(Errno::NOENT) => Ok(()),
            Err(e) => Err(failure(
                "put a copy into the place of",
                &self.path().join(name),
                &e.into(),
            )),
        }
    }

    /// Brings the names in this folder to the disk.
    pub(crate) fn sync(&self) -> Result<(), Failure> {
        fsync(self).map_err(|e| failure("bring to the disk", self.path(), &e.into()))
    }
}

/// How often it is tried where somebody makes and removes what has that name meanwhile.
const TRADES: usize = 100;

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn what_two_folders_have_at_a_name_changes_places_and_back() {
        let place = tempfile::tempdir().unwrap();
        let at = |path: &str| place.path().join(path);
        for path in ["a", "b", "a/both", "b/both/inner", "a/one"] {
            std::fs::create_dir_all(at(path)).unwrap();
        }
        symlink("/etc", at("b/link")).unwrap();
        let (a, b) = (Folder::open(&at("a")).unwrap(), Folder::open(&at("b")).unwrap());
        let names = ["both", "one", "link", "none"];
        let trade = || names.iter().for_each(|name| a.trade(name.as_ref(), &b).unwrap());
        trade();
        assert_eq!((a.names().unwrap().len(), b.names().unwrap().len()), (2, 2));
        assert!(at("a/both/inner").is_dir() && at("b/one").is_dir() && at("a/link").is_symlink());
        assert!(!at("b/both/inner").exists());
        trade();
        assert!(at("b/both/inner").is_dir() && at("a/one").is_dir() && at("b/link").is_symlink());
    }

    #[test]
    fn what_was_brought_in_takes_the_place_and_links_are_not_followed() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::open(place.path()).unwrap();
        folder.create_file("new").unwrap().write_all(b"new").unwrap();
        assert!(folder.create_file("new").is_err());
        folder.exchange("new", "live").unwrap();
        folder.create_file("new").unwrap().write_all(b"newer").unwrap();
        folder.exchange("new", "live").unwrap();
        let read = |name: &str| {
            let mut text = String::new();
            let mut file = folder.open_file(name).unwrap()?;
            file.read_to_string(&mut text).unwrap();
            Some(text)
        };
        assert_eq!(read("live").as_deref(), Some("newer"));
        assert_eq!(read("new").as_deref(), Some("new"));
        assert_eq!(read("none"), None);
        assert!(folder.exchange("none", "live").is_err());
        assert_eq!(read("live").as_deref(), Some("newer"));

        symlink("/etc/passwd", place.path().join("link")).unwrap();
        assert!(folder.open_file("link").is_err());
        assert!(folder.create_file("link").is_err());
        std::fs::hard_link(place.path().join("live"), place.path().join("second")).unwrap();
        assert!(folder.open_file("live").is_err());
        assert!(folder.open_file("../live").is_err());
    }
}
