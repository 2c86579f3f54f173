//! Buckets: what they hold together, and the rules that their owners set.

use rusqlite::{Connection, OptionalExtension};

use super::{Change, count};
use crate::storage::error::{Result, StorageError};
use crate::storage::names::BucketName;

/// A bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// Its name.
    pub name: String,
    /// When it was made, in milliseconds since 1970.
    pub created: i64,
}

/// What a bucket holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Usage {
    /// How many objects.
    pub objects: u64,
    /// Bytes of them, and of parts of uploads that are not completed. A copy counts as much as what it is a copy of.
    pub bytes: u64,
}

/// Every bucket, by name.
pub fn buckets(connection: &Connection) -> Result<Vec<Bucket>> {
    let mut statement = connection.prepare_cached("SELECT name, created FROM bucket ORDER BY name")?;
    let found = statement.query_map([], |row| {
        Ok(Bucket {
            name: row.get(0)?,
            created: row.get(1)?,
        })
    })?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// What a bucket holds at the moment.
pub fn usage(connection: &Connection, bucket: &BucketName) -> Result<Usage> {
    let (objects, bytes): (i64, i64) = connection
        .prepare_cached("SELECT objects, bytes FROM bucket WHERE name = ?1")?
        .query_row([bucket.as_str()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?
        .ok_or(StorageError::NoSuchBucket)?;
    Ok(Usage {
        objects: count(objects)?,
        bytes: count(bytes)?,
    })
}

/// The rules for requests of pages from elsewhere, as they were set.
pub fn cors(connection: &Connection, bucket: &BucketName) -> Result<Option<String>> {
    rules(connection, "SELECT cors FROM bucket WHERE name = ?1", bucket)
}

/// The rules for objects that expire, as they were set.
pub fn lifecycle(connection: &Connection, bucket: &BucketName) -> Result<Option<String>> {
    rules(connection, "SELECT lifecycle FROM bucket WHERE name = ?1", bucket)
}

fn rules(connection: &Connection, question: &str, bucket: &BucketName) -> Result<Option<String>> {
    connection
        .prepare_cached(question)?
        .query_row([bucket.as_str()], |row| row.get(0))
        .optional()?
        .ok_or(StorageError::NoSuchBucket)
}

/// The number of a bucket.
pub(super) fn number(connection: &Connection, bucket: &BucketName) -> Result<i64> {
    connection
        .prepare_cached("SELECT id FROM bucket WHERE name = ?1")?
        .query_row([bucket.as_str()], |row| row.get(0))
        .optional()?
        .ok_or(StorageError::NoSuchBucket)
}

impl Change<'_> {
    /// Makes a bucket where there is none of that name. `now` is in milliseconds since 1970.
    pub fn ensure_bucket(&self, bucket: &BucketName, now: i64) -> Result<()> {
        self.connection
            .prepare_cached(
                "INSERT INTO bucket (name, created) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
            )?
            .execute((bucket.as_str(), now))?;
        Ok(())
    }

    /// Sets the rules for requests of pages from elsewhere, or removes them.
    pub fn set_cors(&self, bucket: &BucketName, rules: Option<&str>) -> Result<()> {
        self.set_rules("UPDATE bucket SET cors = ?2 WHERE name = ?1", bucket, rules)
    }

    /// Sets the rules for objects that expire, or removes them.
    pub fn set_lifecycle(&self, bucket: &BucketName, rules: Option<&str>) -> Result<()> {
        self.set_rules("UPDATE bucket SET lifecycle = ?2 WHERE name = ?1", bucket, rules)
    }

    fn set_rules(&self, change: &str, bucket: &BucketName, rules: Option<&str>) -> Result<()> {
        match self.connection.execute(change, (bucket.as_str(), rules))? {
            0 => Err(StorageError::NoSuchBucket),
            _ => Ok(()),
        }
    }

    /// Refuses where a bucket has more than `quota` bytes by now.
    pub(super) fn check_quota(&self, bucket: i64, quota: Option<u64>) -> Result<()> {
        let Some(quota) = quota else { return Ok(()) };
        let bytes: i64 = self
            .connection
            .prepare_cached("SELECT bytes FROM bucket WHERE id = ?1")?
            .query_row([bucket], |row| row.get(0))?;
        let needed = count(bytes)?;
        if needed > quota {
            return Err(StorageError::Quota { quota, needed });
        }
        Ok(())
    }
}
