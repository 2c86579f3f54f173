//! The two bodies of an exchange. Enums, not boxes: they are moved, polled and dropped for every request.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::cache::Reader;
use crate::compress::body::Compressed;
use crate::exchange::Exchange;
use crate::files::FileBody;
use crate::forward::head;
use crate::plain::body::PlainBody;
use crate::worker::bell::Bell;
use crate::worker::http2::Stream;
use crate::worker::pulse::Pulse;

/// Why a body ended early.
pub(crate) type BodyError = Box<dyn std::error::Error + Send + Sync>;

/// How far a request body got; shared by the body, which goes to the backend, and the exchange.
#[derive(Default)]
pub(crate) struct Progress {
    pub(crate) received: Cell<u64>,
    /// Somebody asked for it: a client that waited for that was told to send it.
    pub(crate) asked: Cell<bool>,
    /// It was read to its end.
    pub(crate) done: Cell<bool>,
    /// The client may pause for as long as it likes.
    pub(crate) patient: Cell<bool>,
    /// The client paused for too long.
    pub(crate) timed_out: Cell<bool>,
    /// The client's side broke: it went away, or sent what is no body.
    pub(crate) broken: Cell<bool>,
    /// The most that is taken, where the route has a limit.
    pub(crate) limit: Cell<Option<u64>>,
    /// More than that came.
    pub(crate) too_large: Cell<bool>,
}

/// A request body on its way to a backend.
#[derive(Default)]
pub(crate) struct RequestBody(Option<Box<Upload>>);

struct Upload {
    incoming: Incoming,
    progress: Rc<Progress>,
    pulse: Arc<Pulse>,
    pause: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl RequestBody {
    /// Forwards `incoming`, which has something in it.
    pub(crate) fn new(incoming: Incoming, progress: Rc<Progress>, exchange: &Exchange) -> Self {
        RequestBody(Some(Box::new(Upload {
            incoming,
            progress,
            pulse: Arc::clone(exchange.pulse()),
            pause: exchange.client.worker.shared.limits.body_pause,
            timer: None,
        })))
    }
}

impl Upload {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        self.progress.asked.set(true);
        match Pin::new(&mut self.incoming).poll_frame(context) {
            Poll::Ready(Some(Ok(mut frame))) => {
                if let Some(data) = frame.data_ref() {
                    let received = &self.progress.received;
                    received.set(received.get() + data.len() as u64);
                    if self
                        .progress
                        .limit
                        .get()
                        .is_some_and(|limit| received.get() > limit)
                    {
                        self.progress.too_large.set(true);
                        return Poll::Ready(Some(Err("the request body is too large".into())));
                    }
                }
                if let Some(trailers) = frame.trailers_mut() {
                    head::strip_trailers(trailers);
                }
                if self.incoming.is_end_stream() {
                    self.progress.done.set(true);
                }
                self.pulse.uploading();
                let pause = self.pause;
                if let Some(timer) = &mut self.timer {
                    timer.as_mut().reset(Instant::now() + pause);
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.progress.broken.set(true);
                Poll::Ready(Some(Err(error.into())))
            }
            Poll::Ready(None) => {
                self.progress.done.set(true);
                Poll::Ready(None)
            }
            Poll::Pending if self.progress.patient.get() => Poll::Pending,
            Poll::Pending => {
                let pause = self.pause;
                let timer = self
                    .timer
                    .get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
                std::task::ready!(timer.as_mut().poll(context));
                self.progress.timed_out.set(true);
                Poll::Ready(Some(Err("the request body paused for too long".into())))
            }
        }
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Some(upload) => upload.poll(context),
            None => Poll::Ready(None),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.0
            .as_ref()
            .is_none_or(|upload| upload.incoming.is_end_stream())
    }

    fn size_hint(&self) -> SizeHint {
        self.0
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), |upload| upload.incoming.size_hint())
    }
}

/// An answer's body on its way to the client. Dropping it ends the exchange.
pub(crate) struct AnswerBody {
    source: Source,
    exchange: Option<Box<Exchange>>,
}

/// Where an answer's bytes come from.
pub(crate) enum Source {
    Empty,
    Full(Bytes),
    Backend(Incoming),
    Plain(PlainBody),
    File(FileBody),
    Compressed(Box<Compressed>),
    /// What is being kept for others as well.
    Shared(Reader),
}

impl Source {
    /// The next piece. `bell` is that of the connection to the backend.
    pub(crate) fn poll(
        &mut self,
        bell: Option<&Arc<Bell>>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Poll::Ready(match self {
            Source::Empty => None,
            Source::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                (!bytes.is_empty()).then(|| Ok(Frame::data(bytes)))
            }
            Source::Backend(incoming) => std::task::ready!(match bell {
                Some(bell) => bell.muffle(
                    incoming,
                    |incoming| Pin::new(incoming).poll_frame(context),
                    |incoming| incoming.is_end_stream(),
                ),
                None => Pin::new(incoming).poll_frame(context),
            })
            .map(|frame| frame.map_err(BodyError::from)),
            Source::Plain(body) => std::task::ready!(body.poll(context))
                .map(|bytes| bytes.map(Frame::data).map_err(BodyError::from)),
            Source::File(file) => std::task::ready!(file.poll(context))
                .map(|bytes| bytes.map(Frame::data).map_err(BodyError::from)),
            Source::Compressed(compressed) => std::task::ready!(compressed.poll(bell, context)),
            Source::Shared(reader) => std::task::ready!(reader.poll(context))
                .map(|bytes| bytes.map(Frame::data).map_err(BodyError::from)),
        })
    }

    /// Whether nothing is to come.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Source::Empty => true,
            Source::Full(bytes) => bytes.is_empty(),
            Source::Backend(incoming) => incoming.is_end_stream(),
            Source::Plain(body) => body.left() == 0,
            Source::File(file) => file.left() == 0,
            Source::Compressed(compressed) => compressed.is_over(),
            Source::Shared(reader) => reader.is_over(),
        }
    }

    /// How much is to come.
    pub(crate) fn size_hint(&self) -> SizeHint {
        match self {
            Source::Empty => SizeHint::with_exact(0),
            Source::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Source::Backend(incoming) => incoming.size_hint(),
            Source::Plain(body) => SizeHint::with_exact(body.left()),
            Source::File(file) => SizeHint::with_exact(file.left()),
            Source::Compressed(_) => SizeHint::default(),
            Source::Shared(reader) => reader.left().map_or_else(SizeHint::default, SizeHint::with_exact),
        }
    }
}

impl AnswerBody {
    /// The body of an answer to `exchange`.
    pub(crate) fn new(source: Source, exchange: Box<Exchange>) -> Self {
        let mut body = AnswerBody {
            source,
            exchange: Some(exchange),
        };
        body.note_end();
        body
    }

    /// A body without an exchange, for the 101 of a tunnel that carries the exchange itself.
    pub(crate) fn detached() -> Self {
        AnswerBody {
            source: Source::Empty,
            exchange: None,
        }
    }

    /// What it is the answer of.
    pub(crate) fn exchange(&self) -> Option<&Exchange> {
        self.exchange.as_deref()
    }

    /// Notes whether a piece waits for the client. On a connection with one request at a time the socket shows that.
    fn note_stalled(&self, stalled: bool) {
        let stream: Option<&Stream> = self
            .exchange
            .as_ref()
            .and_then(|exchange| exchange.stream.as_ref());
        if let Some(stream) = stream {
            stream.pulse.stalled(stalled);
        }
    }

    fn note(&mut self, frame: &Option<Result<Frame<Bytes>, BodyError>>) {
        let Some(exchange) = &mut self.exchange else {
            return;
        };
        match frame {
            Some(Ok(frame)) => exchange.sent += frame.data_ref().map_or(0, |data| data.len() as u64),
            Some(Err(_)) => exchange.note_broken(),
            None => {}
        }
        if frame.is_none() && matches!(self.source, Source::Backend(_)) {
            exchange.answer_complete();
        } else {
            self.note_end();
        }
    }

    fn note_end(&mut self) {
        let Some(exchange) = &mut self.exchange else {
            return;
        };
        let source = match &mut self.source {
            Source::Compressed(compressed) => {
                if compressed.source_ended() && matches!(compressed.source(), Source::Backend(_)) {
                    exchange.answer_complete();
                }
                compressed.source()
            }
            source => source,
        };
        match source {
            Source::Backend(incoming) if incoming.is_end_stream() => exchange.answer_complete(),
            Source::Plain(body) if body.left() == 0 => {
                exchange.answer_complete();
                if let Some(lease) = &mut exchange.lease
                    && lease.plain.is_none()
                {
                    lease.plain = body.connection();
                }
            }
            _ => {}
        }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        // The client took what it was given before.
        this.note_stalled(false);
        let bell = this.exchange.as_deref().and_then(Exchange::bell);
        let frame = std::task::ready!(this.source.poll(bell, context));
        this.note(&frame);
        this.note_stalled(matches!(frame, Some(Ok(_))));
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.source.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.source.size_hint()
    }
}
