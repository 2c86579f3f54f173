//! Objects by age, for rules that let them expire.

use rusqlite::Connection;

use super::list::after_prefix;
use super::object::Tags;
use super::{bucket, count, parsed, stored};
use crate::storage::error::Result;
use crate::storage::names::BucketName;

/// An object that is old enough for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aged {
    /// Its key.
    pub key: String,
    /// Its bytes.
    pub size: u64,
    /// When it was put, in milliseconds since 1970.
    pub modified: i64,
    /// Its entity tag, without quotes.
    pub etag: String,
    /// Its tags.
    pub tags: Tags,
}

/// Objects put before `before` (milliseconds since 1970) whose keys begin with a prefix and stand behind `after`, by
/// key, `most` of them.
pub fn aged(
    connection: &Connection,
    bucket: &BucketName,
    prefix: &str,
    after: &str,
    before: i64,
    most: usize,
) -> Result<Vec<Aged>> {
    let bucket = bucket::number(connection, bucket)?;
    let prefix = prefix.as_bytes();
    let mut statement = connection.prepare_cached(
        "SELECT key, size, modified, etag, tags FROM object
         WHERE bucket = ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3) AND key > ?4 AND modified < ?5
         ORDER BY key LIMIT ?6",
    )?;
    let mut rows = statement.query((
        bucket,
        prefix,
        after_prefix(prefix),
        after.as_bytes(),
        before,
        stored(most as u64)?,
    ))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let tags: Option<String> = row.get(4)?;
        found.push(Aged {
            key: String::from_utf8_lossy(&row.get::<_, Vec<u8>>(0)?).into_owned(),
            size: count(row.get(1)?)?,
            modified: row.get(2)?,
            etag: row.get(3)?,
            tags: tags.as_deref().map_or(Ok(Tags::new()), parsed)?,
        });
    }
    Ok(found)
}
