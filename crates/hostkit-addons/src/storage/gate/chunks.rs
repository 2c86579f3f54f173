//! Bodies in chunks with signatures of their own (`aws-chunked`): `s3s` holds each chunk in memory until its signature is
//! checked, and takes chunks of 4 GiB. Here the sizes are read on the way, and one that is too large ends the body.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

/// The largest chunk, in bytes. SDKs send 64 KiB to 1 MiB, and what they are given at once where that is more.
const LARGEST: u64 = 32 << 20;
/// The largest line before a chunk, in bytes: its size and its signature.
const LONGEST_LINE: usize = 256;

/// A body whose chunks have a limit.
pub(super) struct WithLimit<B> {
    body: B,
    place: Place,
}

/// Why a body was ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum ChunkError {
    /// It could not be read.
    #[error("the body ended too early")]
    Body(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Its chunks are none, or too large.
    #[error("a chunk is larger than 32 MiB, or is none")]
    Chunk,
}

/// Where in the framing the next byte stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    /// In the line before a chunk, of which these bytes were seen.
    Line(Vec<u8>),
    /// In a chunk and the line end behind it: so many bytes are left.
    Chunk(u64),
    /// Behind the last chunk. `s3s` has a limit for what comes here.
    End,
}

impl<B> WithLimit<B> {
    pub(super) fn new(body: B) -> Self {
        WithLimit {
            body,
            place: Place::Line(Vec::new()),
        }
    }
}

impl Place {
    fn follow(&mut self, mut bytes: &[u8]) -> Result<(), ChunkError> {
        while !bytes.is_empty() {
            match self {
                Place::End => return Ok(()),
                Place::Chunk(left) => {
                    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
                    bytes = &bytes[taken..];
                    *left -= taken as u64;
                    if *left == 0 {
                        *self = Place::Line(Vec::new());
                    }
                }
                Place::Line(seen) => {
                    let end = bytes.iter().position(|&byte| byte == b'\n');
                    let taken = end.map_or(bytes.len(), |end| end + 1);
                    seen.extend_from_slice(&bytes[..taken.min(LONGEST_LINE + 1)]);
                    if seen.len() > LONGEST_LINE {
                        return Err(ChunkError::Chunk);
                    }
                    bytes = &bytes[taken..];
                    if end.is_some() {
                        *self = match size(seen).ok_or(ChunkError::Chunk)? {
                            0 => Place::End,
                            size if size > LARGEST => return Err(ChunkError::Chunk),
                            size => Place::Chunk(size + 2),
                        };
                    }
                }
            }
        }
        Ok(())
    }
}

/// The size in a line `SIZE[;chunk-signature=…]\r\n`.
fn size(line: &[u8]) -> Option<u64> {
    let line = std::str::from_utf8(line).ok()?.strip_suffix("\r\n")?;
    let digits = line.split(';').next()?;
    let is_size = (1..=8).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_size.then(|| u64::from_str_radix(digits, 16).ok())?
}

impl<B> Body for WithLimit<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    type Data = Bytes;
    type Error = ChunkError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ChunkError>>> {
        let frame = match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => frame,
            Poll::Ready(Some(Err(why))) => return Poll::Ready(Some(Err(ChunkError::Body(why.into())))),
            Poll::Ready(None) => return Poll::Ready(None),
            Poll::Pending => return Poll::Pending,
        };
        if let Some(bytes) = frame.data_ref()
            && let Err(why) = self.place.follow(bytes)
        {
            return Poll::Ready(Some(Err(why)));
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn follow(text: &[u8], at_once: usize) -> Result<Place, ChunkError> {
        let mut place = Place::Line(Vec::new());
        for bytes in text.chunks(at_once) {
            place.follow(bytes)?;
        }
        Ok(place)
    }

    #[test]
    fn chunks_are_followed_wherever_they_are_cut() {
        let body = b"5;chunk-signature=00\r\nhello\r\n1\r\n\n\r\n0\r\nx-amz-checksum-crc32:AAAAAA==\r\n\r\n";
        for at_once in [1, 2, 7, 1000] {
            assert_eq!(follow(body, at_once).unwrap(), Place::End, "{at_once}");
        }
        assert_eq!(follow(b"2000000\r\nxy", 3).unwrap(), Place::Chunk(LARGEST));
    }

    #[test]
    fn what_is_too_large_or_no_chunk_ends_the_body() {
        let long = [b"5;".as_slice(), &[b'a'; 300]].concat();
        for bad in [
            b"2000001\r\n".as_slice(),
            b"ffffffff\r\n",
            b"fffffffffffffffff\r\n",
            b"+5\r\n",
            b"-1\r\n",
            b"\r\n",
            b"5\n",
            b"g\r\n",
            b"\xff\r\n",
            &long,
        ] {
            for at_once in [1, 1000] {
                assert!(
                    follow(bad, at_once).is_err(),
                    "{:?}",
                    String::from_utf8_lossy(bad)
                );
            }
        }
    }
}
