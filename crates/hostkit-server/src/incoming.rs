//! Bodies that are sent to us: bounded in size, in time between two pieces, and read to their end even where the
//! answer is known before, so that the sender gets to read it.

use std::io;
use std::time::Duration;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use futures_util::Stream;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::size::ByteSize;
use http_body_util::BodyExt;
use hyper::body::Body as _;

/// The longest pause between two pieces of a body.
const PAUSE: Duration = Duration::from_secs(30);
/// How long, and how much, a body nobody wants is read on.
const LINGER: Duration = Duration::from_secs(5);
const LINGER_BYTES: usize = 256 << 20;

/// A body that is being sent.
pub(crate) struct Incoming {
    body: Option<Body>,
    limit: u64,
    taken: u64,
}

impl Incoming {
    pub(crate) fn new(body: Body, limit: u64) -> Self {
        Incoming {
            body: Some(body),
            limit,
            taken: 0,
        }
    }

    /// The whole of it.
    pub(crate) async fn whole(mut self) -> Result<Bytes, Failure> {
        let announced = self.body.as_ref().map_or(0, |body| body.size_hint().lower());
        if announced > self.limit {
            return Err(self.too_large());
        }
        let mut whole = BytesMut::new();
        while let Some(piece) = self.piece().await? {
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// The next piece of it.
    pub(crate) async fn piece(&mut self) -> Result<Option<Bytes>, Failure> {
        loop {
            let Some(body) = &mut self.body else {
                return Ok(None);
            };
            let frame = match tokio::time::timeout(PAUSE, body.frame()).await {
                Err(_) => {
                    let why = format!("cannot read the body: nothing came for {} s", PAUSE.as_secs());
                    return Err(Failure::new(Kind::Invalid, why));
                }
                Ok(None) => {
                    self.body = None;
                    return Ok(None);
                }
                Ok(Some(Err(why))) => {
                    self.body = None;
                    return Err(Failure::new(
                        Kind::Invalid,
                        format!("cannot read the body: {why}"),
                    ));
                }
                Ok(Some(Ok(frame))) => frame,
            };
            if let Ok(piece) = frame.into_data() {
                self.taken += piece.len() as u64;
                if self.taken > self.limit {
                    return Err(self.too_large());
                }
                return Ok(Some(piece));
            }
        }
    }

    /// The pieces as a stream for readers.
    pub(crate) fn pieces(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        futures_util::stream::unfold(self, |mut incoming| async move {
            let item = incoming.piece().await.map_err(io::Error::other).transpose()?;
            Some((item, incoming))
        })
    }

    fn too_large(&self) -> Failure {
        Failure::new(
            Kind::TooLarge,
            format!(
                "cannot read the body: it is larger than {} allowed here",
                ByteSize(self.limit)
            ),
        )
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let Some(mut body) = self.body.take().filter(|body| !body.is_end_stream()) else {
            return;
        };
        tokio::spawn(async move {
            let mut left = LINGER_BYTES;
            let rest = async {
                while let Some(Ok(frame)) = body.frame().await {
                    left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
                    if left == 0 {
                        return;
                    }
                }
            };
            // Whether it came to its end makes no difference: it is nobody's any more.
            tokio::time::timeout(LINGER, rest).await.ok();
        });
    }
}
