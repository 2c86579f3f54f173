//! What of a body nobody read, because the answer was clear before: thrown away where it is little, and where it is not, the
//! connection ends. So it does where the client waits to be asked for its body (`Expect: 100-continue`): it may send the
//! next request instead (RFC 9110, section 10.1.1), and hyper would take the first bytes of that for the body.

use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::body::Incoming;

/// Bytes that are thrown away at most.
const MOST: usize = 256 << 10;
/// For how long that may take.
const PATIENCE: Duration = Duration::from_secs(2);

/// A body that hands back what was not read of it.
pub(super) struct Watched {
    body: Option<Incoming>,
    rest: Rest,
}

/// What was not read of a body, once that is dropped.
#[derive(Clone)]
pub(super) struct Rest {
    slot: Arc<Mutex<Option<Incoming>>>,
    /// The client sends nothing before it is told to (`Expect: 100-continue`).
    waits: bool,
}

impl Watched {
    /// Watches a body. `waits`: the client sends it only when somebody asks for it.
    pub(super) fn new(body: Incoming, waits: bool) -> (Self, Rest) {
        let rest = Rest {
            slot: Arc::default(),
            waits,
        };
        let watched = Watched {
            body: Some(body),
            rest: rest.clone(),
        };
        (watched, rest)
    }
}

impl Rest {
    /// Throws away what is left. Whether the connection can be used for another request.
    pub(super) async fn throw_away(self) -> bool {
        let left = self.slot.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut body) = left else { return true };
        if self.waits {
            return false;
        }
        let throw_away = async {
            let mut size = 0;
            while let Some(Ok(frame)) = body.frame().await {
                size += frame.data_ref().map_or(0, Bytes::len);
                if size > MOST {
                    return false;
                }
            }
            body.is_end_stream()
        };
        tokio::time::timeout(PATIENCE, throw_away).await.unwrap_or(false)
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        if let Some(body) = self.body.take()
            && !body.is_end_stream()
        {
            *self.rest.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = Pin::new(body).poll_frame(cx);
        if matches!(polled, Poll::Ready(None)) {
            self.body = None;
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body
            .as_ref()
            .map_or_else(|| SizeHint::with_exact(0), Body::size_hint)
    }
}
