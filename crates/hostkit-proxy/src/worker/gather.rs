//! What HTTP/2 writes while its connection is polled once, in one piece. Each frame with a body of a kilobyte or more is
//! written and flushed by itself otherwise, and over TLS each write is a record and a system call: with a hundred
//! requests under way that is most of what an answer costs.

use std::cell::RefCell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};

use super::stream::ClientStream;

/// More than this is not gathered: it goes out, and when it cannot, nothing more is taken.
const MOST: usize = 64 * 1024;
/// How much room is made at first: that of a dozen short answers.
const FIRST: usize = 16 * 1024;

/// The socket of an HTTP/2 connection, shared by the connection and who polls it.
#[derive(Clone)]
pub(super) struct Gathered(Rc<RefCell<Inner>>);

struct Inner {
    stream: ClientStream,
    written: Vec<u8>,
    /// How much of that is out.
    out: usize,
    /// Something is to be flushed.
    flushes: bool,
}

impl Gathered {
    /// Gathers what is written to `stream`.
    pub(super) fn new(stream: ClientStream) -> Self {
        Gathered(Rc::new(RefCell::new(Inner {
            stream,
            written: Vec::new(),
            out: 0,
            flushes: false,
        })))
    }

    /// Polls the connection that has this socket, then sends what it wrote. That a write failed is for the connection to
    /// find out when it writes or reads next.
    pub(super) async fn drive<C: Future>(self, connection: C) -> C::Output {
        let mut connection = std::pin::pin!(connection);
        std::future::poll_fn(|context| {
            let polled = connection.as_mut().poll(context);
            if polled.is_pending() {
                drop(self.0.borrow_mut().poll_send(context));
            }
            polled
        })
        .await
    }
}

impl Inner {
    /// Sends what was gathered, to the last byte.
    fn poll_send(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.out < self.written.len() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(context, &self.written[self.out..]))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.out += sent;
        }
        // A connection on which nothing is under way keeps no memory for it.
        (self.written, self.out) = (Vec::new(), 0);
        if self.flushes {
            ready!(Pin::new(&mut self.stream).poll_flush(context))?;
            self.flushes = false;
        }
        Poll::Ready(Ok(()))
    }
}

impl Read for Gathered {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0.borrow_mut().stream).poll_read(context, buffer)
    }
}

impl Write for Gathered {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut inner = self.0.borrow_mut();
        if inner.written.len() + bytes.len() > MOST {
            ready!(inner.poll_send(context))?;
        }
        if bytes.len() >= MOST {
            return Pin::new(&mut inner.stream).poll_write(context, bytes);
        }
        if inner.written.capacity() == 0 {
            inner.written.reserve(FIRST.max(bytes.len()));
        }
        inner.written.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.borrow_mut().flushes = true;
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut inner = self.0.borrow_mut();
        ready!(inner.poll_send(context))?;
        Pin::new(&mut inner.stream).poll_shutdown(context)
    }
}
