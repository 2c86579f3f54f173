//! The disk with the rights of a project and no others. Root that follows a path through folders that somebody else
//! writes to is led wherever a link put there in the meantime points. A thread that gives up root's rights over files
//! for the length of an act is led nowhere that the project could not go itself.

use std::io;
use std::marker::PhantomData;
use std::path::Path;

use hostkit_core::traits::Files;
use nix::unistd::{Gid, Uid, getgroups, setfsgid, setfsuid};
use rustix::thread::set_thread_groups;

use crate::accounts::Account;
use crate::file_ops::DiskFiles;

/// Acts on files as a project's account. Takes root.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OwnFiles {
    account: Account,
    disk: DiskFiles,
}

impl OwnFiles {
    /// The disk as this account may act on it.
    pub(crate) fn of(account: Account) -> Self {
        OwnFiles {
            account,
            disk: DiskFiles::default(),
        }
    }

    fn act<T>(&self, act: impl FnOnce(&DiskFiles) -> io::Result<T>) -> io::Result<T> {
        let _as_project = Acting::begin(self.account)?;
        act(&self.disk)
    }
}

/// This thread's rights over files are an account's until this is dropped. Files alone: its processes and signals stay
/// root's, so nobody of that account gets hold of the thread.
struct Acting {
    before: (Uid, Gid),
    groups: Vec<rustix::process::Gid>,
    /// It belongs to the thread that made it.
    thread: PhantomData<*const ()>,
}

impl Acting {
    fn begin(account: Account) -> io::Result<Acting> {
        let groups = getgroups()?.into_iter();
        let groups = groups.map(|gid| rustix::process::Gid::from_raw(gid.as_raw()));
        let groups: Vec<_> = groups.collect();
        set_thread_groups(&[])?;
        let (uid, gid) = (Uid::from_raw(account.uid), Gid::from_raw(account.gid));
        // The group first: without the user's rights it could not be changed any more.
        let before_gid = setfsgid(gid);
        let before_uid = setfsuid(uid);
        let acting = Acting {
            before: (before_uid, before_gid),
            groups,
            thread: PhantomData,
        };
        // These calls do not say whether they failed: the second one returns what is so now.
        match setfsuid(uid) == uid && setfsgid(gid) == gid {
            true => Ok(acting),
            false => Err(io::ErrorKind::PermissionDenied.into()),
        }
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        setfsuid(self.before.0);
        setfsgid(self.before.1);
        // A thread with fewer rights than it began with can do less, which is safe; it cannot be told here.
        let _ = set_thread_groups(&self.groups);
    }
}

impl Files for OwnFiles {
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        self.act(|disk| disk.free_bytes(path))
    }

    fn exists(&self, path: &Path) -> bool {
        self.act(|disk| Ok(disk.exists(path))).unwrap_or_default()
    }

    fn is_folder(&self, path: &Path) -> bool {
        self.act(|disk| Ok(disk.is_folder(path))).unwrap_or_default()
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        self.act(|disk| disk.create_folder(path))
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        self.act(|disk| disk.names(folder))
    }

    fn read_at(&self, path: &Path, offset: u64, limit: usize) -> io::Result<Vec<u8>> {
        self.act(|disk| disk.read_at(path, offset, limit))
    }

    fn write_private(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.act(|disk| disk.write_private(path, bytes))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn io::Write + Send>> {
        self.act(|disk| disk.append(path))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.act(|disk| disk.rename(from, to))
    }

    fn point_link(&self, link: &Path, target: &Path) -> io::Result<()> {
        self.act(|disk| disk.point_link(link, target))
    }

    fn sync_tree(&self, path: &Path) -> io::Result<()> {
        self.act(|disk| disk.sync_tree(path))
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.act(|disk| disk.remove(path))
    }

    fn clone_tree(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.act(|disk| disk.clone_tree(from, to))
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        self.act(|disk| disk.size(path))
    }
}
