//! The three encoders behind one face: bytes in, bytes out, whenever there are some. They are fed inside a poll, from
//! the libraries themselves: a wrapper that is a reader of its own would copy each piece once more and know nothing
//! of flushing when the backend pauses.

use std::io::{self, Write};

use bytes::Bytes;

use super::Coding;

/// Levels for what is made for one answer: what each more of them costs buys little.
const ZSTD: i32 = 3;
const BROTLI: u32 = 4;
const GZIP: u32 = 4;
/// The window of an answer, as a power of two: what it needs in memory while it is under way is a few times that.
const WINDOW: u32 = 18;
/// The memory a coding works with between two writes of output.
const BUFFER: usize = 4096;

/// Compresses one body.
pub(crate) enum Encoder {
    Zstd(Box<zstd::stream::write::Encoder<'static, Vec<u8>>>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Gzip(Box<flate2::write::GzEncoder<Vec<u8>>>),
}

impl Encoder {
    /// An encoder for a body of `length` bytes, where that is known.
    pub(crate) fn new(coding: Coding, length: Option<u64>) -> io::Result<Encoder> {
        Ok(match coding {
            Coding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD)?;
                encoder.window_log(WINDOW)?;
                // A short body gets small tables.
                encoder.set_pledged_src_size(length)?;
                Encoder::Zstd(Box::new(encoder))
            }
            Coding::Brotli => {
                let mut window = WINDOW;
                while window > 12 && length.is_some_and(|length| length < 1 << (window - 1)) {
                    window -= 1;
                }
                let encoder = brotli::CompressorWriter::new(Vec::new(), BUFFER, BROTLI, window);
                Encoder::Brotli(Box::new(encoder))
            }
            Coding::Gzip => {
                let level = flate2::Compression::new(GZIP);
                Encoder::Gzip(Box::new(flate2::write::GzEncoder::new(Vec::new(), level)))
            }
        })
    }

    /// Takes a piece.
    pub(crate) fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match self {
            Encoder::Zstd(encoder) => encoder.write_all(piece),
            Encoder::Brotli(encoder) => encoder.write_all(piece),
            Encoder::Gzip(encoder) => encoder.write_all(piece),
        }
    }

    /// Brings everything that was taken into the output, so that a client can read it now.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match self {
            Encoder::Zstd(encoder) => encoder.flush(),
            Encoder::Brotli(encoder) => encoder.flush(),
            Encoder::Gzip(encoder) => encoder.flush(),
        }
    }

    /// The output so far.
    pub(crate) fn take(&mut self) -> Bytes {
        let output = match self {
            Encoder::Zstd(encoder) => encoder.get_mut(),
            Encoder::Brotli(encoder) => encoder.get_mut(),
            Encoder::Gzip(encoder) => encoder.get_mut(),
        };
        Bytes::from(std::mem::take(output))
    }

    /// The end of the output.
    pub(crate) fn finish(self) -> io::Result<Bytes> {
        Ok(Bytes::from(match self {
            Encoder::Zstd(encoder) => encoder.finish()?,
            Encoder::Brotli(encoder) => encoder.into_inner(),
            Encoder::Gzip(encoder) => encoder.finish()?,
        }))
    }
}

/// A whole body at once.
pub(crate) fn whole(coding: Coding, body: &[u8]) -> io::Result<Bytes> {
    let mut encoder = Encoder::new(coding, Some(body.len() as u64))?;
    encoder.write(body)?;
    encoder.finish()
}
