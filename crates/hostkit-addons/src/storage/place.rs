//! Where things lie in the folder of a storage:
//!
//! ```text
//! objects/index.sqlite objects/contents/   what it holds
//! copying/                                 an index that is being copied out
//! restore.begun/ restore/                  a copy that is being brought in, and one that is whole
//! ```
//!
//! All that it holds is one folder, so that a copy takes its place in one step.

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use super::error::{Result, StorageError};

/// What a storage holds.
pub(super) const OBJECTS: &str = "objects";
/// A copy that waits to be that.
pub(super) const RESTORE: &str = "restore";
/// A copy that is not whole.
pub(super) const BEGUN: &str = "restore.begun";
const COPYING: &str = "copying";
const INDEX: &str = "index.sqlite";
const CONTENTS: &str = "contents";

/// A folder with an index and the files that it names.
pub(super) struct Place(PathBuf);

impl Place {
    /// What a storage holds, in the folder of the storage. Made where there is none.
    pub(super) fn ensure(storage: &Path) -> Result<Self> {
        let place = Place::make(storage.join(OBJECTS))?;
        place.take_in(storage).map_err(unusable)?;
        Ok(place)
    }

    /// An empty one.
    pub(super) fn make_new(path: PathBuf) -> Result<Self> {
        remove(&path)?;
        Place::make(path)
    }

    fn make(path: PathBuf) -> Result<Self> {
        match DirBuilder::new().mode(0o700).create(&path) {
            Err(why) if why.kind() != io::ErrorKind::AlreadyExists => Err(unusable(why)),
            _ => Ok(Place(path)),
        }
    }

    /// The index.
    pub(super) fn index(&self) -> PathBuf {
        self.0.join(INDEX)
    }

    /// The files.
    pub(super) fn contents(&self) -> PathBuf {
        self.0.join(CONTENTS)
    }

    /// Moves in what lies beside this, as storages had it before there were copies of them. The index comes last: until
    /// then it is not here, and all is done again after a kill.
    fn take_in(&self, storage: &Path) -> io::Result<()> {
        if !storage.join(INDEX).exists() {
            return Ok(());
        }
        for name in [CONTENTS, "index.sqlite-wal", "index.sqlite-shm", INDEX] {
            match fs::rename(storage.join(name), self.0.join(name)) {
                Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
                _ => {}
            }
        }
        File::open(&self.0)?.sync_all()?;
        File::open(storage)?.sync_all()
    }
}

/// Where an index is copied to. Removed when dropped; a process that was killed leaves it to the next.
pub(super) struct Copying(PathBuf);

impl Copying {
    /// A folder of its own in that of a storage.
    pub(super) fn begin(storage: &Path, number: u64) -> Result<Self> {
        let folder = storage.join(COPYING);
        let mut builder = DirBuilder::new();
        let made = builder.recursive(true).mode(0o700).create(&folder);
        made.map_err(unusable)?;
        Ok(Copying(folder.join(format!("{number}.sqlite"))))
    }

    /// Removes what killed processes left in the folder of a storage.
    pub(super) fn clean_up(storage: &Path) -> Result<()> {
        remove(&storage.join(COPYING))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Copying {
    fn drop(&mut self) {
        if let Err(why) = fs::remove_file(&self.0)
            && why.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!("cannot remove the copy of an index: {why}");
        }
    }
}

/// Removes a folder with all that is in it; none is fine.
pub(super) fn remove(path: &Path) -> Result<()> {
    match fs::remove_dir_all(path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => {
            Err(StorageError::file("remove a folder of the storage", why))
        }
        _ => Ok(()),
    }
}

fn unusable(why: io::Error) -> StorageError {
    StorageError::file("make the folders of the storage", why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lay_beside_is_taken_in_also_when_that_was_cut_off() {
        for moved in 0..3 {
            let folder = tempfile::tempdir().unwrap();
            let at = |name: &str| folder.path().join(name);
            fs::create_dir_all(at("contents/00")).unwrap();
            fs::write(at("index.sqlite-wal"), "wal").unwrap();
            fs::write(at("index.sqlite"), "index").unwrap();
            fs::create_dir(at("objects")).unwrap();
            for name in ["contents", "index.sqlite-wal"].into_iter().take(moved) {
                fs::rename(at(name), at("objects").join(name)).unwrap();
            }
            for _ in 0..2 {
                let place = Place::ensure(folder.path()).unwrap();
                assert!(place.contents().join("00").is_dir());
                assert_eq!(fs::read(place.index()).unwrap(), b"index");
                assert_eq!(fs::read(at("objects/index.sqlite-wal")).unwrap(), b"wal");
                assert!(!at("index.sqlite").exists() && !at("contents").exists());
            }
        }
    }
}
