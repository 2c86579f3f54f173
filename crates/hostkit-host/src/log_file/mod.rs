//! Log files of instances: one line of text for each line printed, `TIME STREAM TEXT`, in a file that is rotated
//! (`NAME.log`, `NAME.log.1` the next older, …). Written by shims, read by anybody, also while they write.

mod read;
mod write;

use std::path::{Path, PathBuf};

use hostkit_core::log::LogStream;
use jiff::Timestamp;

pub use read::{Cursor, Want, read_back};
pub use write::{LogLimits, LogWriter};

/// One line as it lies in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLine {
    /// When it was read from the program.
    pub at: Timestamp,
    /// The stream it came from.
    pub stream: LogStream,
    /// The text.
    pub text: String,
}

fn word(stream: LogStream) -> &'static str {
    match stream {
        LogStream::Out => "out",
        LogStream::Err => "err",
        LogStream::Hostkit => "hostkit",
    }
}

/// Reads one line back. `None` for what is no line of ours: half of one, after a loss of power.
fn parse(line: &str) -> Option<StoredLine> {
    let (at, rest) = line.split_once(' ')?;
    let (stream, text) = rest.split_once(' ')?;
    let stream = match stream {
        "out" => LogStream::Out,
        "err" => LogStream::Err,
        "hostkit" => LogStream::Hostkit,
        _ => return None,
    };
    Some(StoredLine {
        at: at.parse().ok()?,
        stream,
        text: text.to_owned(),
    })
}

/// The `age`-th older file of a log; the log itself for 0.
fn rotated(path: &Path, age: usize) -> PathBuf {
    if age == 0 {
        return path.to_path_buf();
    }
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{age}"));
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
