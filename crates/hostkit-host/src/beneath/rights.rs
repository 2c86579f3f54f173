//! Owner, group, mode and access list of one file or folder.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::{Gid, Mode, Uid, fchmod, fchown, fstat};

use crate::acl::{self, AccessList, Grant};
use crate::change::Change;

/// Who may do what with a file or a folder: all of it, nothing besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rights {
    /// The owner.
    pub owner: u32,
    /// The group.
    pub group: u32,
    /// The mode, with the set-group bit where it is wanted.
    pub mode: u32,
    /// Further accounts.
    pub grants: Vec<Grant>,
}

const ALL_BITS: u32 = 0o7777;

impl Rights {
    /// Rights without further accounts.
    pub fn new(owner: u32, group: u32, mode: u32) -> Self {
        Rights {
            owner,
            group,
            mode,
            grants: Vec::new(),
        }
    }

    /// The same, and an account more.
    pub fn grant(mut self, uid: u32, rights: u16) -> Self {
        self.grants.push(Grant { uid, rights });
        self
    }

    fn list(&self) -> Option<AccessList> {
        (!self.grants.is_empty()).then(|| AccessList::of_mode(self.mode, &self.grants))
    }

    /// What of this is not so, in words.
    pub(crate) fn differences(&self, file: impl AsFd) -> io::Result<Vec<String>> {
        let stat = fstat(&file)?;
        let mut found = Vec::new();
        if (stat.st_uid, stat.st_gid) != (self.owner, self.group) {
            let (uid, gid) = (stat.st_uid, stat.st_gid);
            let (owner, group) = (self.owner, self.group);
            found.push(format!("belongs to {uid}:{gid}, not to {owner}:{group}"));
        }
        let (list, wanted) = (acl::observe(&file)?, self.list());
        let mode = self.shown_mode(wanted.as_ref());
        if stat.st_mode & ALL_BITS != mode {
            found.push(format!(
                "has the mode {:04o}, not {mode:04o}",
                stat.st_mode & ALL_BITS
            ));
        }
        if list != wanted {
            found.push("has another access list".to_owned());
        }
        Ok(found)
    }

    /// Makes it so.
    pub(crate) fn ensure(&self, file: impl AsFd, is_folder: bool) -> io::Result<Change> {
        let mut change = Change::Unneeded;
        let stat = fstat(&file)?;
        if (stat.st_uid, stat.st_gid) != (self.owner, self.group) {
            // Before the mode: giving a file away takes its special bits.
            fchown(
                &file,
                Some(Uid::from_raw(self.owner)),
                Some(Gid::from_raw(self.group)),
            )?;
            change = Change::Made;
        }
        if is_folder {
            change |= Change::made_if(acl::remove_inherited(&file)?);
        }
        let (list, wanted) = (acl::observe(&file)?, self.list());
        if list != wanted {
            match &wanted {
                Some(wanted) => acl::write(&file, wanted)?,
                None => drop(acl::remove(&file)?),
            }
            change = Change::Made;
        }
        let mode = self.shown_mode(wanted.as_ref());
        if fstat(&file)?.st_mode & ALL_BITS != mode {
            fchmod(&file, Mode::from_raw_mode(mode))?;
            change = Change::Made;
        }
        Ok(change)
    }

    fn shown_mode(&self, list: Option<&AccessList>) -> u32 {
        match list {
            Some(list) => self.mode & 0o7000 | list.mode(),
            None => self.mode & ALL_BITS,
        }
    }
}
