//! Parts of uploads: put one by one in any order, listed, replaced.

use rusqlite::{Connection, OptionalExtension, Row};

use super::object::Checksums;
use super::{Change, count, parsed, stored, upload, written};
use crate::storage::contents::ContentId;
use crate::storage::error::{Result, StorageError};
use crate::storage::names::{BucketName, ObjectKey};

/// A part that waits for the rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// From 1 to 10,000; says where in the object.
    pub number: u32,
    /// Its bytes.
    pub size: u64,
    /// When it was put, in milliseconds since 1970.
    pub modified: i64,
    /// Its entity tag, without quotes: the MD5 of its bytes.
    pub etag: String,
    /// The file that it is.
    pub content: ContentId,
    /// Its checksums.
    pub checksums: Checksums,
}

/// Some parts of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartList {
    /// By number.
    pub parts: Vec<Part>,
    /// Whether there are more.
    pub is_truncated: bool,
}

const COLUMNS: &str = "number, size, modified, etag, content, checksums";
/// The same where uploads are asked for beside them.
pub(super) const OF_PART: &str =
    "part.number, part.size, part.modified, part.etag, part.content, part.checksums";

/// The parts of an upload behind the number `after`, `most` of them.
pub fn parts(
    connection: &Connection,
    bucket: &BucketName,
    key: &ObjectKey,
    id: &str,
    after: u32,
    most: usize,
) -> Result<PartList> {
    upload::upload(connection, bucket, key, id)?;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM part WHERE upload = ?1 AND number > ?2 ORDER BY number LIMIT ?3"
    ))?;
    let mut rows = statement.query((id, after, stored(most as u64 + 1)?))?;
    let mut parts = Vec::new();
    while let Some(row) = rows.next()? {
        parts.push(of_row(row)?);
    }
    let is_truncated = parts.len() > most;
    parts.truncate(most);
    Ok(PartList { parts, is_truncated })
}

pub(super) fn part(connection: &Connection, upload: &str, number: u32) -> Result<Option<Part>> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM part WHERE upload = ?1 AND number = ?2"
    ))?;
    let mut rows = statement.query((upload, number))?;
    rows.next()?.map(of_row).transpose()
}

pub(super) fn of_row(row: &Row<'_>) -> Result<Part> {
    Ok(Part {
        number: row.get(0)?,
        size: count(row.get(1)?)?,
        modified: row.get(2)?,
        etag: row.get(3)?,
        content: ContentId::from_bytes(row.get(4)?),
        checksums: parsed(&row.get::<_, String>(5)?)?,
    })
}

impl Change<'_> {
    /// Puts a part in the place of the one with its number.
    pub fn put_part(
        &self,
        bucket: &BucketName,
        key: &ObjectKey,
        id: &str,
        part: &Part,
        quota: Option<u64>,
    ) -> Result<()> {
        let (bucket, _) = upload::find(self.connection, bucket, key, id)?;
        self.count_use(part.content)?;
        self.remove_part(id, part.number)?;
        self.connection
            .prepare_cached(&format!(
                "INSERT INTO part (upload, bucket, {COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)"
            ))?
            .execute((
                id,
                bucket,
                part.number,
                stored(part.size)?,
                part.modified,
                &part.etag,
                part.content.bytes(),
                written(&part.checksums)?,
            ))?;
        self.check_quota(bucket, quota)
    }

    fn remove_part(&self, upload: &str, number: u32) -> Result<()> {
        let old: Option<[u8; 16]> = self
            .connection
            .prepare_cached("DELETE FROM part WHERE upload = ?1 AND number = ?2 RETURNING content")?
            .query_row((upload, number), |row| row.get(0))
            .optional()?;
        old.map_or(Ok(()), |old| self.end_use(ContentId::from_bytes(old)))
    }

    /// Removes all parts of an upload.
    pub(super) fn remove_parts(&self, upload: &str) -> Result<()> {
        let contents: Vec<[u8; 16]> = self
            .connection
            .prepare_cached("SELECT content FROM part WHERE upload = ?1")?
            .query_map([upload], |row| row.get(0))?
            .collect::<rusqlite::Result<_>>()?;
        self.connection
            .prepare_cached("DELETE FROM part WHERE upload = ?1")?
            .execute([upload])?;
        contents
            .into_iter()
            .try_for_each(|content| self.end_use(ContentId::from_bytes(content)))
    }
}

impl Part {
    /// Whether it may stand before others: 5 MiB are the least.
    pub(super) fn check_not_last(&self) -> Result<()> {
        if self.size < 5 << 20 {
            return Err(StorageError::PartTooSmall(self.number));
        }
        Ok(())
    }
}
