//! The short way of clients, for what most requests are: a whole head, no body, and an answer of a known length. Such a
//! request is read, answered and its answer written by the connection's task itself, without the buffers and the state
//! machine of hyper. Nothing is decided here that could be read in two ways: heads are parsed by `httparse` as hyper does
//! it ([`request`]), and as soon as a request or its answer is anything else, the connection is handed to hyper with every
//! byte that was read; an answer that is there already is then given when hyper asks for it.

mod answer;
pub(crate) mod request;

use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::io::{self, IoSlice};
use std::mem;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::{Buf, Bytes};
use http::{HeaderMap, Response};
use hyper::body::Body;
use hyper::rt::{Read, ReadBuf, Write};

use super::accept::Client;
use super::pulse::{Order, Pulse};
use super::stream::ClientStream;
use crate::body::AnswerBody;
use crate::forward;

/// So much of a body is gathered before it is written, and so many pieces.
const GATHERED: usize = 64 * 1024;
const PIECES: usize = 8;

/// Why a connection is not served any further.
pub(super) enum Served {
    /// It came to its end.
    Ended,
    /// It was idle for some time: what is left of it is its stream.
    Idle(ClientStream),
    /// What comes next is hyper's. The answer to it may be there already.
    Other(ClientStream, Option<Box<Response<AnswerBody>>>),
}

/// Serves until the connection ends, or is idle for some time, or asks for what is not plain.
pub(super) async fn serve(client: &Rc<Client>, pulse: &Pulse, stream: ClientStream) -> Served {
    let header_bytes = client.worker.shared.limits.header_bytes;
    let mut connection = Connection {
        client,
        pulse,
        stream,
        behind: Bytes::new(),
        order: Order::GoOn,
        waker: None,
        out: Out::default(),
    };
    // The memory of one request's headers is that of its answer's and of the next request's.
    let mut memory = HeaderMap::new();
    loop {
        let bytes = match connection.read().await {
            Came::Bytes(bytes) => bytes,
            Came::End => {
                connection.close().await;
                return Served::Ended;
            }
            Came::Error => return Served::Ended,
            Came::Nothing => return Served::Idle(connection.stream),
            // How a connection is wound up is known where hyper serves it.
            Came::Order => return Served::Other(connection.stream, None),
        };
        let Some(request) = request::read(&bytes, header_bytes, mem::take(&mut memory)) else {
            connection.stream.put_back(bytes);
            return Served::Other(connection.stream, None);
        };
        let Some(answer) = connection.answer(request.parts).await else {
            return Served::Ended;
        };
        let closes = request.closes || connection.is_last();
        let (parts, body) = answer.into_parts();
        let length = answer::write(&mut connection.out.head, &parts, &body, closes);
        let Some(length) = length else {
            connection.out.head.clear();
            connection.stream.put_back(mem::take(&mut connection.behind));
            connection.stream.put_back(bytes);
            let answer = Box::new(Response::from_parts(parts, body));
            return Served::Other(connection.stream, Some(answer));
        };
        memory = parts.headers;
        memory.clear();
        if !connection.write(body, length).await {
            return Served::Ended;
        }
        if closes {
            connection.close().await;
            return Served::Ended;
        }
        connection.stream.put_back(mem::take(&mut connection.behind));
    }
}

/// What became of waiting for a request.
enum Came {
    Bytes(Bytes),
    End,
    Error,
    /// Not for some time.
    Nothing,
    /// It is to be wound up.
    Order,
}

struct Connection<'a> {
    client: &'a Rc<Client>,
    pulse: &'a Pulse,
    stream: ClientStream,
    /// What the client sent behind the request that is being answered.
    behind: Bytes,
    order: Order,
    waker: Option<Waker>,
    out: Out,
}

/// What is to be written.
#[derive(Default)]
struct Out {
    head: Vec<u8>,
    /// How much of it is out.
    sent: usize,
    pieces: VecDeque<Bytes>,
}

impl Connection<'_> {
    /// Polls until there is an outcome; nothing where the connection is to end now.
    async fn unless_ended<T>(
        &mut self,
        mut poll: impl FnMut(&mut Self, &mut Context<'_>) -> Poll<T>,
    ) -> Option<T> {
        poll_fn(|context| {
            self.order = self.pulse.order(context, &mut self.waker);
            match self.order {
                Order::End => Poll::Ready(None),
                Order::GoOn | Order::WindUp => poll(self, context).map(Some),
            }
        })
        .await
    }

    /// Whether no request is taken behind this one.
    fn is_last(&self) -> bool {
        self.order != Order::GoOn || self.client.worker.leaving.get()
    }

    /// Waits for the next request, or for as much of it as comes at once.
    async fn read(&mut self) -> Came {
        let came = self.unless_ended(|this, context| {
            if this.order == Order::WindUp {
                return Poll::Ready(Came::Order);
            }
            match this.poll_take(context) {
                Poll::Ready(Ok(bytes)) if bytes.is_empty() => Poll::Ready(Came::End),
                Poll::Ready(Ok(bytes)) => Poll::Ready(Came::Bytes(bytes)),
                Poll::Ready(Err(_)) => Poll::Ready(Came::Error),
                Poll::Pending if this.client.may_rest() => Poll::Ready(Came::Nothing),
                Poll::Pending => Poll::Pending,
            }
        });
        came.await.unwrap_or(Came::Error)
    }

    fn poll_take(&mut self, context: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        let stream = Pin::new(&mut self.stream);
        self.client.worker.scratch.read(|room| {
            let mut buffer = ReadBuf::new(room);
            ready!(stream.poll_read(context, buffer.unfilled()))?;
            Poll::Ready(Ok(Bytes::copy_from_slice(buffer.filled())))
        })
    }

    /// Waits for the answer to a request; nothing where the client goes away or the connection is to end.
    async fn answer(&mut self, parts: http::request::Parts) -> Option<Response<AnswerBody>> {
        let mut answer = pin!(forward::serve_plain(Rc::clone(self.client), parts));
        let answer = self.unless_ended(|this, context| match answer.as_mut().poll(context) {
            Poll::Ready(answer) => Poll::Ready(Some(answer)),
            Poll::Pending => this.poll_gone(context).map(|()| None),
        });
        answer.await.flatten()
    }

    /// Ready when the client has gone. What it sends instead is kept, a piece at most.
    fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.behind.is_empty() {
            return Poll::Pending;
        }
        match ready!(self.poll_take(context)) {
            Ok(bytes) if !bytes.is_empty() => {
                self.behind = bytes;
                Poll::Pending
            }
            Ok(_) | Err(_) => Poll::Ready(()),
        }
    }

    /// Writes the head and a body of `length` bytes; false where that did not come to its end.
    async fn write(&mut self, body: AnswerBody, length: u64) -> bool {
        let mut left = length;
        let mut body = (!body.is_end_stream()).then_some(body);
        let written = self.unless_ended(|this, context| {
            let written = this.poll_write(context, &mut body, &mut left);
            if written.is_pending() && this.poll_gone(context).is_ready() {
                return Poll::Ready(false);
            }
            written
        });
        written.await.unwrap_or(false)
    }

    /// The body goes, and with it the exchange ends, when its last piece is there, as with hyper.
    fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        body: &mut Option<AnswerBody>,
        left: &mut u64,
    ) -> Poll<bool> {
        loop {
            let mut waits = false;
            while let Some(source) = body
                && self.out.has_room()
            {
                match Pin::new(&mut *source).poll_frame(context) {
                    Poll::Ready(Some(Ok(frame))) => {
                        let is_over = source.is_end_stream();
                        // Behind a known length there are no trailers.
                        let data = frame.into_data().unwrap_or_default();
                        let Some(rest) = left.checked_sub(data.len() as u64) else {
                            return Poll::Ready(false);
                        };
                        *left = rest;
                        if !data.is_empty() {
                            self.out.pieces.push_back(data);
                        }
                        if is_over {
                            *body = None;
                        }
                    }
                    Poll::Ready(Some(Err(_))) => return Poll::Ready(false),
                    Poll::Ready(None) => *body = None,
                    Poll::Pending => {
                        waits = true;
                        break;
                    }
                }
            }
            if ready!(self.out.poll_send(&mut self.stream, context)).is_err() {
                return Poll::Ready(false);
            }
            if body.is_none() {
                return Poll::Ready(*left == 0);
            }
            if waits {
                return Poll::Pending;
            }
        }
    }

    /// Says that nothing more comes, and sees to it that the client gets to see the answer.
    async fn close(&mut self) {
        self.unless_ended(|this, context| Pin::new(&mut this.stream).poll_shutdown(context))
            .await;
    }
}

impl Out {
    fn has_room(&self) -> bool {
        self.pieces.len() < PIECES && self.pieces.iter().map(Bytes::len).sum::<usize>() < GATHERED
    }

    /// Sends all there is.
    fn poll_send(&mut self, stream: &mut ClientStream, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut all = [IoSlice::new(&[]); PIECES + 1];
            let mut count = 0;
            let head = &self.head[self.sent..];
            let head = (!head.is_empty()).then_some(head);
            let each = head.into_iter().chain(self.pieces.iter().map(|piece| &piece[..]));
            for (place, piece) in all.iter_mut().zip(each) {
                *place = IoSlice::new(piece);
                count += 1;
            }
            if count == 0 {
                break;
            }
            match ready!(Pin::new(&mut *stream).poll_write_vectored(context, &all[..count]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.advance(written),
            }
        }
        self.head.clear();
        self.sent = 0;
        Pin::new(stream).poll_flush(context)
    }

    fn advance(&mut self, written: usize) {
        let of_head = written.min(self.head.len() - self.sent);
        self.sent += of_head;
        let mut left = written - of_head;
        while let Some(first) = self.pieces.front_mut()
            && left > 0
        {
            let taken = left.min(first.len());
            first.advance(taken);
            left -= taken;
            if first.is_empty() {
                self.pieces.pop_front();
            }
        }
    }
}
