//! What an account leaves behind outside of its home, in places where the next account of the same number would find
//! it as its own.

use std::path::Path;

use hostkit_core::kind::{Failure, Kind};

use crate::beneath::Folder;
use crate::change::Change;

/// Mail, cron and at tables, and the folders for everybody.
const PLACES: &[&str] = &[
    "/var/mail",
    "/var/spool/cron/crontabs",
    "/var/spool/cron/atjobs",
    "/tmp",
    "/var/tmp",
    "/dev/shm",
];

/// Where systemd keeps who may run programs without being logged in: an empty file of the account's name.
const LINGER: &str = "/var/lib/systemd/linger";

/// Removes what lies in those places and belongs to the account. What belongs to others stays.
pub(super) fn remove(uid: u32) -> Result<Change, Failure> {
    let mut change = Change::Unneeded;
    for place in PLACES {
        if let Some(folder) = open(Path::new(place))? {
            change |= remove_owned(&folder, uid)?;
        }
    }
    Ok(change)
}

/// Takes back the right to run programs without being logged in.
pub(super) fn remove_linger(name: &str) -> Result<Change, Failure> {
    match open(Path::new(LINGER))? {
        Some(folder) => folder.remove_file(name),
        None => Ok(Change::Unneeded),
    }
}

/// Removes the entries of a folder that belong to an account, with all that is below them.
pub(super) fn remove_owned(folder: &Folder, uid: u32) -> Result<Change, Failure> {
    let mut change = Change::Unneeded;
    for name in folder.names()? {
        let Some(stat) = folder.look(&name)? else { continue };
        // In a folder for everybody nobody but root and the owner can put something else at that name; and the
        // account runs nothing any more.
        if stat.st_uid == uid {
            change |= folder.remove_entry(&name)?;
        }
    }
    Ok(change)
}

fn open(path: &Path) -> Result<Option<Folder>, Failure> {
    match Folder::open(path) {
        Ok(folder) => Ok(Some(folder)),
        Err(failure) if failure.kind == Kind::NotFound => Ok(None),
        Err(failure) => Err(failure),
    }
}
