//! The program's output on its way to the log.

use std::io::Read;
use std::os::fd::{AsFd, BorrowedFd};

use hostkit_core::log::LogStream;
use jiff::Timestamp;
use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::lines::LineSplitter;
use crate::log_file::LogWriter;

/// One stream of a program.
pub(crate) struct Output<R> {
    stream: LogStream,
    pipe: Option<R>,
    lines: LineSplitter,
}

impl<R: Read + AsFd> Output<R> {
    pub(crate) fn new(stream: LogStream, pipe: Option<R>) -> Self {
        if let Some(pipe) = &pipe {
            // Cannot fail on a pipe; if it did, reads would wait for more output, which poll promised.
            let _ = fcntl(pipe, FcntlArg::F_SETFL(OFlag::O_NONBLOCK));
        }
        Output {
            stream,
            pipe,
            lines: LineSplitter::default(),
        }
    }

    pub(crate) fn fd(&self) -> Option<BorrowedFd<'_>> {
        self.pipe.as_ref().map(AsFd::as_fd)
    }

    /// Reads what is there, at most so many times: other things want to be looked at as well.
    pub(crate) fn read(&mut self, log: &mut LogWriter, buffer: &mut [u8], times: usize) {
        for _ in 0..times {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(buffer) {
                Ok(0) => self.close(log),
                Ok(count) => {
                    let (now, stream) = (Timestamp::now(), self.stream);
                    self.lines
                        .push(&buffer[..count], |line| log.line(now, stream, line));
                }
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => return,
                Err(_) => self.close(log),
            }
        }
    }

    /// The program is gone: a last line without an end is a line.
    pub(crate) fn close(&mut self, log: &mut LogWriter) {
        self.pipe = None;
        let (now, stream) = (Timestamp::now(), self.stream);
        self.lines.finish(|line| log.line(now, stream, line));
    }
}
