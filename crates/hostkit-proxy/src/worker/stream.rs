//! The client's socket as hyper sees it, with or without TLS. Two things differ from a plain one: reading and writing tell
//! the connection's [`Pulse`], and closing is either free (nothing unread: `close` says it all) or lingers (something
//! unread: `close` would reset the connection and could take the answer with it).

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::mem;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::server::TlsStream;

use super::pulse::Pulse;

/// What is shorter altogether is written in one piece, not in several: the system takes one piece faster than two, but
/// copying what is longer costs more than that.
const SHORT: usize = 4 * 1024;

/// A client's socket.
pub(crate) struct ClientStream {
    wire: Wire,
    pulse: Arc<Pulse>,
    /// Was read before and is to be read again.
    again: Bytes,
    /// Our side said that it is done.
    closed: bool,
}

enum Wire {
    Plain(TokioIo<TcpStream>),
    // In a box: it is a kilobyte, which plain connections need not carry.
    Tls(Box<TokioIo<TlsStream<TcpStream>>>),
}

impl Wire {
    fn socket(&mut self) -> &mut TcpStream {
        match self {
            Wire::Plain(stream) => stream.inner_mut(),
            Wire::Tls(stream) => stream.inner_mut().get_mut().0,
        }
    }
}

impl ClientStream {
    /// Wraps an accepted socket.
    pub(crate) fn plain(stream: TcpStream, pulse: Arc<Pulse>) -> Self {
        ClientStream::new(Wire::Plain(TokioIo::new(stream)), pulse)
    }

    /// Wraps a socket after its handshake.
    pub(crate) fn tls(stream: Box<TokioIo<TlsStream<TcpStream>>>, pulse: Arc<Pulse>) -> Self {
        ClientStream::new(Wire::Tls(stream), pulse)
    }

    fn new(wire: Wire, pulse: Arc<Pulse>) -> Self {
        ClientStream {
            wire,
            pulse,
            again: Bytes::new(),
            closed: false,
        }
    }

    /// Has these bytes read first, which somebody read who does not need them.
    pub(super) fn put_back(&mut self, bytes: Bytes) {
        self.again = match self.again.is_empty() {
            true => bytes,
            false => [bytes, mem::take(&mut self.again)].concat().into(),
        };
    }

    /// Whether there may be something to read.
    pub(super) fn poll_readable(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.again.is_empty() {
            return Poll::Ready(());
        }
        // Who found the stream empty found TLS empty as well, so that the socket alone is left to be asked. An error is for
        // who reads.
        self.wire.socket().poll_read_ready(context).map(drop)
    }

    /// Says that nothing more comes from our side: in TLS with an alert, so that the end cannot be forged.
    fn poll_close(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream.inner_mut()).poll_shutdown(context),
            Wire::Tls(stream) => Pin::new(stream.inner_mut()).poll_shutdown(context),
        }
    }
}

impl Read for ClientStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.again.is_empty() {
            let piece = self.again.len().min(buffer.remaining());
            buffer.put_slice(&self.again.split_to(piece));
            self.pulse.received();
            return Poll::Ready(Ok(()));
        }
        let outcome = ready!(match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Wire::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        });
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
        let outcome = match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Wire::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        };
        self.pulse.stalled(outcome.is_pending());
        outcome
    }

    /// Long bodies are written from where they lie.
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        pieces: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        thread_local! {
            static JOINED: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
        }
        if pieces.iter().map(|piece| piece.len()).sum::<usize>() <= SHORT {
            return JOINED.with_borrow_mut(|joined| {
                joined.clear();
                pieces.iter().for_each(|piece| joined.extend_from_slice(piece));
                self.poll_write(context, joined)
            });
        }
        let outcome = match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
            Wire::Tls(stream) => Pin::new(stream).poll_write_vectored(context, pieces),
        };
        self.pulse.stalled(outcome.is_pending());
        outcome
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.wire {
            Wire::Plain(stream) => Pin::new(stream).poll_flush(context),
            Wire::Tls(stream) => {
                // What was written may wait in the session until here.
                let outcome = Pin::new(stream).poll_flush(context);
                self.pulse.stalled(outcome.is_pending());
                outcome
            }
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.closed {
            self.pulse.closing();
            let lingers = self.pulse.must_linger();
            if !lingers && matches!(self.wire, Wire::Plain(_)) {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_close(context))?;
            if !lingers {
                return Poll::Ready(Ok(()));
            }
            self.closed = true;
        }
        self.pulse.lingering();
        let mut scratch = [0u8; 4096];
        // The sweep ends this, and a client that sends without end is read a little at a time.
        for _ in 0..64 {
            let mut buffer = ReadBuf::new(&mut scratch);
            let read = ready!(Pin::new(self.wire.socket()).poll_read(context, &mut buffer));
            if read.is_err() || buffer.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}
