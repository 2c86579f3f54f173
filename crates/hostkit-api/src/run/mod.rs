//! Running of one-off commands over a WebSocket. The caller's first message is text: a [`RunRequest`]. From then on
//! every message is binary, its first byte the channel: the caller sends [`INPUT`] (an empty one ends the input) and
//! [`RESIZE`]; HostKit sends [`OUT`], [`ERR`], and last either [`EXIT`] or [`FAILURE`]. A caller that goes away
//! takes the command with it.

use hostkit_core::addon::AddonKind;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ReleaseName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::ErrorBody;

/// Caller: bytes for the command's standard input; without bytes, its end.
pub const INPUT: u8 = 0;
/// Caller: the terminal's new size, rows and columns, two bytes each, high byte first.
pub const RESIZE: u8 = 1;
/// HostKit: bytes of standard output, or of the terminal.
pub const OUT: u8 = 1;
/// HostKit: bytes of standard error.
pub const ERR: u8 = 2;
/// HostKit: the command ended; its exit code, four bytes, high byte first, 128 + signal where one ended it.
pub const EXIT: u8 = 3;
/// HostKit: the command could not be started or followed; the error as JSON.
pub const FAILURE: u8 = 4;

/// The longest message either side sends.
pub const MAX_MESSAGE_BYTES: usize = 1 << 20;

/// What is to be run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RunRequest {
    /// The program and its arguments; no shell.
    pub arguments: Vec<String>,
    /// Rows and columns of the caller's terminal, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terminal: Option<(u16, u16)>,
    /// The release whose files and variables it sees; the live one where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseName>,
    /// The add-on whose console is run instead; then `arguments` follow those of the console.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub console: Option<AddonKind>,
}

/// A message of the caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Input {
    /// Bytes for the standard input.
    Bytes(Vec<u8>),
    /// The end of the standard input.
    End,
    /// The terminal's new size.
    Resize {
        /// Its rows.
        rows: u16,
        /// Its columns.
        columns: u16,
    },
}

impl Input {
    /// The message as it travels.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Input::Bytes(bytes) => framed(INPUT, bytes),
            Input::End => vec![INPUT],
            Input::Resize { rows, columns } => {
                framed(RESIZE, &[rows.to_be_bytes(), columns.to_be_bytes()].concat())
            }
        }
    }

    /// Reads a message.
    pub fn decode(frame: &[u8]) -> Result<Self, Failure> {
        match frame {
            [INPUT] => Ok(Input::End),
            [INPUT, bytes @ ..] => Ok(Input::Bytes(bytes.to_vec())),
            [RESIZE, r1, r0, c1, c0] => Ok(Input::Resize {
                rows: u16::from_be_bytes([*r1, *r0]),
                columns: u16::from_be_bytes([*c1, *c0]),
            }),
            _ => Err(unreadable(frame)),
        }
    }
}

/// A message of HostKit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// Bytes of standard output, or of the terminal.
    Out(Vec<u8>),
    /// Bytes of standard error.
    Err(Vec<u8>),
    /// The command ended with this exit code. The last message.
    Exit(i32),
    /// The command could not be started or followed. The last message.
    Failure(Failure),
}

impl Output {
    /// The message as it travels.
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Output::Out(bytes) => framed(OUT, bytes),
            Output::Err(bytes) => framed(ERR, bytes),
            Output::Exit(code) => framed(EXIT, &code.to_be_bytes()),
            Output::Failure(failure) => {
                let body = ErrorBody::from(failure.clone());
                framed(FAILURE, &serde_json::to_vec(&body).unwrap_or_default())
            }
        }
    }

    /// Reads a message.
    pub fn decode(frame: &[u8]) -> Result<Self, Failure> {
        match frame {
            [OUT, bytes @ ..] => Ok(Output::Out(bytes.to_vec())),
            [ERR, bytes @ ..] => Ok(Output::Err(bytes.to_vec())),
            [EXIT, a, b, c, d] => Ok(Output::Exit(i32::from_be_bytes([*a, *b, *c, *d]))),
            [FAILURE, json @ ..] => serde_json::from_slice::<ErrorBody>(json)
                .map(|body| Output::Failure(body.into()))
                .map_err(|_| unreadable(frame)),
            _ => Err(unreadable(frame)),
        }
    }
}

fn framed(channel: u8, bytes: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(1 + bytes.len());
    frame.push(channel);
    frame.extend_from_slice(bytes);
    frame
}

fn unreadable(frame: &[u8]) -> Failure {
    let what = match frame.first() {
        None => "it is empty".to_owned(),
        Some(channel) => format!("channel {channel} with {} bytes is not known", frame.len() - 1),
    };
    Failure::new(
        Kind::Invalid,
        format!("cannot read a message of the command: {what}"),
    )
}

#[cfg(test)]
mod tests;
