//! The three encoders behind one face: bytes in, bytes out, whenever there are some. They are fed inside a poll, from
//! the libraries themselves: a wrapper that is a reader of its own would copy each piece once more and know nothing
//! of flushing when the backend pauses.
//!
//! Making an encoder ready costs more than a short answer does: memory of hundreds of kilobytes is taken and cleared. So
//! each thread keeps a few that were used, where the libraries let them begin anew.

use std::cell::RefCell;
use std::io::{self, Write};

use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress, Status};
use zstd::stream::raw::{CParameter, Encoder as Zstd, InBuffer, Operation, OutBuffer};

use super::Coding;

/// How much work is put into an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effort {
    /// It is made for one answer: what each level more costs buys little.
    Once,
    /// It is kept, and sent often.
    Kept,
}

/// The window of an answer, as a power of two: what it needs in memory while it is under way is a few times that.
const WINDOW: u32 = 18;
/// The same for gzip: all there is.
const GZIP_WINDOW: u8 = 15;
/// The memory brotli works with between two writes of output.
const BUFFER: usize = 4096;
/// How much room for output is made at once.
const ROOM: usize = 4096;
/// And when that is done: gzip writes the end of a flush only where it fits.
const LEAST_ROOM: usize = 64;
/// How many encoders of a kind a thread keeps. Most answers are compressed from head to end without a pause, so that one
/// would do nearly always.
const SPARE: usize = 4;
/// After how many calls of [`expire`], which come about once a second, spare ones are not kept any longer.
const UNUSED: u32 = 10;

impl Effort {
    fn zstd(self) -> i32 {
        match self {
            Effort::Once => 1,
            Effort::Kept => 3,
        }
    }

    fn brotli(self) -> u32 {
        match self {
            Effort::Once => 2,
            Effort::Kept => 4,
        }
    }

    fn gzip(self) -> Compression {
        Compression::new(match self {
            Effort::Once => 2,
            Effort::Kept => 6,
        })
    }
}

/// Encoders of a thread that were used for an answer, and will be for another.
#[derive(Default)]
struct Spares {
    zstd: Vec<Zstd<'static>>,
    gzip: Vec<Compress>,
    /// For how many calls of [`expire`] none was needed.
    unused: u32,
}

thread_local! {
    static SPARES: RefCell<Spares> = RefCell::default();
}

/// Lets go of this thread's spare encoders when none was needed for some calls.
pub(crate) fn expire() {
    SPARES.with_borrow_mut(|spares| {
        spares.unused = spares.unused.saturating_add(1);
        if spares.unused == UNUSED {
            (spares.zstd, spares.gzip) = Default::default();
        }
    });
}

/// An encoder that was used before. Those that put in more work are seldom needed and not kept.
fn spare<T>(effort: Effort, of: impl FnOnce(&mut Spares) -> &mut Vec<T>) -> Option<T> {
    if effort == Effort::Kept {
        return None;
    }
    SPARES.with_borrow_mut(|spares| {
        spares.unused = 0;
        of(spares).pop()
    })
}

/// Keeps an encoder that is ready to begin anew.
fn keep<T>(effort: Effort, encoder: T, of: impl FnOnce(&mut Spares) -> &mut Vec<T>) {
    if effort == Effort::Once {
        SPARES.with_borrow_mut(|spares| {
            let kept = of(spares);
            if kept.len() < SPARE {
                kept.push(encoder);
            }
        });
    }
}

/// Compresses one body.
pub(crate) struct Encoder {
    work: Work,
    effort: Effort,
    /// What brotli wrote is in its own.
    output: Vec<u8>,
}

enum Work {
    Zstd(Zstd<'static>),
    Brotli(Box<brotli::CompressorWriter<Vec<u8>>>),
    Gzip(Compress),
}

impl Encoder {
    /// An encoder for a body of `length` bytes, where that is known.
    pub(crate) fn new(coding: Coding, effort: Effort, length: Option<u64>) -> io::Result<Encoder> {
        let work = match coding {
            Coding::Zstd => {
                let mut encoder = match spare(effort, |spares| &mut spares.zstd) {
                    Some(encoder) => encoder,
                    None => Zstd::new(effort.zstd())?,
                };
                encoder.set_parameter(CParameter::WindowLog(WINDOW))?;
                // A short body gets small tables.
                encoder.set_pledged_src_size(length)?;
                Work::Zstd(encoder)
            }
            Coding::Brotli => {
                let mut window = WINDOW;
                while window > 12 && length.is_some_and(|length| length < 1 << (window - 1)) {
                    window -= 1;
                }
                let encoder = brotli::CompressorWriter::new(Vec::new(), BUFFER, effort.brotli(), window);
                Work::Brotli(Box::new(encoder))
            }
            Coding::Gzip => Work::Gzip(
                spare(effort, |spares| &mut spares.gzip)
                    .unwrap_or_else(|| Compress::new_gzip(effort.gzip(), GZIP_WINDOW)),
            ),
        };
        Ok(Encoder {
            work,
            effort,
            output: Vec::new(),
        })
    }

    /// Takes a piece.
    pub(crate) fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        match &mut self.work {
            Work::Zstd(encoder) => {
                let mut input = InBuffer::around(piece);
                while input.pos() < piece.len() {
                    encoder.run(&mut input, &mut behind(&mut self.output))?;
                }
                Ok(())
            }
            Work::Brotli(encoder) => encoder.write_all(piece),
            Work::Gzip(encoder) => {
                let mut left = piece;
                while !left.is_empty() {
                    let before = encoder.total_in();
                    deflate(encoder, left, &mut self.output, FlushCompress::None)?;
                    left = &left[(encoder.total_in() - before) as usize..];
                }
                Ok(())
            }
        }
    }

    /// Brings everything that was taken into the output, so that a client can read it now.
    pub(crate) fn flush(&mut self) -> io::Result<()> {
        match &mut self.work {
            Work::Zstd(encoder) => while encoder.flush(&mut behind(&mut self.output))? > 0 {},
            Work::Brotli(encoder) => encoder.flush()?,
            Work::Gzip(encoder) => loop {
                deflate(encoder, &[], &mut self.output, FlushCompress::Sync)?;
                // All is out when room is left.
                if self.output.len() < self.output.capacity() {
                    break;
                }
            },
        }
        Ok(())
    }

    /// The output so far.
    pub(crate) fn take(&mut self) -> Bytes {
        let output = match &mut self.work {
            Work::Brotli(encoder) => encoder.get_mut(),
            Work::Zstd(_) | Work::Gzip(_) => &mut self.output,
        };
        Bytes::from(std::mem::take(output))
    }

    /// The end of the output.
    pub(crate) fn finish(self) -> io::Result<Bytes> {
        let (effort, mut output) = (self.effort, self.output);
        match self.work {
            Work::Zstd(mut encoder) => {
                while encoder.finish(&mut behind(&mut output), true)? > 0 {}
                encoder.reinit()?;
                keep(effort, encoder, |spares| &mut spares.zstd);
            }
            Work::Brotli(encoder) => output = encoder.into_inner(),
            Work::Gzip(mut encoder) => {
                while deflate(&mut encoder, &[], &mut output, FlushCompress::Finish)? != Status::StreamEnd {}
                encoder.reset();
                keep(effort, encoder, |spares| &mut spares.gzip);
            }
        }
        Ok(Bytes::from(output))
    }
}

/// Sees to it that there is room for output.
fn make_room(output: &mut Vec<u8>) {
    if output.capacity() - output.len() < LEAST_ROOM {
        output.reserve(ROOM);
    }
}

/// The room behind the output so far.
fn behind(output: &mut Vec<u8>) -> OutBuffer<'_, Vec<u8>> {
    make_room(output);
    let end = output.len();
    OutBuffer::around_pos(output, end)
}

/// One step of gzip, as far as there is room.
fn deflate(
    encoder: &mut Compress,
    input: &[u8],
    output: &mut Vec<u8>,
    flush: FlushCompress,
) -> io::Result<Status> {
    make_room(output);
    encoder
        .compress_vec(input, output, flush)
        .map_err(io::Error::from)
}

/// A whole body at once, to be kept.
pub(crate) fn whole(coding: Coding, body: &[u8]) -> io::Result<Bytes> {
    let mut encoder = Encoder::new(coding, Effort::Kept, Some(body.len() as u64))?;
    encoder.write(body)?;
    encoder.finish()
}
