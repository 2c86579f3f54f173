//! A connection on which a request was sent and part of the answer was read, made to look to hyper as if neither had
//! happened: the request hyper writes goes nowhere, then it reads what was read before, then the socket.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A socket, perhaps with a past.
pub(crate) struct Replay {
    inner: TokioIo<TcpStream>,
    past: Option<Past>,
}

struct Past {
    read: Bytes,
    stage: Stage,
    /// hyper's reader, which waits until the request is written.
    reader: Option<Waker>,
}

#[derive(PartialEq, Eq)]
enum Stage {
    /// The request is still to come.
    Unasked,
    /// It was written, not yet flushed. It has no body, so that its end is the first flush.
    Asked,
    /// What was read is read once more.
    Answering,
}

impl Replay {
    /// A connection nothing was sent on.
    pub(crate) fn new(stream: TcpStream) -> Self {
        Replay {
            inner: TokioIo::new(stream),
            past: None,
        }
    }

    /// A connection with one request, and so much of its answer.
    pub(crate) fn after(stream: TcpStream, read: Bytes) -> Self {
        Replay {
            inner: TokioIo::new(stream),
            past: Some(Past {
                read,
                stage: Stage::Unasked,
                reader: None,
            }),
        }
    }
}

impl Read for Replay {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        match &mut self.past {
            None => {}
            Some(past) if past.stage != Stage::Answering => {
                past.reader = Some(context.waker().clone());
                return Poll::Pending;
            }
            Some(past) => {
                let now = past.read.split_to(past.read.len().min(buffer.remaining()));
                buffer.put_slice(&now);
                if past.read.is_empty() {
                    self.past = None;
                }
                return Poll::Ready(Ok(()));
            }
        }
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl Write for Replay {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match &mut self.past {
            Some(past) if past.stage != Stage::Answering => {
                past.stage = Stage::Asked;
                Poll::Ready(Ok(bytes.len()))
            }
            _ => Pin::new(&mut self.inner).poll_write(context, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(past) = &mut self.past
            && past.stage == Stage::Asked
        {
            past.stage = Stage::Answering;
            if let Some(reader) = past.reader.take() {
                reader.wake();
            }
        }
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}
