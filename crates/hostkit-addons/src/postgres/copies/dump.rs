//! A dump: a database at one moment, in the custom format of `pg_dump`, read as it is written.

use hostkit_core::kind::{Failure, Kind};
use hostkit_host::command::Running;
use tokio::io::AsyncReadExt;
use tokio::process::{ChildStderr, ChildStdout};
use tokio::task::JoinHandle;

use super::tools::Tools;
use crate::postgres::databases::{Errand, May};
use crate::postgres::names::DatabaseName;
use crate::postgres::quote::identifier;
use crate::postgres::session::Access;

/// What of its complaints is shown.
const MOST_COMPLAINTS: u64 = 16 * 1024;

/// A dump that is being made. One that is dropped is cut off; only [`Dump::finish`] says that it is whole.
#[derive(Debug)]
pub struct Dump {
    /// Its bytes.
    pub bytes: ChildStdout,
    running: Running,
    complaints: JoinHandle<String>,
    errand: Errand,
    database: String,
}

impl Dump {
    /// Begins a dump. Its bytes are not compressed where `compression` is 0 (for whoever compresses them himself), else as
    /// gzip does at that level, up to 9.
    pub async fn begin(
        access: &Access,
        tools: &Tools,
        main: &DatabaseName,
        database: &str,
        compression: u8,
    ) -> Result<Self, Failure> {
        let errand = Errand::begin(access, main, May::ReadAll).await?;
        let compression = format!("--compress={}", compression.min(9));
        // Who owns and who may what is said anew at a restore.
        let arguments = [
            "--format=custom",
            &compression,
            "--no-owner",
            "--no-privileges",
            "--no-password",
        ];
        let started = tools.start("pg_dump", &arguments, &errand, database).await;
        let mut running = match started {
            Ok(running) => running,
            Err(failure) => {
                errand.end(access).await?;
                return Err(failure);
            }
        };
        drop(running.input.take());
        let (Some(bytes), Some(errors)) = (running.output.take(), running.errors.take()) else {
            return Err(Failure::new(
                Kind::Internal,
                "cannot dump a database: it has no output",
            ));
        };
        Ok(Dump {
            bytes,
            running,
            complaints: tokio::spawn(read_complaints(errors)),
            errand,
            database: database.to_owned(),
        })
    }

    /// To be called when all bytes were read: whether they are the whole dump.
    pub async fn finish(self, access: &Access) -> Result<(), Failure> {
        let Dump {
            bytes,
            running,
            complaints,
            errand,
            database,
        } = self;
        drop(bytes);
        let ending = running.wait().await;
        let said = complaints.await.unwrap_or_default();
        errand.end(access).await?;
        if ending?.is_success() {
            return Ok(());
        }
        Err(
            Failure::new(Kind::Failed, format!("cannot dump the database `{database}`"))
                .details(last_lines(&said)),
        )
    }
}

pub(super) async fn read_complaints(errors: ChildStderr) -> String {
    let mut errors = errors;
    let mut text = Vec::new();
    let mut kept = (&mut errors).take(MOST_COMPLAINTS);
    // What was said until it ended is what there is to tell.
    let _ = kept.read_to_end(&mut text).await;
    let _ = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&text).into_owned()
}

pub(super) fn last_lines(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(10)..]
        .iter()
        .map(|&line| line.to_owned())
        .collect()
}

/// What a database has in it, counted: what a restored copy is compared with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Contents {
    /// Every table with its number of rows, by schema and name.
    pub tables: Vec<(String, String, i64)>,
    /// How many sequences there are.
    pub sequences: i64,
    /// How many indexes there are.
    pub indexes: i64,
    /// How many views and functions there are.
    pub definitions: i64,
}

/// Counts what is in a database. Every row is read: for a large one that takes its time.
pub async fn contents(access: &Access, main: &DatabaseName, database: &str) -> Result<Contents, Failure> {
    // Not as superuser: a table may be a view that was put in its place, and counting it would run what it says.
    let errand = Errand::begin(access, main, May::ReadAll).await?;
    let counted = count(&errand.access(access), database).await;
    errand.end(access).await?;
    counted
}

async fn count(access: &Access, database: &str) -> Result<Contents, Failure> {
    let act = format!("count what is in `{database}`");
    let session = access.connect(database).await?;
    session
        .run(&act, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
        .await?;
    let ours =
        "n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') AND n.nspname NOT LIKE 'pg_temp%'
        AND n.nspname NOT LIKE 'pg_toast_temp%'";
    let question = format!(
        "SELECT n.nspname::text, c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
         WHERE c.relkind IN ('r', 'm') AND {ours} ORDER BY 1, 2"
    );
    let mut found = Contents::default();
    for row in session.rows(&act, &question, &[]).await? {
        let (schema, table): (String, String) = (row.get(0), row.get(1));
        let count = format!(
            "SELECT count(*) FROM ONLY {}.{}",
            identifier(&schema)?,
            identifier(&table)?
        );
        let rows = session.row(&act, &count, &[]).await?;
        found
            .tables
            .push((schema, table, rows.map_or(0, |row| row.get(0))));
    }
    let question = format!(
        "SELECT count(*) FILTER (WHERE c.relkind = 'S'), count(*) FILTER (WHERE c.relkind IN ('i', 'I')),
                count(*) FILTER (WHERE c.relkind = 'v')
                    + (SELECT count(*) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE {ours})
         FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE {ours}"
    );
    if let Some(row) = session.row(&act, &question, &[]).await? {
        (found.sequences, found.indexes, found.definitions) = (row.get(0), row.get(1), row.get(2));
    }
    Ok(found)
}
