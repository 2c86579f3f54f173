//! Reading files: those of an object are pinned, so that it is read to its end as it was, whatever replaces it.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use super::{ContentId, Contents};
use crate::storage::error::{Result, StorageError};

/// Files that are not removed as long as this lives.
pub struct Pinned {
    contents: Contents,
    ids: Vec<ContentId>,
}

impl Contents {
    /// Holds files. Whoever found them in the index looks there again afterwards: only if they are still in it, they are
    /// held in time.
    pub fn pin(&self, ids: Vec<ContentId>) -> Pinned {
        let mut held = self.held();
        for id in &ids {
            *held.read.entry(*id).or_default() += 1;
        }
        drop(held);
        Pinned {
            contents: self.clone(),
            ids,
        }
    }
}

impl Pinned {
    /// Opens one of the files. Blocks.
    pub fn open(&self, id: ContentId) -> Result<Arc<File>> {
        File::open(self.contents.path(id))
            .map(Arc::new)
            .map_err(|why| StorageError::file("open an object", why))
    }
}

impl Drop for Pinned {
    fn drop(&mut self) {
        let mut held = self.contents.held();
        for id in &self.ids {
            let is_last = match held.read.get_mut(id) {
                Some(readers) if *readers > 1 => {
                    *readers -= 1;
                    false
                }
                _ => true,
            };
            if is_last {
                held.read.remove(id);
                if held.doomed.remove(id) {
                    self.contents.unlink(*id);
                }
            }
        }
    }
}

/// Reads up to `most` bytes at `offset`. Fewer than there should be are a failure. Blocks.
pub fn read_at(file: &File, offset: u64, most: usize) -> Result<Vec<u8>> {
    let mut bytes = vec![0; most];
    file.read_exact_at(&mut bytes, offset)
        .map_err(|why| StorageError::file("read an object", why))?;
    Ok(bytes)
}
