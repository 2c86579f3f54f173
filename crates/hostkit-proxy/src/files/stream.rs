//! Reading a file as an answer's body, a piece at a time. Pieces that are in memory are read at once; a disk is
//! waited for on another thread, so that it holds up nobody else.

use std::future::Future;
use std::io::{self, IoSliceMut};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use rustix::io::{ReadWriteFlags, pread, preadv2};
use tokio::task::JoinHandle;

const PIECE: u64 = 128 * 1024;

/// Part of a file.
pub(crate) struct FileBody {
    fd: Arc<OwnedFd>,
    at: u64,
    left: u64,
    reading: Option<JoinHandle<io::Result<Vec<u8>>>>,
}

impl FileBody {
    /// `length` bytes from `from` on.
    pub(super) fn new(fd: Arc<OwnedFd>, from: u64, length: u64) -> Self {
        FileBody {
            fd,
            at: from,
            left: length,
            reading: None,
        }
    }

    /// How many bytes are to come.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// Everything, if it is not more than `most` and in memory.
    pub(super) fn read_small(&mut self, most: u64) -> Option<Vec<u8>> {
        if self.left > most {
            return None;
        }
        let bytes = self.read_cached(self.left)?;
        (bytes.len() as u64 == self.left).then_some(bytes)
    }

    /// Everything, however long the disk takes.
    pub(super) fn read_all(self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; self.left as usize];
        let mut done = 0;
        while done < bytes.len() {
            match pread(&*self.fd, &mut bytes[done..], self.at + done as u64)? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                read => done += read,
            }
        }
        Ok(bytes)
    }

    fn read_cached(&self, length: u64) -> Option<Vec<u8>> {
        let mut bytes = vec![0; length as usize];
        let read = preadv2(
            &self.fd,
            &mut [IoSliceMut::new(&mut bytes)],
            self.at,
            ReadWriteFlags::NOWAIT,
        )
        .ok()?;
        bytes.truncate(read);
        (read > 0).then_some(bytes)
    }

    /// The next piece; nothing at the end. A file that became shorter is an error: its length was told already.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        let wanted = self.left.min(PIECE);
        let outcome = if let Some(reading) = &mut self.reading {
            let outcome =
                ready!(Pin::new(reading).poll(context)).unwrap_or_else(|error| Err(io::Error::other(error)));
            self.reading = None;
            outcome
        } else if let Some(bytes) = self.read_cached(wanted) {
            Ok(bytes)
        } else {
            let (fd, at) = (Arc::clone(&self.fd), self.at);
            self.reading = Some(tokio::task::spawn_blocking(move || {
                let mut bytes = vec![0; wanted as usize];
                let read = pread(&*fd, &mut bytes, at)?;
                bytes.truncate(read);
                Ok(bytes)
            }));
            return self.poll(context);
        };
        match outcome {
            Ok(bytes) if bytes.is_empty() => Poll::Ready(Some(Err(io::ErrorKind::UnexpectedEof.into()))),
            Ok(bytes) => {
                self.at += bytes.len() as u64;
                self.left -= bytes.len() as u64;
                Poll::Ready(Some(Ok(Bytes::from(bytes))))
            }
            Err(error) => Poll::Ready(Some(Err(error))),
        }
    }
}
