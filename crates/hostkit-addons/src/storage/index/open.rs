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
/// What is in it.
const TABLES: &str = include_str!("schema.sql");

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
    if marks(&connection)? == (0, 0) {
        connection.execute_batch(&format!(
            "BEGIN;\n{TABLES}\nPRAGMA application_id = {APPLICATION_ID};\nPRAGMA user_version = {SCHEMA};\nCOMMIT;"
        ))?;
    }
    check_marks(&connection)?;
    Ok(connection)
}

/// Refuses a database that is not just what we make: another table, a trigger or a view of somebody's would be run by what
/// we ask.
pub(super) fn check_ours(connection: &Connection) -> Result<()> {
    check_marks(connection)?;
    let ours = Connection::open_in_memory()?;
    ours.execute_batch(TABLES)?;
    match described(connection)? == described(&ours)? {
        true => Ok(()),
        false => Err(StorageError::Damaged(
            "it has other tables than an index of a storage",
        )),
    }
}

fn described(connection: &Connection) -> Result<Vec<[Option<String>; 4]>> {
    let mut statement =
        connection.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name")?;
    let found = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?]))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

fn marks(connection: &Connection) -> Result<(i32, i32)> {
    let number = |name| connection.pragma_query_value(None, name, |row| row.get(0));
    Ok((number("application_id")?, number("user_version")?))
}

fn check_marks(connection: &Connection) -> Result<()> {
    match marks(connection)? {
        (APPLICATION_ID, SCHEMA) => Ok(()),
        (APPLICATION_ID, newer) if newer > SCHEMA => {
            Err(StorageError::Damaged("it was written by a newer HostKit"))
        }
        _ => Err(StorageError::Damaged("it is not an index of a storage")),
    }
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
