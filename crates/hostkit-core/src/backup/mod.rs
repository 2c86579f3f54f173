//! Backup: a copy of what an environment keeps, made at one moment. Which of them stay is decided here; making, proving
//! and restoring them is not.

pub mod retention;
pub mod target;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A clock that goes back by more than this was changed; by less, it was set right.
const CLOCK_CORRECTION: SignedDuration = SignedDuration::from_hours(1);

/// A backup, as far as it matters for whether it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Taken {
    /// Which one, counted from 1 in the order in which they were made. No clock can change that order.
    pub number: u64,
    /// How often the clock had been turned back before it was made. Days of different runs are different days, whatever
    /// they are called.
    pub run: u32,
    /// When it was made, by the clock of that time.
    pub at: Timestamp,
    /// What is known of it.
    pub condition: Condition,
    /// Whether it stays until somebody lets go of it.
    pub held: bool,
}

/// What is known of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// It was restored for trial, and what came back was what had been there.
    Proven,
    /// Nobody tried yet.
    Unproven,
    /// It cannot be restored.
    Damaged,
}

impl Taken {
    /// The backup that is made now, after `last`, the newest that there is.
    pub fn after(last: Option<&Taken>, now: Timestamp) -> Self {
        let turned_back = |last: &Taken| last.at.duration_since(now) > CLOCK_CORRECTION;
        Taken {
            number: last.map_or(1, |last| last.number + 1),
            run: last.map_or(0, |last| last.run + u32::from(turned_back(last))),
            at: now,
            condition: Condition::Unproven,
            held: false,
        }
    }
}
