//! A dump: a database at one moment, in the custom format of `pg_dump`, read as it is written.

use hostkit_core::database::Contents;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::Dump;
use hostkit_host::command::Running;
use tokio::io::AsyncReadExt;
use tokio::process::{ChildStderr, ChildStdout};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;

use super::tools::Tools;
use crate::postgres::databases::{Errand, May};
use crate::postgres::names::DatabaseName;
use crate::postgres::quote::identifier;
use crate::postgres::session::Access;

/// What of its complaints is shown.
const MOST_COMPLAINTS: u64 = 16 * 1024;

/// How many pieces of a dump wait for who takes them.
const WAITING: usize = 4;
/// The most bytes of a piece.
const PIECE: usize = 64 * 1024;

/// Begins a dump of a database, with compression as gzip has it (none at 0, for whoever compresses it himself; at most 9).
/// It ends without a failure only where it is whole; given up, it leaves nothing.
pub async fn dump(
    access: &Access,
    tools: &Tools,
    (main, database): (&DatabaseName, &str),
    compression: u8,
) -> Result<Dump, Failure> {
    let begun = Begun::begin(access, tools, (main, database), compression).await?;
    let (pieces, taken) = mpsc::channel(WAITING);
    let access = access.clone();
    // Apart from who takes it: the login is taken away also where nobody takes the rest.
    tokio::spawn(async move {
        let end = begun.send(&access, &pieces).await;
        // Where nobody is there any more, nobody has to be told.
        drop(pieces.send(end).await);
    });
    Ok(Box::pin(futures_util::stream::unfold(Some(taken), next)))
}

/// The next piece. Only the word of its maker ends a dump well: one that is cut short looks like any other.
async fn next(taken: Option<Receiver<Piece>>) -> Option<(Result<Vec<u8>, Failure>, Option<Receiver<Piece>>)> {
    let mut taken = taken?;
    match taken.recv().await {
        Some(Ok(Some(bytes))) => Some((Ok(bytes), Some(taken))),
        Some(Ok(None)) => None,
        Some(Err(failure)) => Some((Err(failure), None)),
        None => {
            let why = "cannot finish a dump: what makes it was broken off";
            Some((Err(Failure::new(Kind::Internal, why)), None))
        }
    }
}

/// Bytes, or the end.
type Piece = Result<Option<Vec<u8>>, Failure>;

/// A dump that is being made.
#[derive(Debug)]
struct Begun {
    bytes: ChildStdout,
    running: Running,
    complaints: JoinHandle<String>,
    errand: Errand,
    database: String,
}

impl Begun {
    async fn begin(
        access: &Access,
        tools: &Tools,
        (main, database): (&DatabaseName, &str),
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
        Ok(Begun {
            bytes,
            running,
            complaints: tokio::spawn(read_complaints(errors)),
            errand,
            database: database.to_owned(),
        })
    }

    /// Sends it piece by piece, takes the login away, and says whether it was the whole.
    async fn send(self, access: &Access, pieces: &Sender<Piece>) -> Piece {
        let Begun {
            mut bytes,
            running,
            complaints,
            errand,
            database,
        } = self;
        let act = format!("dump the database `{database}`");
        let read = async {
            loop {
                let mut piece = vec![0; PIECE];
                let count = bytes.read(&mut piece).await?;
                piece.truncate(count);
                if count == 0 || pieces.send(Ok(Some(piece))).await.is_err() {
                    return Ok::<_, std::io::Error>(());
                }
            }
        };
        let read = read.await;
        drop(bytes);
        if pieces.is_closed() {
            // Dropped, it is killed, whatever it waits for.
            drop(running);
            errand.end(access).await?;
            return Err(Failure::new(
                Kind::Unavailable,
                format!("cannot {act}: nobody takes it"),
            ));
        }
        let ending = running.wait().await;
        let said = complaints.await.unwrap_or_default();
        errand.end(access).await?;
        let ending = ending?;
        match read {
            Err(why) => Err(Failure::new(Kind::Internal, format!("cannot {act}: {why}"))),
            Ok(()) if ending.is_success() => Ok(None),
            Ok(()) => Err(Failure::new(Kind::Failed, format!("cannot {act}")).details(last_lines(&said))),
        }
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
