//! Log files of instances: one line of text for each line printed, in a file that is rotated (`NAME.log`,
//! `NAME.log.1` the next older, …). Read by anybody, also while it is written.
//!
//! A file of one writer has lines `TIME STREAM TEXT`; one that several instances write to names the writer as well:
//! `TIME STREAM WRITER TEXT`.

mod read;
mod write;

use std::path::{Path, PathBuf};

use hostkit_core::log::LogStream;
use jiff::Timestamp;

pub use read::{Cursor, Want, read_back};
pub use write::{LogLimits, LogWriter};

/// Whose lines a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// One writer's.
    #[default]
    Alone,
    /// Those of several, each of which says who wrote it.
    Shared,
}

/// One line as it lies in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredLine {
    /// When it was read from the program.
    pub at: Timestamp,
    /// The stream it came from.
    pub stream: LogStream,
    /// Who wrote it, in a file that several write to; else nothing.
    pub writer: String,
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
fn parse(line: &str, form: Form) -> Option<StoredLine> {
    let (at, rest) = line.split_once(' ')?;
    let (stream, rest) = rest.split_once(' ')?;
    let (writer, text) = match form {
        Form::Alone => ("", rest),
        Form::Shared => rest.split_once(' ')?,
    };
    let stream = match stream {
        "out" => LogStream::Out,
        "err" => LogStream::Err,
        "hostkit" => LogStream::Hostkit,
        _ => return None,
    };
    Some(StoredLine {
        at: at.parse().ok()?,
        stream,
        writer: writer.to_owned(),
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
