//! Removal of a whole tree that others may be changing: no link is followed, no other file system is entered.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use hostkit_core::kind::{Failure, Kind};
use rustix::fs::{AtFlags, Dir, RenameFlags, ResolveFlags, renameat_with, unlinkat};
use rustix::io::Errno;

use super::failure;
use super::folder::{Folder, checked, open_folder};
use crate::change::Change;

/// Folders that are open at once. What lies deeper is first moved up: a tree can be deeper than files can be open.
const DEEPEST: usize = 48;

/// How often to begin again where somebody writes to the tree meanwhile. Each time empties it; whoever keeps up with
/// that must be stopped first.
const ROUNDS: usize = 50;

/// How often to begin again because folders were moved up: deeper than any tree, and still an end.
const ROUNDS_OF_DEPTH: usize = 100_000;

impl Folder {
    /// Removes what is at a name: a file, a link (not what it leads to), or a whole tree. Where another file system is
    /// mounted in the tree, everything else is removed, and the failure names it.
    pub fn remove_tree(&self, name: &str) -> Result<Change, Failure> {
        let name = checked(self.path(), name)?;
        self.remove_entry(name)
    }

    /// The same for a name as it was read from the folder.
    pub(crate) fn remove_entry(&self, name: &OsStr) -> Result<Change, Failure> {
        let path = self.path().join(name);
        let broken = |e: Errno| failure("remove", &path, &e.into());
        match unlinkat(self, name, AtFlags::empty()) {
            Ok(()) => return Ok(Change::Made),
            Err(Errno::NOENT) => return Ok(Change::Unneeded),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(e) => return Err(broken(e)),
        }
        let (mut rounds, mut rounds_of_depth) = (0, 0);
        while rounds < ROUNDS && rounds_of_depth < ROUNDS_OF_DEPTH {
            let top = match open_folder(self, name, ResolveFlags::NO_XDEV) {
                Ok(top) => top,
                Err(Errno::NOENT) => return Ok(Change::Made),
                Err(e) => return Err(broken(e)),
            };
            let mut sweep = Sweep {
                top: &top,
                has_moved: false,
                mounts: Vec::new(),
                failed: None,
            };
            sweep.empty(&top, Path::new(""), 0);
            match sweep.has_moved {
                true => rounds_of_depth += 1,
                false => rounds += 1,
            }
            match unlinkat(self, name, AtFlags::REMOVEDIR) {
                Ok(()) | Err(Errno::NOENT) => return Ok(Change::Made),
                Err(Errno::NOTEMPTY | Errno::BUSY) => {}
                Err(e) => return Err(broken(e)),
            }
            if let Some(mount) = sweep.mounts.first() {
                let mount = path.join(mount);
                return Err(failure("remove", &mount, &Errno::XDEV.into())
                    .hint(format!("umount {}", mount.display())));
            }
            if let Some((place, why)) = sweep.failed {
                return Err(failure("remove", &path.join(place), &why.into()));
            }
        }
        Err(Failure::new(
            Kind::Unavailable,
            format!(
                "cannot remove `{}`: something keeps writing to it",
                path.display()
            ),
        )
        .hint(format!("fuser -vm {}", path.display())))
    }
}

struct Sweep<'a> {
    top: &'a OwnedFd,
    has_moved: bool,
    mounts: Vec<PathBuf>,
    failed: Option<(PathBuf, Errno)>,
}

impl Sweep<'_> {
    /// Removes what is in an open folder, as far as it can.
    fn empty(&mut self, folder: &OwnedFd, place: &Path, depth: usize) {
        let entries = match Dir::read_from(folder) {
            Ok(entries) => entries,
            Err(e) => return self.note(place, e),
        };
        // Read and removed by turns: a folder may hold more names than memory should.
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) => return self.note(place, e),
            };
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name == "." || name == ".." {
                continue;
            }
            match unlinkat(folder, name, AtFlags::empty()) {
                Ok(()) | Err(Errno::NOENT) => {}
                Err(Errno::ISDIR | Errno::PERM) => self.remove_folder(folder, name, &place.join(name), depth),
                Err(Errno::BUSY) => self.mounts.push(place.join(name)),
                Err(e) => self.note(&place.join(name), e),
            }
        }
    }

    fn remove_folder(&mut self, folder: &OwnedFd, name: &OsStr, place: &Path, depth: usize) {
        if depth >= DEEPEST {
            // The next round finds it at the top.
            match self.move_up(folder, name) {
                Ok(()) => self.has_moved = true,
                Err(Errno::NOENT) => {}
                Err(Errno::BUSY | Errno::XDEV) => self.mounts.push(place.to_owned()),
                Err(e) => self.note(place, e),
            }
            return;
        }
        match open_folder(folder, name, ResolveFlags::NO_XDEV) {
            Ok(inner) => self.empty(&inner, place, depth + 1),
            // Gone, or something else by now: the next round sees what.
            Err(Errno::NOENT | Errno::LOOP | Errno::NOTDIR) => return,
            Err(Errno::XDEV) => return self.mounts.push(place.to_owned()),
            Err(e) => return self.note(place, e),
        }
        match unlinkat(folder, name, AtFlags::REMOVEDIR) {
            Ok(()) | Err(Errno::NOENT | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            Err(Errno::BUSY) => self.mounts.push(place.to_owned()),
            Err(e) => self.note(place, e),
        }
    }

    fn move_up(&self, folder: impl AsFd, name: &OsStr) -> rustix::io::Result<()> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let unique = NEXT.fetch_add(1, Ordering::Relaxed);
            let upper = format!(".hostkit-removing-{}-{unique}", std::process::id());
            match renameat_with(&folder, name, self.top, upper.as_str(), RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => {}
                done => return done,
            }
        }
    }

    fn note(&mut self, place: &Path, why: Errno) {
        self.failed.get_or_insert((place.to_owned(), why));
    }
}
