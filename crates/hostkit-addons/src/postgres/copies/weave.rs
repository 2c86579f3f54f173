//! Dumps of one moment, woven into one stream as they are made, and taken apart again as they come.

use futures_util::stream::{SelectAll, select_all};
use futures_util::{Stream, StreamExt};
use hostkit_core::backup::woven::{self, MOST_BYTES, Taken, Unweaver};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::Dump;
use tokio::sync::mpsc::{self, Sender};

use super::head::Head;
use super::pieces::{Piece, handed, taken};

/// How many frames of a strand wait for the program that restores it: some megabytes.
const WAITING: usize = 64;

/// Weaves dumps, of which the first has given its head. One that fails fails the whole, and the others are given up.
/// `after` is done in any case, and once all of them are over.
pub(super) fn weave(
    head: Head,
    strands: Vec<Dump>,
    after: impl Future<Output = Result<(), Failure>> + Send + 'static,
) -> Dump {
    let (frames, stream) = handed();
    tokio::spawn(async move {
        let woven = write(head, strands, &frames).await;
        let end = after.await.and(woven);
        // Where nobody is there any more, nobody has to be told.
        drop(frames.send(end).await);
    });
    stream
}

async fn write(head: Head, strands: Vec<Dump>, frames: &Sender<Piece>) -> Piece {
    let nobody = || Failure::new(Kind::Unavailable, "cannot finish a dump: nobody takes it");
    let send = async |bytes: Vec<u8>| frames.send(Ok(Some(bytes))).await.map_err(|_| nobody());
    send(woven::beginning(strands.len())).await?;
    for bytes in head.bytes.chunks(MOST_BYTES) {
        send(woven::frame(0, bytes)).await?;
    }
    let mut open = opened(strands);
    if !head.is_of_large {
        // Of a small one the head is all: its end comes first.
        send(woven::frame(0, &[])).await?;
    }
    let weaves = async {
        while let Some((strand, piece)) = open.next().await {
            match piece {
                Some(piece) => {
                    for bytes in piece?.chunks(MOST_BYTES) {
                        send(woven::frame(strand, bytes)).await?;
                    }
                }
                None if strand == 0 && !head.is_of_large => {}
                None => send(woven::frame(strand, &[])).await?,
            }
        }
        send(woven::end()).await
    };
    tokio::select! {
        done = weaves => done?,
        // Whatever they wait for: dropped, they are ended.
        () = frames.closed() => return Err(nobody()),
    }
    Ok(None)
}

/// Pieces of strands as they come, each with the number of its strand; nothing is the end of one.
type Open =
    SelectAll<std::pin::Pin<Box<dyn Stream<Item = (usize, Option<Result<Vec<u8>, Failure>>)> + Send>>>;

fn opened(strands: Vec<Dump>) -> Open {
    let numbered = strands.into_iter().enumerate().map(|(strand, dump)| {
        let end = futures_util::stream::iter([(strand, None)]);
        dump.map(move |piece| (strand, Some(piece))).chain(end).boxed()
    });
    select_all(numbered)
}

/// A woven dump that comes, of which the head of the first strand was taken.
pub(super) struct Woven {
    /// Of the first strand.
    pub(super) head: Head,
    reader: Unweaver,
    /// What came with the head and is behind it.
    waiting: Vec<Taken>,
    rest: Dump,
}

impl Woven {
    /// Reads the beginning, of which some bytes have come.
    pub(super) async fn begin(first: &[u8], mut rest: Dump) -> Result<Self, Failure> {
        let mut reader = Unweaver::default();
        let mut waiting = take(&mut reader, first)?;
        let mut head = Head {
            bytes: Vec::new(),
            is_of_large: true,
        };
        loop {
            let mut others = Vec::new();
            for taken in waiting {
                match taken.strand {
                    0 if head.is_wanting() && taken.bytes.is_empty() => head.is_of_large = false,
                    0 if head.is_wanting() => head.bytes.extend(taken.bytes),
                    _ => others.push(taken),
                }
            }
            waiting = others;
            if !head.is_wanting() {
                break;
            }
            match rest.next().await {
                Some(piece) => waiting = take(&mut reader, &piece?)?,
                None => return Err(broken(&woven::Broken::CutShort)),
            }
        }
        if !head.is_of_dump() {
            return Err(broken(&woven::Broken::NotWoven));
        }
        Ok(Woven {
            head,
            reader,
            waiting,
            rest,
        })
    }

    /// The strands as dumps of their own, and what has to be run until they have ended: it waits while one of them is not
    /// taken. Whoever wants no more of one is not in the way of the others.
    pub(super) fn apart(self) -> (Vec<Dump>, impl Future<Output = Result<(), Failure>> + Send) {
        let (mut senders, mut dumps) = (Vec::new(), Vec::new());
        for strand in 0..self.reader.strands() {
            let (sender, receiver) = mpsc::channel(WAITING);
            let ended = strand == 0 && !self.head.is_of_large;
            if ended {
                // Its end came with its head.
                let _ = sender.try_send(Ok(None));
            }
            senders.push((!ended).then_some(sender));
            dumps.push(taken(receiver));
        }
        if let Some(first) = dumps.first_mut() {
            let rest = std::mem::replace(first, Box::pin(futures_util::stream::empty()));
            *first = Box::pin(futures_util::stream::iter([Ok(self.head.bytes)]).chain(rest));
        }
        let (mut reader, mut waiting, mut rest) = (self.reader, self.waiting, self.rest);
        let splits = async move {
            loop {
                for taken in waiting {
                    give(&mut senders, taken).await;
                }
                let Some(piece) = rest.next().await else {
                    return reader.finish().map_err(|why| broken(&why));
                };
                waiting = take(&mut reader, &piece?)?;
            }
        };
        (dumps, splits)
    }
}

/// Hands on what came of a strand.
async fn give(senders: &mut [Option<Sender<Piece>>], taken: Taken) {
    let Some(place) = senders.get_mut(taken.strand) else {
        return;
    };
    let piece = (!taken.bytes.is_empty()).then_some(taken.bytes);
    let is_end = piece.is_none();
    let is_gone = match place {
        Some(sender) => sender.send(Ok(piece)).await.is_err(),
        None => false,
    };
    if is_end || is_gone {
        *place = None;
    }
}

fn take(reader: &mut Unweaver, bytes: &[u8]) -> Result<Vec<Taken>, Failure> {
    reader.take(bytes).map_err(|why| broken(&why))
}

fn broken(why: &woven::Broken) -> Failure {
    Failure::new(Kind::Failed, format!("cannot restore this: {why}"))
        .hint("the database is as it was before; `hostkit backup verify` says which backups are good")
}
