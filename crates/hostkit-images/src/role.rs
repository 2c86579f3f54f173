//! The process: an order and a source come in by a socket in the place of standard input, the outcome goes out by it.

use std::io::{Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;

use hostkit_core::image::{self, MOST_SOURCE, Order};

use crate::{picture, sandbox};

/// More than that is no message of the front door.
const MOST_MESSAGE: u64 = MOST_SOURCE as u64 + 4096;

/// Makes one image. Returns what the process ends with: 0 where something was said.
pub fn run() -> i32 {
    let Ok(socket) = std::io::stdin().as_fd().try_clone_to_owned() else {
        return 1;
    };
    let mut socket = UnixStream::from(socket);
    // From here on there is nothing but this socket: not even what was open when this process began.
    if sandbox::enter().is_err() {
        return 2;
    }
    answer(&mut socket).map_or(1, |()| 0)
}

fn answer(socket: &mut UnixStream) -> std::io::Result<()> {
    let mut message = Vec::new();
    socket.take(MOST_MESSAGE).read_to_end(&mut message)?;
    let Some((order, source)) = image::parse::<Order>(&message) else {
        return Err(std::io::ErrorKind::InvalidData.into());
    };
    let (outcome, image) = picture::make(&order, source);
    socket.write_all(&image::message(&outcome, &image))
}
