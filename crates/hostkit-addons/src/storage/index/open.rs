//! Opening the database: files only their owner can read, a schema this version knows, every commit on the disk.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::storage::error::{Result, StorageError};

/// Marks the file as ours: `HKob`.
const APPLICATION_ID: i32 = 0x484b_6f62;
/// The version of the schema that this HostKit writes.
const SCHEMA: i32 = 1;

/// Opens the database for the one who writes it, and makes it where there is none.
pub(super) fn for_writing(path: &Path) -> Result<Connection> {
    // SQLite gives its side files the mode of the main one, which it would make readable for others.
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .map_err(|why| StorageError::file("open the index of the storage", why))?;
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Each commit is on the disk before somebody is told of it.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    let version: i32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    let mark: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
    match (mark, version) {
        (APPLICATION_ID, SCHEMA) => {}
        (APPLICATION_ID, newer) if newer > SCHEMA => {
            return Err(StorageError::Damaged("it was written by a newer HostKit"));
        }
        (0, 0) => connection.execute_batch(&format!(
            "BEGIN;\n{}\nPRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {SCHEMA};\nCOMMIT;",
            include_str!("schema.sql")
        ))?,
        _ => return Err(StorageError::Damaged("it is not an index of a storage")),
    }
    Ok(connection)
}

/// Opens the database for one who looks.
pub(super) fn for_reading(path: &Path) -> Result<Connection> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}
