//! The contents the server misses as one tar stream: an entry each, named by its hash. Packed on a thread of its own,
//! so that reading, compressing and sending overlap.

use std::collections::HashSet;
use std::fs::File;
use std::io::{Read, Write};

use bytes::Bytes;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::source::{ContentHash, SourceContent};
use tokio::sync::mpsc;

use super::Tree;
use super::scan::read_failure;

/// How many bytes one piece of the stream has at most.
const PIECE: usize = 128 * 1024;

/// Whether the stream is compressed: not worth it on a socket of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Plain,
    Zstd,
}

/// A stream being packed: pieces as they come, and what became of it.
pub(crate) struct Packed {
    pub(crate) pieces: mpsc::Receiver<Result<Bytes, std::io::Error>>,
    pub(crate) end: tokio::task::JoinHandle<Result<(), Failure>>,
}

/// Packs the contents named in `missing`. `count` hears how many bytes of them were read.
pub(crate) fn pack(
    tree: &Tree,
    missing: &[ContentHash],
    packing: Packing,
    count: impl Fn(u64) + Send + 'static,
) -> Packed {
    let (sender, pieces) = mpsc::channel(8);
    let mut wanted: HashSet<&ContentHash> = missing.iter().collect();
    let mut jobs = Vec::with_capacity(missing.len());
    for file in &tree.files {
        if let SourceContent::File { hash, size, .. } = &file.content
            && wanted.remove(hash)
        {
            jobs.push((
                file.path.clone(),
                file.path.under(&tree.root),
                hash.clone(),
                *size,
            ));
        }
    }
    let end = tokio::task::spawn_blocking(move || {
        let mut pipe = Pipe {
            sender,
            piece: Vec::with_capacity(PIECE),
            unread: false,
        };
        let result = match packing {
            Packing::Plain => write_tar(&mut pipe, &jobs, &count),
            Packing::Zstd => match zstd::Encoder::new(&mut pipe, 1) {
                Err(error) => Err(broken(&error)),
                Ok(mut encoder) => write_tar(&mut encoder, &jobs, &count)
                    .and_then(|()| encoder.finish().map(|_| ()).map_err(|e| broken(&e))),
            },
        };
        let result = result.and_then(|()| pipe.flush_piece().map_err(|e| broken(&e)));
        match result {
            // Whoever reads the stream went away; its own error says more.
            Err(_) if pipe.unread => Ok(()),
            Err(failure) => {
                // The request must not look complete.
                let _ = pipe
                    .sender
                    .blocking_send(Err(std::io::Error::other(failure.message.clone())));
                Err(failure)
            }
            Ok(()) => Ok(()),
        }
    });
    Packed { pieces, end }
}

type Job = (
    hostkit_core::names::RelativePath,
    std::path::PathBuf,
    ContentHash,
    u64,
);

fn write_tar(out: &mut dyn Write, jobs: &[Job], count: &dyn Fn(u64)) -> Result<(), Failure> {
    let mut tar = tar::Builder::new(out);
    for (path, full, hash, size) in jobs {
        let file = File::open(full).map_err(|error| read_failure(path.as_str(), &error))?;
        let found = file
            .metadata()
            .map_err(|error| read_failure(path.as_str(), &error))?
            .len();
        if found != *size {
            return Err(changed(path.as_str()));
        }
        let mut header = tar::Header::new_gnu();
        header.set_size(*size);
        header.set_mode(0o644);
        header.set_entry_type(tar::EntryType::Regular);
        let mut reader = Counted {
            file,
            left: *size,
            count,
        };
        tar.append_data(&mut header, hash.as_str(), &mut reader)
            .map_err(|error| broken(&error))?;
        if reader.left > 0 {
            return Err(changed(path.as_str()));
        }
    }
    tar.finish().map_err(|error| broken(&error))
}

fn changed(path: &str) -> Failure {
    Failure::new(
        Kind::Conflict,
        format!("cannot upload `{path}`: it changed while it was being sent"),
    )
    .hint("run `hostkit deploy` again")
}

fn broken(error: &std::io::Error) -> Failure {
    Failure::new(Kind::Failed, format!("cannot pack the files: {error}"))
}

/// Reads exactly as many bytes as were announced, and counts them.
struct Counted<'a> {
    file: File,
    left: u64,
    count: &'a dyn Fn(u64),
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let most = into.len().min(usize::try_from(self.left).unwrap_or(usize::MAX));
        let read = self.file.read(&mut into[..most])?;
        self.left -= read as u64;
        (self.count)(read as u64);
        Ok(read)
    }
}

/// The writing end: collects bytes into pieces and waits while the network is behind.
struct Pipe {
    sender: mpsc::Sender<Result<Bytes, std::io::Error>>,
    piece: Vec<u8>,
    unread: bool,
}

impl Pipe {
    fn flush_piece(&mut self) -> std::io::Result<()> {
        if self.piece.is_empty() {
            return Ok(());
        }
        let piece = std::mem::replace(&mut self.piece, Vec::with_capacity(PIECE));
        self.sender.blocking_send(Ok(piece.into())).map_err(|_| {
            self.unread = true;
            std::io::ErrorKind::BrokenPipe.into()
        })
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(PIECE - self.piece.len());
        self.piece.extend_from_slice(&bytes[..taken]);
        if self.piece.len() == PIECE {
            self.flush_piece()?;
        }
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
