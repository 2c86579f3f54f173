//! Removing files that nobody knows: left by a process that was killed between writing a file and recording it, or
//! between forgetting and removing it.

use std::collections::HashSet;
use std::fs;

use super::{ContentId, Contents};
use crate::storage::error::{Result, StorageError};

impl Contents {
    /// Removes every file that is neither in use nor known. `known` is asked for many at once and answers which of them
    /// it has. Returns how many were removed. Blocks; safe at any time.
    pub fn sweep(&self, known: impl Fn(&[ContentId]) -> Result<HashSet<ContentId>>) -> Result<usize> {
        let mut removed = 0;
        for first in 0..=255_u8 {
            let folder = self.inner.folder.join(format!("{first:02x}"));
            let entries =
                fs::read_dir(&folder).map_err(|why| StorageError::file("list files of the storage", why))?;
            let mut found = Vec::new();
            for entry in entries {
                let entry = entry.map_err(|why| StorageError::file("list files of the storage", why))?;
                found.extend(entry.file_name().to_str().and_then(ContentId::parse));
            }
            // In this order: what is not incoming any more by now is in the index, or removed.
            {
                let held = self.held();
                found.retain(|id| !held.incoming.contains(id));
            }
            for chunk in found.chunks(500) {
                let known = known(chunk)?;
                let lost: Vec<ContentId> = chunk.iter().copied().filter(|id| !known.contains(id)).collect();
                self.remove(&lost);
                removed += lost.len();
            }
        }
        Ok(removed)
    }
}
