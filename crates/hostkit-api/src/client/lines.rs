//! Reading answers that come line by line.

use std::pin::Pin;

use bytes::{Buf, BytesMut};
use futures_core::Stream;
use hostkit_core::kind::{Failure, Kind};
use http_body_util::BodyExt;
use hyper::body::Incoming;

use super::Address;
use crate::endpoint::Payload;
use crate::error::ErrorBody;

/// Values as they come. Ends after the first error.
pub type LineStream<T> = Pin<Box<dyn Stream<Item = Result<T, Failure>> + Send>>;

/// A line longer than this is no line of ours.
const MAX_LINE_BYTES: usize = 16 << 20;

struct Reader {
    body: Incoming,
    address: Address,
    buffer: BytesMut,
    /// So many bytes of the buffer are known to have no line end.
    searched: usize,
    ended: bool,
}

pub(super) fn read<P: Payload>(body: Incoming, address: Address) -> LineStream<P::Value> {
    let reader = Reader {
        body,
        address,
        buffer: BytesMut::new(),
        searched: 0,
        ended: false,
    };
    Box::pin(futures_util::stream::unfold(reader, |mut reader| async move {
        let item = match reader.line().await? {
            Ok(line) => decode::<P>(&line),
            Err(failure) => Err(failure),
        };
        reader.ended |= item.is_err();
        Some((item, reader))
    }))
}

fn decode<P: Payload>(line: &[u8]) -> Result<P::Value, Failure> {
    if line.starts_with(b"{\"error\":")
        && let Ok(body) = serde_json::from_slice::<ErrorBody>(line)
    {
        return Err(body.into());
    }
    P::decode(line)
}

impl Reader {
    async fn line(&mut self) -> Option<Result<BytesMut, Failure>> {
        loop {
            if self.ended {
                return None;
            }
            if let Some(end) = self.buffer[self.searched..].iter().position(|b| *b == b'\n') {
                let line = self.buffer.split_to(self.searched + end);
                self.buffer.advance(1);
                self.searched = 0;
                if line.is_empty() {
                    continue;
                }
                return Some(Ok(line));
            }
            self.searched = self.buffer.len();
            if self.searched > MAX_LINE_BYTES {
                let why = "cannot read the answer: a line in it is too long";
                return Some(Err(Failure::new(Kind::Internal, why)));
            }
            match self.body.frame().await {
                None => self.ended = true,
                Some(Err(why)) => return Some(Err(self.address.broke_off(&why))),
                Some(Ok(frame)) => {
                    if let Ok(bytes) = frame.into_data() {
                        self.buffer.extend_from_slice(&bytes);
                    }
                }
            }
        }
    }
}
