//! Writing a file: made, filled, brought to the disk, and kept only when the index has it.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;

use super::{ContentId, Contents, sync_folder};
use crate::storage::error::{Result, StorageError};

/// A file that is being written. Dropped before it is finished, it is removed.
pub struct Incoming {
    file: File,
    written: Written,
}

/// A file that is on the disk and in no index yet. Dropped, it is removed; see [`Written::keep`].
pub struct Written {
    contents: Contents,
    id: ContentId,
    size: u64,
    is_ours: bool,
}

impl Contents {
    /// Begins a file that will have some `expected` bytes. Refuses where the disk would be nearly full of it.
    pub fn begin(&self, expected: u64) -> Result<Incoming> {
        self.room_for(expected)?;
        let id = ContentId::random()?;
        self.held().incoming.insert(id);
        let written = Written {
            contents: self.clone(),
            id,
            size: 0,
            is_ours: true,
        };
        let file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(self.path(id))
            .map_err(|why| StorageError::file("make a file for an object", why))?;
        Ok(Incoming { file, written })
    }

    /// Whether the disk has room for some bytes and what is kept free beside them, for the index to go on.
    pub(crate) fn room_for(&self, bytes: u64) -> Result<()> {
        let found = rustix::fs::statvfs(&self.inner.folder)
            .map_err(|why| StorageError::file("ask how full the disk is", why.into()))?;
        let free = found.f_bavail.saturating_mul(found.f_frsize);
        if free < self.inner.reserve.saturating_add(bytes) {
            return Err(StorageError::DiskFull);
        }
        Ok(())
    }
}

impl Incoming {
    /// Adds bytes. Blocks.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        // What was announced may be a lie, or others may have filled the disk meanwhile.
        self.written.contents.room_for(bytes.len() as u64)?;
        self.file
            .write_all(bytes)
            .map_err(|why| StorageError::file("write an object", why))?;
        self.written.size += bytes.len() as u64;
        Ok(())
    }

    /// Brings the file and its name to the disk. Blocks.
    pub fn finish(self) -> Result<Written> {
        self.file
            .sync_all()
            .map_err(|why| StorageError::file("bring an object to the disk", why))?;
        let path = self.written.contents.path(self.written.id);
        if let Some(folder) = path.parent() {
            sync_folder(folder)?;
        }
        Ok(self.written)
    }
}

impl Written {
    /// Its name.
    pub fn id(&self) -> ContentId {
        self.id
    }

    /// How many bytes it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Leaves the file where it is: the index has it, or may have it, and then the next sweep tells.
    pub fn keep(mut self) {
        self.is_ours = false;
    }
}

impl Drop for Written {
    fn drop(&mut self) {
        if self.is_ours {
            self.contents.unlink(self.id);
        }
        self.contents.held().incoming.remove(&self.id);
    }
}
