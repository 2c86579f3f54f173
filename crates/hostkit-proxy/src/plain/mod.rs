//! The short way to a backend, for what most requests are: no body, and an answer of a known length. Such a request is
//! written and its answer read by the client connection's own task, without a task, channels and a second state
//! machine for the backend's connection. Nothing is decided here that could be read in two ways: heads are parsed by
//! `httparse` as hyper does it, and as soon as an answer is anything but plain, its connection is handed to hyper with
//! every byte that was read ([`replay`]), as if hyper had sent the request.

pub(crate) mod body;
pub(crate) mod head;
pub(crate) mod replay;

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{Method, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::body::RequestBody;
use crate::exchange::Exchange;
use body::PlainBody;
use head::{Read, Simple};

/// How much is read at once while a head is awaited. One that is not there in one piece goes to hyper.
const PIECE: usize = 16 * 1024;

/// So many headers are added to most answers: our notes, and those for visitors' safety.
const NOTES: usize = 6;

/// A connection to a backend.
pub(crate) struct Plain {
    stream: TcpStream,
    /// Set when everything that is open on the backend is to be closed.
    cut: Rc<Cell<bool>>,
}

/// Memory of a thread that is used within a single poll.
pub(crate) struct Scratch {
    head: RefCell<Vec<u8>>,
    piece: RefCell<Box<[u8]>>,
}

impl Default for Scratch {
    fn default() -> Self {
        Scratch {
            head: RefCell::default(),
            piece: RefCell::new(vec![0; PIECE].into_boxed_slice()),
        }
    }
}

impl Scratch {
    /// Lends the memory for what is read.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&mut [u8]) -> T) -> T {
        read(&mut self.piece.borrow_mut())
    }
}

/// What became of a request.
pub(crate) enum Asked {
    /// The answer's head is there, without what does not go on to the client.
    Answered(Response<PlainBody>),
    /// The answer is for hyper; so much of it was read.
    Other(Plain, Bytes),
    /// The connection was closed before anything was sent on it.
    Unsent,
    /// It was closed before the answer's head was there.
    Closed,
    /// The backend took too long.
    Late,
}

/// Whether a request may go the short way.
pub(crate) fn suits(request: &Request<RequestBody>, exchange: &Exchange) -> bool {
    exchange.progress.is_none() && !exchange.upgrades && *request.method() != Method::HEAD
}

impl Plain {
    /// A connection that was just opened.
    pub(crate) fn new(stream: TcpStream, cut: Rc<Cell<bool>>) -> Self {
        Plain { stream, cut }
    }

    /// Whether it is still open and silent, as it should be while nothing is asked. Costs a system call only if the
    /// backend did something.
    pub(crate) fn is_fresh(&self) -> bool {
        let asked = self.stream.try_read(&mut [0]);
        !self.cut.get() && matches!(asked, Err(error) if error.kind() == io::ErrorKind::WouldBlock)
    }

    /// The socket, for hyper.
    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Sends `request` with our notes on it, and waits for the answer's head. The request is left as it was, but for
    /// the memory of its headers once there is an answer.
    pub(crate) async fn ask(mut self, request: &mut Request<RequestBody>, exchange: &Exchange) -> Asked {
        let pulse = exchange.pulse();
        let mut rest = None;
        let sent = poll_fn(
            |context| match self.poll_send(context, request, exchange, &mut rest) {
                Poll::Pending if pulse.is_late() => Poll::Ready(None),
                sent => sent.map(Some),
            },
        );
        match sent.await {
            Some(Ok(())) => {}
            Some(Err(asked)) => return asked,
            None => return Asked::Late,
        }
        let read = poll_fn(|context| match self.poll_head(context, exchange) {
            Poll::Pending if pulse.is_late() => Poll::Ready(None),
            read => read.map(Some),
        });
        match read.await {
            None => Asked::Late,
            Some(Err(_)) => Asked::Closed,
            Some(Ok(Read::Other(bytes))) => Asked::Other(self, bytes),
            Some(Ok(Read::Simple(simple))) => Asked::Answered(self.answer(request, simple, exchange)),
        }
    }

    /// Writes the head; what the socket does not take at once waits in `rest`.
    fn poll_send(
        &mut self,
        context: &mut Context<'_>,
        request: &Request<RequestBody>,
        exchange: &Exchange,
        rest: &mut Option<Vec<u8>>,
    ) -> Poll<Result<(), Asked>> {
        while let Some(waiting) = rest {
            if self.cut.get() {
                return Poll::Ready(Err(Asked::Closed));
            }
            match ready!(Pin::new(&mut self.stream).poll_write(context, waiting)) {
                Ok(written) if written == waiting.len() => return Poll::Ready(Ok(())),
                Ok(written) if written > 0 => drop(waiting.drain(..written)),
                _ => return Poll::Ready(Err(Asked::Closed)),
            }
        }
        let mut head = exchange.client.worker.scratch.head.borrow_mut();
        head.clear();
        head::write(&mut head, request, exchange);
        match Pin::new(&mut self.stream).poll_write(context, &head) {
            Poll::Ready(Ok(written)) if written == head.len() => Poll::Ready(Ok(())),
            Poll::Ready(Ok(written)) => {
                *rest = Some(head.split_off(written));
                context.waker().wake_by_ref();
                Poll::Pending
            }
            Poll::Ready(Err(_)) => Poll::Ready(Err(Asked::Unsent)),
            Poll::Pending => Poll::Pending,
        }
    }

    fn poll_head(&mut self, context: &mut Context<'_>, exchange: &Exchange) -> Poll<io::Result<Read>> {
        if self.cut.get() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        let stream = Pin::new(&mut self.stream);
        exchange.client.worker.scratch.read(|room| {
            let mut buffer = ReadBuf::new(room);
            ready!(stream.poll_read(context, &mut buffer))?;
            if buffer.filled().is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            Poll::Ready(Ok(head::read(&Bytes::copy_from_slice(buffer.filled()))))
        })
    }

    /// The answer, in the memory of the request's headers: a map is grown once for a client's connection.
    fn answer(
        self,
        request: &mut Request<RequestBody>,
        simple: Simple,
        exchange: &Exchange,
    ) -> Response<PlainBody> {
        let mut headers = std::mem::take(request.headers_mut());
        headers.clear();
        headers.reserve(simple.headers.len() + NOTES);
        for (name, value) in simple.headers {
            headers.append(name, value);
        }
        let mut body = PlainBody::new(self, simple.keeps, simple.length, simple.body);
        if exchange.stream.is_some() {
            body = body.of_many();
        }
        let mut answer = Response::new(body);
        *answer.status_mut() = simple.status;
        *answer.headers_mut() = headers;
        answer
    }
}
