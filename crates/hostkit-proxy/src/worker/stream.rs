//! The client's socket as hyper sees it. Two things differ from a plain one: reading and writing tell the
//! connection's [`Pulse`], and closing is either free (nothing unread: `close` says it all) or lingers (something unread: `close`
//! would reset the connection and could take the answer with it).

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::pulse::Pulse;

/// A client's socket.
pub(crate) struct ClientStream {
    inner: TokioIo<TcpStream>,
    pulse: Arc<Pulse>,
    closed: bool,
}

impl ClientStream {
    /// Wraps an accepted socket.
    pub(crate) fn new(stream: TcpStream, pulse: Arc<Pulse>) -> Self {
        ClientStream {
            inner: TokioIo::new(stream),
            pulse,
            closed: false,
        }
    }
}

impl Read for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let outcome = ready!(Pin::new(&mut self.inner).poll_read(context, buffer));
        self.pulse.received();
        Poll::Ready(outcome)
    }
}

impl Write for ClientStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.inner).poll_write(context, bytes);
        self.pulse.stalled(outcome.is_pending());
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closed && !self.pulse.must_linger() {
            return Poll::Ready(Ok(()));
        }
        if !self.closed {
            ready!(Pin::new(self.inner.inner_mut()).poll_shutdown(context))?;
            self.closed = true;
        }
        self.pulse.lingering();
        let mut scratch = [0u8; 4096];
        // The sweep ends this, and a client that sends without end is read a little at a time.
        for _ in 0..64 {
            let mut buffer = ReadBuf::new(&mut scratch);
            let read = ready!(Pin::new(self.inner.inner_mut()).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
