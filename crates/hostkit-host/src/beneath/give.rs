//! Gives a tree that root made to a project, so that its build may work on it.

use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;

use hostkit_core::kind::{Failure, Kind};
use rustix::fs::{AtFlags, Dir, FileType, Gid, ResolveFlags, Uid, chownat, fchown, statat};

use super::failure;
use super::folder::{Folder, checked, open_folder};
use crate::accounts::Account;

/// Deeper than any source, as deep as what is packed, and few enough to hold open.
const DEEPEST: usize = 201;

impl Folder {
    /// Makes a folder of this one, with all that is in it, belong to an account. Each folder changes hands after what
    /// is in it: until then nobody but root can put anything there, so that nothing else is ever given away. A file
    /// with a second name elsewhere is refused, links are given themselves and not followed.
    pub fn give(&self, name: &str, to: Account) -> Result<(), Failure> {
        let name = checked(self.path(), name)?;
        let path = self.path().join(name);
        let given = open_folder(self, name, ResolveFlags::NO_XDEV)
            .map_err(io::Error::from)
            .and_then(|folder| give_folder(folder, to, 0));
        given.map_err(|e| match e.kind() {
            io::ErrorKind::QuotaExceeded => Failure::new(
                Kind::Invalid,
                format!(
                    "cannot give away `{}`: its folders are more than {DEEPEST} deep",
                    path.display()
                ),
            ),
            _ => failure("give away", &path, &e),
        })
    }

    /// Makes a folder of this one belong to an account, without what is in it. To take one back, too.
    pub fn give_alone(&self, name: &str, to: Account) -> Result<(), Failure> {
        let name = checked(self.path(), name)?;
        open_folder(self, name, ResolveFlags::NO_XDEV)
            .and_then(|folder| fchown(folder, Some(Uid::from_raw(to.uid)), Some(Gid::from_raw(to.gid))))
            .map_err(|e| failure("give away", &self.path().join(name), &e.into()))
    }
}

fn give_folder(folder: impl AsFd, to: Account, depth: usize) -> io::Result<()> {
    if depth > DEEPEST {
        return Err(io::ErrorKind::QuotaExceeded.into());
    }
    let (uid, gid) = (Some(Uid::from_raw(to.uid)), Some(Gid::from_raw(to.gid)));
    for entry in Dir::read_from(&folder)? {
        let entry = entry?;
        let name = OsStr::from_bytes(entry.file_name().to_bytes());
        if name == "." || name == ".." {
            continue;
        }
        let stat = statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW)?;
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::Directory => {
                give_folder(open_folder(&folder, name, ResolveFlags::NO_XDEV)?, to, depth + 1)?;
            }
            FileType::RegularFile if stat.st_nlink > 1 => {
                return Err(io::Error::other(format!(
                    "`{}` in it is the second name of a file",
                    name.display()
                )));
            }
            _ => chownat(&folder, name, uid, gid, AtFlags::SYMLINK_NOFOLLOW)?,
        }
    }
    fchown(&folder, uid, gid)?;
    Ok(())
}
