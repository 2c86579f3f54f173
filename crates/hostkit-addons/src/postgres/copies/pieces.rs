//! What programs write and read, piece by piece: a dump that is made, one that is fed to who restores it.

use futures_util::StreamExt;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::Dump;
use hostkit_host::command::{Ending, Running};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;

/// What of its complaints is shown.
const MOST_COMPLAINTS: u64 = 16 * 1024;
/// How many pieces wait for who takes them.
const WAITING: usize = 4;
/// The most bytes of a piece.
const PIECE: usize = 64 * 1024;

/// Bytes, or the end.
pub(super) type Piece = Result<Option<Vec<u8>>, Failure>;

/// What a program writes, as it comes. It ends without a failure only where the program ended well; given up, the program is
/// ended. `after` is done in any case, and apart from who takes the pieces.
pub(crate) fn sent(
    mut running: Running,
    act: String,
    after: impl Future<Output = Result<(), Failure>> + Send + 'static,
) -> Result<Dump, Failure> {
    drop(running.input.take());
    let (Some(bytes), Some(errors)) = (running.output.take(), running.errors.take()) else {
        return Err(Failure::new(
            Kind::Internal,
            format!("cannot {act}: it has no output"),
        ));
    };
    let complaints = tokio::spawn(read_complaints(errors));
    let (pieces, stream) = handed();
    tokio::spawn(async move {
        let written = write(running, bytes, complaints, &act, &pieces).await;
        let end = after.await.and(written);
        // Where nobody is there any more, nobody has to be told.
        drop(pieces.send(end).await);
    });
    Ok(stream)
}

/// A dump, and where its maker hands in what it is made of, and its end.
pub(super) fn handed() -> (Sender<Piece>, Dump) {
    let (pieces, receiver) = mpsc::channel(WAITING);
    (pieces, taken(receiver))
}

/// What is handed in, as a dump.
pub(super) fn taken(pieces: Receiver<Piece>) -> Dump {
    Box::pin(futures_util::stream::unfold(Some(pieces), next))
}

async fn write(
    running: Running,
    mut bytes: ChildStdout,
    complaints: JoinHandle<String>,
    act: &str,
    pieces: &Sender<Piece>,
) -> Piece {
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
    let read = tokio::select! {
        read = read => read,
        // Whatever it waits for: dropped, it is killed.
        () = pieces.closed() => Ok(()),
    };
    if pieces.is_closed() {
        drop(running);
        let message = format!("cannot {act}: nobody takes it");
        return Err(Failure::new(Kind::Unavailable, message));
    }
    drop(bytes);
    let ending = running.wait().await;
    let said = complaints.await.unwrap_or_default();
    match (read, ending?.is_success()) {
        (Err(why), _) => Err(Failure::new(Kind::Internal, format!("cannot {act}: {why}"))),
        (Ok(()), true) => Ok(None),
        (Ok(()), false) => {
            Err(Failure::new(Kind::Failed, format!("cannot {act}")).details(last_lines(&said)))
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

/// Feeds a program and waits for its end: how it ended, and what it complained of. Only a dump that breaks off is a
/// failure here; that a program does not want the rest is told by how it ends.
pub(crate) async fn fed(mut running: Running, dump: Dump) -> Result<(Ending, String), Failure> {
    // What it prints is nobody's, and must not stop it.
    drop(running.output.take());
    let complaints = running
        .errors
        .take()
        .map(|errors| tokio::spawn(read_complaints(errors)));
    let mut read = Ok(());
    if let Some(input) = running.input.take() {
        read = copy(dump, input).await;
    }
    let ending = running.wait().await?;
    let said = match complaints {
        Some(complaints) => complaints.await.unwrap_or_default(),
        None => String::new(),
    };
    read.map(|()| (ending, said))
}

async fn copy(mut dump: Dump, mut input: ChildStdin) -> Result<(), Failure> {
    while let Some(piece) = dump.next().await {
        if input.write_all(&piece?).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

async fn read_complaints(errors: ChildStderr) -> String {
    let mut errors = errors;
    let mut text = Vec::new();
    let mut kept = (&mut errors).take(MOST_COMPLAINTS);
    // What was said until it ended is what there is to tell.
    let _ = kept.read_to_end(&mut text).await;
    let _ = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
    String::from_utf8_lossy(&text).into_owned()
}

/// The end of what was complained of.
pub(crate) fn last_lines(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    lines[lines.len().saturating_sub(10)..]
        .iter()
        .map(|&line| line.to_owned())
        .collect()
}
