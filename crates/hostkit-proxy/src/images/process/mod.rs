//! One process for one image: it is given an order and a source, and has so long to say what came of it. Whatever it
//! does, it is gone when this returns. Nothing of it is believed but the kind of outcome and the bytes of an image.

use std::io::{self, Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use hostkit_core::image::{self, Format, MOST_RESULT, Order, Outcome};

use super::refusal::Refusal;
use crate::config::ImageProgram;

/// The most bytes it may say: an image, and what it is.
const MOST_SAID: usize = MOST_RESULT + 2048;
/// How much is read at once.
const PIECE: usize = 64 << 10;

/// Has an image made. Blocks; the process is gone when it returns.
pub(super) fn make(
    program: &ImageProgram,
    order: &Order,
    source: &[u8],
) -> Result<(Outcome, Vec<u8>), Refusal> {
    let end = Instant::now() + program.time;
    let (socket, theirs) = UnixStream::pair().map_err(|error| failed("a socket", &error))?;
    let started = program.process.start(OwnedFd::from(theirs));
    let mut child = started.map_err(|error| failed("its process", &error))?;
    let said = talk(socket, &image::message(order, source), end);
    // Done or not, it has nothing more to say. It is not reaped yet, so the number is still its own.
    drop(child.kill());
    let ended = child.wait();
    match said {
        Ok(said) => understood(&said, order).ok_or_else(|| {
            tracing::warn!(
                ?order,
                bytes = source.len(),
                ?ended,
                "a process that makes images ended without a word"
            );
            Refusal::Failed
        }),
        Err(error) if error.kind() == io::ErrorKind::TimedOut => {
            tracing::warn!(?order, bytes = source.len(), "an image was not made in time");
            Err(Refusal::Late)
        }
        Err(error) => {
            tracing::warn!(
                ?order,
                bytes = source.len(),
                ?ended,
                "cannot make an image: {error}"
            );
            Err(Refusal::Failed)
        }
    }
}

fn failed(what: &str, error: &io::Error) -> Refusal {
    tracing::error!("cannot make an image: {what}: {error}");
    Refusal::Failed
}

/// Sends an order and reads what comes of it.
fn talk(mut socket: UnixStream, mut order: &[u8], end: Instant) -> io::Result<Vec<u8>> {
    while !order.is_empty() {
        socket.set_write_timeout(Some(left(end)?))?;
        match socket.write(order) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => order = &order[written..],
            Err(error) if is_pause(&error) => {}
            Err(error) => return Err(error),
        }
    }
    socket.shutdown(Shutdown::Write)?;
    let (mut said, mut piece) = (Vec::new(), vec![0; PIECE]);
    loop {
        socket.set_read_timeout(Some(left(end)?))?;
        match socket.read(&mut piece) {
            Ok(0) => return Ok(said),
            Ok(read) if said.len() + read > MOST_SAID => return Err(io::ErrorKind::FileTooLarge.into()),
            Ok(read) => said.extend_from_slice(&piece[..read]),
            Err(error) if is_pause(&error) => {}
            Err(error) => return Err(error),
        }
    }
}

fn is_pause(error: &io::Error) -> bool {
    use io::ErrorKind::{Interrupted, TimedOut, WouldBlock};
    matches!(error.kind(), Interrupted | TimedOut | WouldBlock)
}

/// The time that is left.
fn left(end: Instant) -> io::Result<Duration> {
    let left = end.saturating_duration_since(Instant::now());
    match left.is_zero() {
        true => Err(io::ErrorKind::TimedOut.into()),
        false => Ok(left),
    }
}

/// What it said, as far as it can be so: a process that was taken over by an image must not get a document out.
fn understood(said: &[u8], order: &Order) -> Option<(Outcome, Vec<u8>)> {
    let (outcome, image) = image::parse::<Outcome>(said)?;
    let fits = match outcome {
        Outcome::Made(format) => {
            let is_ordered = order.format.is_none_or(|ordered| ordered == format);
            is_ordered && matches!(format, Format::Jpeg | Format::Png | Format::Webp) && !image.is_empty()
        }
        Outcome::AsIs(Format::Svg) => order.svg,
        Outcome::AsIs(_) | Outcome::Unusable(_) => true,
    };
    fits.then(|| (outcome, image.to_vec()))
}

#[cfg(test)]
mod tests;
