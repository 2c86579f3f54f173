//! The folder of one world, below which its machines keep their disks. It is locked while its test program lives: a folder
//! that nobody holds was left by one that was killed, and is cleared away by the next.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::cgroups::Cgroups;

/// A locked folder. It is removed when it is dropped.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes one with a name nobody else has.
    pub(super) fn make(parent: &Path) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        fs::create_dir_all(parent)
            .unwrap_or_else(|error| panic!("cannot make `{}`: {error}", parent.display()));
        let turn = File::create(parent.join(".turn")).expect("a lock file can be made");
        turn.lock().expect("a lock can be waited for");
        sweep(parent);
        // A run of many test programs finds all of its machines by this.
        let process = std::process::id();
        let run = std::env::var("HOSTKIT_TEST_RUN").map_or_else(|_| String::new(), |run| format!("{run}-"));
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("hostkit-test-{run}{process}-{number}");
        let path = parent.join(name);
        fs::create_dir(&path).expect("a folder for machines can be made");
        let lock = File::create(path.join("lock")).expect("a lock file can be made");
        lock.lock().expect("a new lock can be taken");
        Folder { path, _lock: lock }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// `hostkit-test-…`, which everything of this world has in its name.
    pub(super) fn name(&self) -> String {
        self.path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.path).ok();
    }
}

/// Removes what killed test programs left: their processes and mounts ended with them, disks and cgroups did not.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let path = entry.path();
        if !path.is_dir() {
            continue;
        }
        let held = File::open(path.join("lock"))
            .is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)));
        if !held {
            Cgroups::remove_named(&entry.file_name().to_string_lossy());
            fs::remove_dir_all(&path).ok();
        }
    }
}
