//! How many objects and parts consist of each file.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension};

use super::Change;
use crate::storage::contents::ContentId;
use crate::storage::error::Result;

impl Change<'_> {
    /// Counts one more use of a file.
    pub(super) fn count_use(&self, id: ContentId) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO content_use (content, uses) VALUES (?1, 1)
                 ON CONFLICT (content) DO UPDATE SET uses = uses + 1",
            )?
            .execute([id.bytes()])?;
        Ok(())
    }

    /// Counts one use less. A file without any is given up.
    pub(super) fn end_use(&self, id: ContentId) -> Result<()> {
        let still = self
            .connection
            .prepare_cached("UPDATE content_use SET uses = uses - 1 WHERE content = ?1 AND uses > 1")?
            .execute([id.bytes()])?;
        if still == 0 {
            self.connection
                .prepare_cached("DELETE FROM content_use WHERE content = ?1")?
                .execute([id.bytes()])?;
            self.free(id);
        }
        Ok(())
    }
}

pub(super) fn known(connection: &Connection, ids: &[ContentId]) -> Result<HashSet<ContentId>> {
    let mut known = HashSet::new();
    let mut statement = connection.prepare_cached("SELECT 1 FROM content_use WHERE content = ?1")?;
    for id in ids {
        if statement
            .query_row([id.bytes()], |_| Ok(()))
            .optional()?
            .is_some()
        {
            known.insert(*id);
        }
    }
    Ok(known)
}
