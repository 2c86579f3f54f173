//! Opening: one process per data folder, files only their owner can read, a schema this version knows.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use rusqlite::Connection;

/// Steps forward, in order; `user_version` counts those that were made.
const MIGRATIONS: [&str; 7] = [
    include_str!("../migrations/0001_nouns.sql"),
    include_str!("../migrations/0002_domain.sql"),
    include_str!("../migrations/0003_canary.sql"),
    include_str!("../migrations/0004_addon.sql"),
    include_str!("../migrations/0005_shared_service.sql"),
    include_str!("../migrations/0006_backup.sql"),
    include_str!("../migrations/0007_addon_made.sql"),
];
/// Marks the file as ours: `HKit`.
const APPLICATION_ID: i32 = 0x484b_6974;

/// The version of the schema this HostKit writes.
pub(crate) const SCHEMA: i32 = MIGRATIONS.len() as i32;

fn cannot(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::new(Kind::Internal, format!("cannot open `{}`: {why}", path.display()))
}

/// Makes the data folder (0700) and locks it for this process, until the file is closed by whatever end.
pub(crate) fn lock(folder: &Path) -> Result<File, Failure> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|e| cannot(folder, e))?;
    let path = folder.join("hostkit.lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(&path)
        .map_err(|e| cannot(&path, e))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::new(
            Kind::Conflict,
            format!(
                "cannot open `{}`: another HostKit uses this data folder",
                folder.display()
            ),
        )
        .hint("see `hostkit status`, or choose another folder with `--data`")),
        Err(TryLockError::Error(e)) => Err(cannot(&path, e)),
    }
}

/// Refuses to begin with nothing where projects are: an empty database wants none of them, so all their programs would
/// be stopped and their routes taken away.
pub(crate) fn refuse_lost(database: &Path, projects: &Path) -> Result<(), Failure> {
    let is_there = fs::metadata(database).is_ok_and(|found| found.len() > 0);
    let has_projects = || fs::read_dir(projects).is_ok_and(|mut entries| entries.next().is_some());
    if is_there || !has_projects() {
        return Ok(());
    }
    Err(
        cannot(database, "it is gone, and projects are still here").hint(format!(
            "put the file back from a copy of the data folder; to begin with nothing, move `{}` away",
            projects.display()
        )),
    )
}

/// Opens the database at `path` and brings its schema up to date.
pub(crate) fn database(path: &Path) -> Result<Connection, Failure> {
    // SQLite gives its side files the mode of the main one, which it would make readable for others.
    let file = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path);
    file.map_err(|e| cannot(path, e))?;
    let is_new = fs::metadata(path).map_err(|e| cannot(path, e))?.len() == 0;
    let mut connection = Connection::open(path).map_err(|e| cannot(path, e))?;
    prepare(&mut connection, is_new).map_err(|why| match why {
        Refusal::Foreign => Failure::new(
            Kind::Conflict,
            format!("cannot open `{}`: it is not a HostKit database", path.display()),
        )
        .hint("put a copy of the data folder back in place, or choose another folder with `--data`"),
        Refusal::Damaged(why) => Failure::new(
            Kind::Internal,
            format!("cannot open `{}`: the file is damaged ({why})", path.display()),
        )
        .hint("put a copy of the data folder back in place"),
        Refusal::Newer(found) => Failure::new(
            Kind::Conflict,
            format!(
                "cannot open `{}`: it was written by a newer HostKit (schema {found}, this one knows {SCHEMA})",
                path.display()
            ),
        )
        .hint("run the newer version of hostkit again"),
        Refusal::Sql(e) => cannot(path, e),
    })?;
    Ok(connection)
}

enum Refusal {
    Foreign,
    Damaged(String),
    Newer(i32),
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(rusqlite::ErrorCode::NotADatabase) => Refusal::Foreign,
            Some(rusqlite::ErrorCode::DatabaseCorrupt) => Refusal::Damaged(error.to_string()),
            _ => Refusal::Sql(error),
        }
    }
}

fn prepare(connection: &mut Connection, is_new: bool) -> Result<(), Refusal> {
    connection.busy_timeout(Duration::from_secs(5))?;
    if is_new {
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    }
    let id: i32 = connection.pragma_query_value(None, "application_id", |r| r.get(0))?;
    if id != APPLICATION_ID {
        return Err(Refusal::Foreign);
    }
    let version: i32 = connection.pragma_query_value(None, "user_version", |r| r.get(0))?;
    if version > SCHEMA {
        return Err(Refusal::Newer(version));
    }
    let verdict: String = connection.query_row("PRAGMA quick_check(1)", [], |r| r.get(0))?;
    if verdict != "ok" {
        return Err(Refusal::Damaged(verdict));
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // Each commit is on the disk before somebody is told of it.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    connection.set_prepared_statement_cache_capacity(64);
    migrate(connection, version)?;
    Ok(())
}

/// Makes the steps after `version`, each with its mark in one transaction.
fn migrate(connection: &mut Connection, version: i32) -> rusqlite::Result<()> {
    for (step, made) in MIGRATIONS.iter().zip(1..) {
        if made <= version {
            continue;
        }
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", made)?;
        transaction.commit()?;
    }
    Ok(())
}
