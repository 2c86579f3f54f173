//! What objects consist of: files that are written once, under random names, and never changed. Which of them belong to
//! which object is the index's to know. A file that the index does not know is nobody's and swept away.
//!
//! No name of a client is part of a path here.

mod brought;
mod held_back;
mod incoming;
mod outgoing;
mod sweep;

pub use held_back::RemovalsHeld;
pub use incoming::{Incoming, Written};
pub use outgoing::{Pinned, read_at};

use std::collections::{HashMap, HashSet};
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::{Result, StorageError};

/// The name of a file: 16 random bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ContentId([u8; 16]);

impl ContentId {
    fn random() -> Result<Self> {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)
            .map_err(|why| StorageError::file("get random numbers", io::Error::other(why.to_string())))?;
        Ok(ContentId(bytes))
    }

    /// As the index keeps it.
    pub(crate) fn bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// From what the index keeps.
    pub(crate) fn from_bytes(bytes: [u8; 16]) -> Self {
        ContentId(bytes)
    }

    /// As hexadecimal digits.
    pub fn text(self) -> String {
        self.0.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        for (at, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(at * 2..at * 2 + 2)?, 16).ok()?;
        }
        // Digits in upper case, a sign: no name of ours.
        (ContentId(bytes).text() == text).then_some(ContentId(bytes))
    }
}

/// The folder of files. Clones are handles to the same one.
#[derive(Clone)]
pub struct Contents {
    inner: Arc<Inner>,
}

struct Inner {
    folder: PathBuf,
    /// What the disk keeps free, in bytes.
    reserve: u64,
    held: Mutex<Held>,
}

/// What is in use at the moment, besides by the index.
#[derive(Default)]
struct Held {
    /// Being written, or written and not in the index yet.
    incoming: HashSet<ContentId>,
    /// Being read, by how many.
    read: HashMap<ContentId, usize>,
    /// Not in the index any more, to be removed when the last reader is gone.
    doomed: HashSet<ContentId>,
    /// How many hold removal back.
    holders: usize,
    /// Not in the index any more, to be removed when nobody holds removal back.
    later: HashSet<ContentId>,
}

impl Contents {
    /// Opens the folder, making it and the 256 folders in it.
    pub fn open(folder: PathBuf, reserve: u64) -> Result<Self> {
        let make = |folder: &Path| match DirBuilder::new().mode(0o700).create(folder) {
            Err(why) if why.kind() != io::ErrorKind::AlreadyExists => {
                Err(StorageError::file("make a folder for contents", why))
            }
            _ => Ok(()),
        };
        make(&folder)?;
        for first in 0..=255_u8 {
            make(&folder.join(format!("{first:02x}")))?;
        }
        sync_folder(&folder)?;
        sync_folder(folder.parent().unwrap_or(Path::new("/")))?;
        let held = Mutex::default();
        Ok(Contents {
            inner: Arc::new(Inner {
                folder,
                reserve,
                held,
            }),
        })
    }

    /// Whether there is any file. Blocks.
    pub fn has_files(&self) -> Result<bool> {
        let look = |why| StorageError::file("look for contents", why);
        for first in 0..=255_u8 {
            let mut found = fs::read_dir(self.inner.folder.join(format!("{first:02x}"))).map_err(look)?;
            if found.next().transpose().map_err(look)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Removes what the index does not have any more: at once, or when its last reader is gone and nobody holds removal
    /// back. What cannot be removed is left to the next sweep.
    pub fn remove(&self, ids: &[ContentId]) {
        let mut held = self.held();
        for id in ids {
            if held.holders > 0 {
                held.later.insert(*id);
            } else if held.read.contains_key(id) {
                held.doomed.insert(*id);
            } else {
                self.unlink(*id);
            }
        }
    }

    fn unlink(&self, id: ContentId) {
        if let Err(why) = fs::remove_file(self.path(id))
            && why.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(content = id.text(), "cannot remove a file of the storage: {why}");
        }
    }

    pub(crate) fn path(&self, id: ContentId) -> PathBuf {
        let text = id.text();
        self.inner.folder.join(&text[..2]).join(text)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.inner.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Brings the names in a folder to the disk.
fn sync_folder(folder: &Path) -> Result<()> {
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(|why| StorageError::file("bring a folder to the disk", why))
}

#[cfg(test)]
mod tests;
