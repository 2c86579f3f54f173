//! Locks on files, which die with their holder: open file description locks (`fcntl(2)`), which can be asked about
//! without being taken, so that looking never gets in the way of whoever takes one.

use std::fs::{self, File};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, fcntl};
use nix::libc;

/// The whole file, for one holder.
fn whole_file() -> libc::flock {
    libc::flock {
        l_type: libc::F_WRLCK as libc::c_short,
        l_whence: libc::SEEK_SET as libc::c_short,
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

/// Opens a file, made with mode 0600 where it is missing, and locks it until the answer is dropped. `None` where
/// somebody else holds it, in this process or another.
pub fn try_lock(path: &Path) -> io::Result<Option<File>> {
    let file = File::options().create(true).append(true).mode(0o600).open(path)?;
    match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file())) {
        Ok(_) => Ok(Some(file)),
        Err(Errno::EAGAIN | Errno::EACCES) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// Whether somebody holds the lock of a file; a file that cannot be read is held by nobody.
pub fn is_locked(path: &Path) -> bool {
    let mut asked = whole_file();
    File::open(path).is_ok_and(|file| {
        fcntl(&file, FcntlArg::F_OFD_GETLK(&mut asked)).is_ok()
            && asked.l_type != libc::F_UNLCK as libc::c_short
    })
}

/// A lock whose file is there only while it is held: for turns that are taken under many names.
#[derive(Debug)]
pub struct Turn {
    path: PathBuf,
    _file: File,
}

impl Turn {
    /// Takes the turn named by `path`; `None` where it is somebody else's.
    pub fn try_take(path: PathBuf) -> io::Result<Option<Turn>> {
        let Some(file) = try_lock(&path)? else {
            return Ok(None);
        };
        // Whoever had it before may have removed the file after it was opened here: such a lock binds nobody.
        let current = fs::metadata(&path).is_ok_and(|there| match file.metadata() {
            Ok(held) => (held.dev(), held.ino()) == (there.dev(), there.ino()),
            Err(_) => false,
        });
        Ok(current.then_some(Turn { path, _file: file }))
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // While it is still held, so that only the holder's own file is removed.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_seen_without_being_taken_and_ends_with_its_holder() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("lock");
        assert!(!is_locked(&path));
        let held = try_lock(&path).unwrap().unwrap();
        assert!(is_locked(&path));
        assert!(try_lock(&path).unwrap().is_none());
        drop(held);
        assert!(!is_locked(&path));
        assert!(try_lock(&path).unwrap().is_some());
    }

    #[test]
    fn turns_come_one_after_the_other_and_leave_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("turn");
        let holders = std::sync::atomic::AtomicU32::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let mut taken = 0;
                    while taken < 200 {
                        let Some(turn) = Turn::try_take(path.clone()).unwrap() else {
                            std::thread::yield_now();
                            continue;
                        };
                        assert_eq!(holders.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                        holders.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                        drop(turn);
                        taken += 1;
                    }
                });
            }
        });
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
