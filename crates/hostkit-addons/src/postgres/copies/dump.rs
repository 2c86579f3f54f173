//! A dump: a database at one moment, in the custom format of `pg_dump`, read as it is written.

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::Dump;
use hostkit_host::command::Running;
use tokio::io::AsyncReadExt;
use tokio::process::{ChildStderr, ChildStdout};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;

use super::moment::Moment;
use super::tools::Tools;
use crate::postgres::databases::{Errand, May};
use crate::postgres::names::DatabaseName;
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
    let begun = Begun::begin(access, tools, (main, database), compression, None).await?;
    Ok(begun.stream(access, None))
}

/// The same of a moment that was counted, which is over when the dump is.
pub(super) async fn dump_at(
    access: &Access,
    tools: &Tools,
    place: (&DatabaseName, &str),
    compression: u8,
    moment: Moment,
) -> Result<Dump, Failure> {
    match Begun::begin(access, tools, place, compression, Some(&moment.snapshot)).await {
        Ok(begun) => Ok(begun.stream(access, Some(moment))),
        Err(failure) => {
            moment.end(access).await?;
            Err(failure)
        }
    }
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
        snapshot: Option<&str>,
    ) -> Result<Self, Failure> {
        let errand = Errand::begin(access, main, May::ReadAll).await?;
        let compression = format!("--compress={}", compression.min(9));
        // Who owns and who may what is said anew at a restore.
        let snapshot = snapshot.map(|snapshot| format!("--snapshot={snapshot}"));
        let mut arguments = vec![
            "--format=custom",
            &compression,
            "--no-owner",
            "--no-privileges",
            "--no-password",
        ];
        arguments.extend(snapshot.as_deref());
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

    /// The dump as it comes. It is made apart from who takes it: logins are taken away also where nobody takes the rest.
    fn stream(self, access: &Access, moment: Option<Moment>) -> Dump {
        let (pieces, taken) = mpsc::channel(WAITING);
        let access = access.clone();
        tokio::spawn(async move {
            let mut end = self.send(&access, &pieces).await;
            if let Some(moment) = moment
                && let Err(failure) = moment.end(&access).await
            {
                end = end.and(Err(failure));
            }
            // Where nobody is there any more, nobody has to be told.
            drop(pieces.send(end).await);
        });
        Box::pin(futures_util::stream::unfold(Some(taken), next))
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
