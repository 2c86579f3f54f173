//! Piece of a log: what a server of PostgreSQL calls a segment.

use serde::{Deserialize, Serialize};

use crate::names::NameError;

/// Pieces are of 16 MiB, so that 256 of them have the same second number.
const PER_NUMBER: u32 = 256;

/// Names a piece: 24 hexadecimal digits, in the order in which they are written. `000000010000000A000000FF` is the last of
/// its second number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LogPiece(String);

impl LogPiece {
    /// How long each is.
    pub const BYTES: u64 = 16 << 20;

    /// Reads a name as the server writes it.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte);
        match text.len() == 24 && text.bytes().all(is_digit) {
            true => Ok(LogPiece(text.to_owned())),
            false => Err(NameError {
                what: "piece of a log",
                value: text.chars().filter(|c| !c.is_control()).take(64).collect(),
                rule: "use 24 hexadecimal digits",
            }),
        }
    }

    /// As the server writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The one that is written after it. None after the last that there can be.
    pub fn next(&self) -> Option<Self> {
        let part = |at: usize| u32::from_str_radix(self.0.get(at..at + 8)?, 16).ok();
        let (line, number, place) = (part(0)?, part(8)?, part(16)?);
        let (number, place) = match place + 1 < PER_NUMBER {
            true => (number, place + 1),
            false => (number.checked_add(1)?, 0),
        };
        Some(LogPiece(format!("{line:08X}{number:08X}{place:08X}")))
    }
}

impl std::fmt::Display for LogPiece {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for LogPiece {
    type Error = NameError;
    fn try_from(text: String) -> Result<Self, NameError> {
        LogPiece::parse(&text)
    }
}

impl From<LogPiece> for String {
    fn from(piece: LogPiece) -> String {
        piece.0
    }
}
