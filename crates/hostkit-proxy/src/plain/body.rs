//! The body of an answer that came the short way.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::{BufMut, Bytes, BytesMut};
use tokio::io::AsyncReadExt;

use super::Plain;

/// How much is read at once at most: more and more of a large body.
const LEAST: usize = 64 * 1024;
const MOST: usize = 256 * 1024;
/// The same where the client has many answers under way at once, and may leave each of them half taken.
const MOST_OF_MANY: usize = 64 * 1024;

/// What is still to come of a body, and the connection it comes on.
pub(crate) struct PlainBody {
    connection: Option<Plain>,
    /// Whether the connection can be asked again behind this body.
    keeps: bool,
    /// Was read together with the head.
    first: Bytes,
    left: u64,
    size: usize,
    most: usize,
}

impl PlainBody {
    /// A body of `length` bytes; `first` was read already, and perhaps more than belongs to it.
    pub(super) fn new(connection: Plain, keeps: bool, length: u64, mut first: Bytes) -> Self {
        let extra = first.len() as u64 > length;
        if extra {
            first.truncate(length as usize);
        }
        PlainBody {
            connection: Some(connection),
            // What comes unasked could be taken for the next answer.
            keeps: keeps && !extra,
            first,
            left: length,
            size: LEAST,
            most: MOST,
        }
    }

    /// It is one of many answers on a connection.
    pub(super) fn of_many(mut self) -> Self {
        self.most = MOST_OF_MANY;
        self
    }

    /// Bytes that were not taken yet.
    pub(crate) fn left(&self) -> u64 {
        self.left
    }

    /// The connection, once the body was taken, if it can be asked again.
    pub(crate) fn connection(&mut self) -> Option<Plain> {
        self.connection.take().filter(|_| self.keeps && self.left == 0)
    }

    /// The next piece.
    pub(crate) fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<io::Result<Bytes>>> {
        if self.left == 0 {
            return Poll::Ready(None);
        }
        if !self.first.is_empty() {
            let first = std::mem::take(&mut self.first);
            self.left -= first.len() as u64;
            return Poll::Ready(Some(Ok(first)));
        }
        Poll::Ready(Some(ready!(self.poll_read(context))))
    }

    fn poll_read(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let Some(connection) = self
            .connection
            .as_mut()
            .filter(|connection| !connection.cut.get())
        else {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        };
        // Memory is taken when there is something to put into it.
        ready!(connection.stream.poll_read_ready(context))?;
        let most = self.left.min(self.size as u64) as usize;
        let mut piece = BytesMut::with_capacity(most).limit(most);
        let read = ready!(pin!(connection.stream.read_buf(&mut piece)).poll(context))?;
        if read == 0 {
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        if read == self.size {
            self.size = self.most.min(self.size * 2);
        }
        self.left -= read as u64;
        Poll::Ready(Ok(piece.into_inner().freeze()))
    }
}
