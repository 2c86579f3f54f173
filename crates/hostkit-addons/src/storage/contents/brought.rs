//! Bringing files in under names that were given elsewhere: those of a copy of the storage.

use std::fs::{File, OpenOptions, hard_link};
use std::io::{self, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use super::{ContentId, Contents};
use crate::storage::error::{Result, StorageError};

/// Bytes that are read at once.
const BLOCK: usize = 512 << 10;

/// A file as far as it has come.
enum Coming {
    /// So far every byte is that of a file that is there, which was never changed and never will be.
    Same(File),
    /// Written anew.
    New(File),
}

impl Contents {
    /// Makes a file of `size` bytes that come from a reader, and shows each block to `seen`. Where `twins` have a file of
    /// that name with the same bytes, it gets a second name and takes no room. Whoever
    /// brings files in brings them to the disk. Blocks.
    pub fn bring_in(
        &self,
        (id, size): (ContentId, u64),
        from: &mut impl Read,
        twins: &Contents,
        mut seen: impl FnMut(&[u8]),
    ) -> Result<()> {
        let path = self.path(id);
        let mut coming = match twin(&twins.path(id), size) {
            Some(file) => Coming::Same(file),
            None => Coming::New(self.make(&path)?),
        };
        let (mut done, mut block) = (0, vec![0; BLOCK]);
        while done < size {
            let most = usize::try_from(size - done).unwrap_or(BLOCK).min(BLOCK);
            let read = from.read(&mut block[..most]).map_err(StorageError::unread)?;
            if read == 0 {
                return Err(StorageError::unread(io::ErrorKind::UnexpectedEof.into()));
            }
            let bytes = &block[..read];
            seen(bytes);
            if let Coming::Same(file) = &coming
                && !holds(file, done, bytes)
            {
                coming = Coming::New(self.begin_as(file, done, &path)?);
            }
            if let Coming::New(file) = &mut coming {
                self.room_for(read as u64)?;
                file.write_all(bytes).map_err(unwritten)?;
            }
            done += read as u64;
        }
        match coming {
            // Another storage on the disk may have taken the name away, or the disk may know no second names.
            Coming::Same(file) if hard_link(twins.path(id), &path).is_err() => {
                self.begin_as(&file, size, &path).map(drop)
            }
            _ => Ok(()),
        }
    }

    /// Makes a file with the first bytes of another.
    fn begin_as(&self, other: &File, bytes: u64, path: &Path) -> Result<File> {
        self.room_for(bytes)?;
        let mut file = self.make(path)?;
        let mut from = other.try_clone().map_err(unwritten)?;
        io::Seek::rewind(&mut from).map_err(unwritten)?;
        let copied = io::copy(&mut from.take(bytes), &mut file).map_err(unwritten)?;
        match copied == bytes {
            true => Ok(file),
            false => Err(unwritten(io::ErrorKind::UnexpectedEof.into())),
        }
    }

    fn make(&self, path: &Path) -> Result<File> {
        let mut options = OpenOptions::new();
        let made = options.write(true).create_new(true).mode(0o600).open(path);
        made.map_err(|why| StorageError::file("make a file for an object", why))
    }
}

/// A file that may be the same.
fn twin(path: &Path, size: u64) -> Option<File> {
    let file = File::open(path).ok()?;
    (file.metadata().ok()?.len() == size).then_some(file)
}

fn holds(file: &File, at: u64, bytes: &[u8]) -> bool {
    let mut there = vec![0; bytes.len()];
    file.read_exact_at(&mut there, at).is_ok() && there == bytes
}

fn unwritten(why: io::Error) -> StorageError {
    StorageError::file("write an object", why)
}
