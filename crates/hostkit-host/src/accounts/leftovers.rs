//! What an account leaves behind outside of its home, in places where the next account of the same number would find
//! it as its own.

use std::path::Path;

use hostkit_core::kind::{Failure, Kind};

use crate::beneath::Folder;
use crate::change::Change;
use crate::system_program::SystemProgram;

/// Mail, cron and at tables, and the folders for everybody.
const PLACES: &[&str] = &[
    "/var/mail",
    "/var/spool/cron/crontabs",
    "/var/spool/cron/atjobs",
    "/var/spool/cron/atspool",
    "/var/crash",
    "/run/lock",
    "/tmp",
    "/var/tmp",
    "/dev/shm",
    "/dev/mqueue",
];

/// Shared memory, message queues and semaphores of System V: what the kernel lists, and how `ipcrm` calls them.
const IPC: [(&str, &str); 3] = [
    ("/proc/sysvipc/shm", "--shmem-id"),
    ("/proc/sysvipc/msg", "--queue-id"),
    ("/proc/sysvipc/sem", "--semaphore-id"),
];
const IPCRM: SystemProgram = SystemProgram::new("ipcrm", "util-linux");

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

/// Removes the System V objects that the account made or owns. No process holds them: they outlive all that used them.
/// (A project's units have theirs apart, and they go with each unit; these are from logins.)
pub(super) async fn remove_ipc(uid: u32) -> Result<Change, Failure> {
    let mut arguments = Vec::new();
    for (list, option) in IPC {
        // A kernel that knows none has no list.
        let text = std::fs::read_to_string(list).unwrap_or_default();
        for id in objects_of(uid, &text) {
            arguments.push(format!("{option}={id}"));
        }
    }
    if arguments.is_empty() {
        return Ok(Change::Unneeded);
    }
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    // Systemd takes away what a logged out account has left, and may have been first.
    let _ = IPCRM.run(&words, b"").await?;
    Ok(Change::Made)
}

/// The ids of the objects of an account: a table with a line of names above it.
fn objects_of(uid: u32, table: &str) -> Vec<i32> {
    let mut lines = table.lines().map(|line| line.split_whitespace());
    let names: Vec<&str> = lines.next().into_iter().flatten().collect();
    let column = |wanted: &[&str]| names.iter().position(|name| wanted.contains(name));
    let (Some(id), Some(owner), Some(maker)) = (
        column(&["shmid", "msqid", "semid"]),
        column(&["uid"]),
        column(&["cuid"]),
    ) else {
        return Vec::new();
    };
    lines
        .filter_map(|line| {
            let fields: Vec<&str> = line.collect();
            let is_its = [owner, maker]
                .iter()
                .any(|at| fields.get(*at).and_then(|field| field.parse().ok()) == Some(uid));
            fields.get(id)?.parse().ok().filter(|_| is_its)
        })
        .collect()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_account_made_or_owns_is_found_in_the_kernels_table() {
        let table = "       key      shmid perms size  cpid  lpid nattch   uid   gid  cuid  cgid\n\
                     0          7  1600 4096    12    13      0  1001  1001  1001  1001\n\
                     0          8  1600 4096    12    13      0  1002  1001  1001  1001\n\
                     0          9  1600 4096  1001  1001      0  1002  1001  1002  1001\n";
        assert_eq!(objects_of(1001, table), [7, 8]);
        assert_eq!(objects_of(1003, table), Vec::<i32>::new());
        for strange in [
            "",
            "\n",
            "shmid uid\n7 1001\n",
            "semid uid cuid\nx 1001 1001\n7\n",
        ] {
            assert_eq!(objects_of(1001, strange), Vec::<i32>::new(), "{strange}");
        }
    }
}
