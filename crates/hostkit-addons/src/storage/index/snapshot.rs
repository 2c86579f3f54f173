//! A copy of the index at one moment, in a file of its own, and what it says that there is.

use std::path::Path;

use rusqlite::Connection;

use super::{Index, count, open, stored};
use crate::storage::contents::ContentId;
use crate::storage::error::Result;

/// What a storage holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Holdings {
    /// Buckets.
    pub buckets: u64,
    /// Objects of all buckets.
    pub objects: u64,
    /// Bytes of them. A copy counts as much as what it is a copy of.
    pub bytes: u64,
    /// Uploads that were begun and not completed.
    pub uploads: u64,
    /// Parts that wait for the rest.
    pub parts: u64,
}

/// The index as it was at one moment.
pub struct Snapshot(Connection);

impl Index {
    /// Copies the index as it is now to `path`, which must not exist. Blocks.
    pub fn snapshot(&self, path: &Path) -> Result<Snapshot> {
        self.copy_to(path)?;
        open::for_reading(path).map(Snapshot)
    }

    /// About how many bytes a copy of it has.
    pub fn size(&self) -> Result<u64> {
        self.read(|connection| {
            let pragma = |name| connection.pragma_query_value(None, name, |row| row.get(0));
            Ok(count(pragma("page_count")?)?.saturating_mul(count(pragma("page_size")?)?))
        })
    }
}

impl Snapshot {
    /// What the storage held.
    pub fn holdings(&self) -> Result<Holdings> {
        holdings(&self.0)
    }

    /// Files that it names behind `after`, in their order, `most` of them.
    pub fn contents(&self, after: Option<ContentId>, most: usize) -> Result<Vec<ContentId>> {
        let mut statement = self.0.prepare_cached(
            "SELECT content FROM content_use WHERE ?1 IS NULL OR content > ?1 ORDER BY content LIMIT ?2",
        )?;
        let after = after.as_ref().map(ContentId::bytes);
        let found = statement.query_map((after, stored(most as u64)?), |row| {
            Ok(ContentId::from_bytes(row.get(0)?))
        })?;
        Ok(found.collect::<rusqlite::Result<_>>()?)
    }
}

pub(super) fn holdings(connection: &Connection) -> Result<Holdings> {
    let ask =
        |question: &str| -> Result<u64> { count(connection.query_row(question, [], |row| row.get(0))?) };
    Ok(Holdings {
        buckets: ask("SELECT count(*) FROM bucket")?,
        objects: ask("SELECT count(*) FROM object")?,
        bytes: ask("SELECT coalesce(sum(size), 0) FROM object")?,
        uploads: ask("SELECT count(*) FROM upload")?,
        parts: ask("SELECT count(*) FROM part")?,
    })
}
