//! History: what brings databases back to any moment of the last days: copies of all of a server's files (bases), and the
//! log of every change after them, in pieces. It is the server's, not a project's. What is kept, which moments that makes
//! and what may go is decided here; filing, keeping and recovering are the engine's.

mod kept;
pub mod paths;
mod piece;

#[cfg(test)]
mod tests;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use kept::{Base, Kept, KeptPiece, Unreached, Useless};
pub use piece::LogPiece;

/// How many days can be gone back where nothing else was chosen.
const DAYS: u32 = 7;
/// The most that can be chosen.
pub const MOST_DAYS: u32 = 365;

/// Whether a history is kept, and how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HistorySettings {
    /// Whether changes are filed. What was filed before stays until it is old.
    pub on: bool,
    /// How many days can be gone back: 1 to 365.
    #[schemars(range(min = 1, max = 365))]
    pub days: u32,
}

impl Default for HistorySettings {
    /// None is kept as long as nobody asks for it.
    fn default() -> Self {
        HistorySettings {
            on: false,
            days: DAYS,
        }
    }
}

/// Moments that can be brought back: all of them from the first to the last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Window {
    /// The first.
    pub from: Timestamp,
    /// The last that was filed so far. What was written later follows.
    pub to: Timestamp,
}

impl std::fmt::Display for Window {
    /// `from 2026-11-22T02:10:00Z to 2026-11-29T12:00:00Z`, to the second and never more than there is; without its end where
    /// it has just begun.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let second = |at: Timestamp| Timestamp::from_second(at.as_second()).unwrap_or(at);
        let up = |at: Timestamp| match second(at) == at {
            true => at,
            false => Timestamp::from_second(at.as_second() + 1).unwrap_or(at),
        };
        let (from, to) = (up(self.from), second(self.to));
        write!(f, "from {from}")?;
        if from < to { write!(f, " to {to}") } else { Ok(()) }
    }
}

/// How it stands with the history.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoryStanding {
    /// What was chosen.
    pub settings: HistorySettings,
    /// Which moments can be brought back, in their order. Several where some are missing in between.
    pub windows: Vec<Window>,
    /// How many bytes it takes where it is kept, of all projects together: for who may look at the installation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes: Option<u64>,
    /// Whether `on` starts the database server anew: who is connected is cut off, and refused for a moment.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub needs_start: bool,
    /// Why it does not go on, where it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<String>,
}
