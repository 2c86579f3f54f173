//! A body that is compressed while it passes. What a poll does is bounded, and when the backend pauses, everything it
//! sent so far goes out.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::HeaderMap;
use hyper::body::Frame;

use super::Coding;
use super::encoder::{Effort, Encoder};
use crate::body::{BodyError, Source};
use crate::worker::bell::Bell;

/// How much is compressed before others get their turn: well below a millisecond of work.
const STEP: usize = 32 * 1024;

/// A body and what compresses it.
pub(crate) struct Compressed {
    source: Source,
    /// None behind the end.
    encoder: Option<Encoder>,
    /// Came from the source and was not compressed yet.
    waiting: Bytes,
    /// Bytes were compressed that a client could not read yet.
    held_back: bool,
    /// It is for others to do something.
    worked: bool,
    trailers: Option<HeaderMap>,
    source_ended: bool,
}

impl Compressed {
    /// Compresses `source`, which has `length` bytes if that is known. Gives it back where that fails.
    pub(crate) fn new(source: Source, coding: Coding, length: Option<u64>) -> Result<Compressed, Source> {
        match Encoder::new(coding, Effort::Once, length) {
            Ok(encoder) => Ok(Compressed {
                source,
                encoder: Some(encoder),
                waiting: Bytes::new(),
                held_back: false,
                worked: false,
                trailers: None,
                source_ended: false,
            }),
            Err(error) => {
                tracing::warn!("cannot compress an answer: {error}");
                Err(source)
            }
        }
    }

    /// The body as it comes.
    pub(crate) fn source(&mut self) -> &mut Source {
        &mut self.source
    }

    /// Whether the body was read to its end.
    pub(crate) fn source_ended(&self) -> bool {
        self.source_ended
    }

    /// Whether nothing is to come.
    pub(crate) fn is_over(&self) -> bool {
        self.encoder.is_none() && self.trailers.is_none()
    }

    /// The next piece of the compressed body.
    pub(crate) fn poll(
        &mut self,
        bell: Option<&Arc<Bell>>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        loop {
            let Some(encoder) = &mut self.encoder else {
                return Poll::Ready(self.trailers.take().map(|trailers| Ok(Frame::trailers(trailers))));
            };
            if self.worked {
                self.worked = false;
                context.waker().wake_by_ref();
                return Poll::Pending;
            }
            if !self.waiting.is_empty() {
                let piece = self.waiting.split_to(self.waiting.len().min(STEP));
                self.worked = !self.waiting.is_empty();
                if let Err(error) = encoder.write(&piece) {
                    return Poll::Ready(Some(Err(error.into())));
                }
                self.held_back = true;
                let output = encoder.take();
                if !output.is_empty() {
                    return Poll::Ready(Some(Ok(Frame::data(output))));
                }
                continue;
            }
            match self.source.poll(bell, context) {
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(data) => self.waiting = data,
                    Err(frame) => self.trailers = frame.into_trailers().ok(),
                },
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                Poll::Ready(None) => {
                    self.source_ended = true;
                    let rest = self.encoder.take().map(Encoder::finish);
                    match rest {
                        Some(Ok(rest)) if !rest.is_empty() => {
                            return Poll::Ready(Some(Ok(Frame::data(rest))));
                        }
                        Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                        _ => {}
                    }
                }
                Poll::Pending if self.held_back => {
                    self.held_back = false;
                    if let Err(error) = encoder.flush() {
                        return Poll::Ready(Some(Err(error.into())));
                    }
                    let output = encoder.take();
                    if !output.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(output))));
                    }
                }
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
