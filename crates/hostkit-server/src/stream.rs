//! Answers that come line by line and may never end. They end when the reader goes away (the body is dropped), when
//! the server stops, when the reader's token is revoked, or by themselves. An empty line now and then finds out whether somebody still reads.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use bytes::{BufMut, Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use hostkit_api::endpoint::{Form, Payload};
use hostkit_core::kind::{Failure, Kind};

use crate::auth::Leash;
use crate::reply;
use crate::shared::Shared;

/// The longest silence of a stream.
const SILENCE: Duration = Duration::from_secs(15);
/// So many values that are there already travel as one piece.
const BATCH: usize = 256;

/// An answer made of values as they come.
pub(crate) fn answer<P: Payload>(
    shared: Arc<Shared>,
    leash: Leash,
    values: impl Stream<Item = P::Value> + Send + 'static,
) -> Response {
    let batches = Box::pin(values.ready_chunks(BATCH));
    let pieces = futures_util::stream::unfold(Some((shared, leash, batches)), |state| async move {
        let (shared, mut leash, mut batches) = state?;
        let next = tokio::select! {
            () = shared.stop.cancelled() => return None,
            failure = leash.cut() => return Some((Ok(last_line(failure)), None)),
            next = tokio::time::timeout(SILENCE, batches.next()) => next,
        };
        let piece = match next {
            Err(_) => Bytes::from_static(b"\n"),
            Ok(None) => return None,
            Ok(Some(values)) => match lines::<P>(&values) {
                Ok(bytes) => bytes,
                Err(last) => return Some((Ok::<_, std::convert::Infallible>(last), None)),
            },
        };
        Some((Ok(piece), Some((shared, leash, batches))))
    });
    reply::with(P::STATUS, Form::Lines, Body::from_stream(pieces))
}

/// An answer made of bytes as they come. One that cannot go on is broken off, so that nobody takes it for the whole.
pub(crate) fn download(
    shared: Arc<Shared>,
    leash: Leash,
    bytes: impl Stream<Item = Result<Bytes, Failure>> + Send + 'static,
) -> Response {
    let state = Some((shared, leash, Box::pin(bytes)));
    let pieces = futures_util::stream::unfold(state, |state| async move {
        let (shared, mut leash, mut bytes) = state?;
        let next = tokio::select! {
            () = shared.stop.cancelled() => Some(Err(Failure::new(Kind::Unavailable, "HostKit stops"))),
            failure = leash.cut() => Some(Err(failure)),
            next = bytes.next() => next,
        };
        match next? {
            Ok(piece) => Some((Ok(piece), Some((shared, leash, bytes)))),
            Err(failure) => Some((Err(std::io::Error::other(failure)), None)),
        }
    });
    reply::with(200, Form::Bytes, Body::from_stream(pieces))
}

/// Says why a stream does not go on.
fn last_line(failure: Failure) -> Bytes {
    let mut bytes = BytesMut::from(reply::line(reply::told(failure)));
    bytes.put_u8(b'\n');
    bytes.freeze()
}

fn lines<P: Payload>(values: &[P::Value]) -> Result<Bytes, Bytes> {
    let mut bytes = BytesMut::new();
    for value in values {
        match P::encode(value) {
            Ok(line) => bytes.put(line),
            Err(failure) => {
                bytes.put(last_line(failure));
                return Err(bytes.freeze());
            }
        }
        bytes.put_u8(b'\n');
    }
    Ok(bytes.freeze())
}
