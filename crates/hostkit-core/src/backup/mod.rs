//! Backup: a copy of what an environment keeps, made at one moment. What it is made of, when it is made and which of them
//! stay is decided here; making, proving and restoring them is the engine's.

pub mod history;
pub mod kit;
pub mod manifest;
pub mod part;
pub mod retention;
pub mod schedule;
pub mod target;
pub mod woven;

use jiff::{SignedDuration, Timestamp};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::Failure;
use crate::project::EnvironmentId;
use part::{PartName, StoredPart};

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

/// Why a backup was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its time had come.
    Schedule,
    /// Somebody asked for it.
    Asked,
    /// Something was about to be taken away or replaced.
    Before,
    /// Its project was about to be deleted: it is the last one.
    Last,
    /// It was found at the target, made by another installation.
    Found,
}

/// How far a backup is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BackupState {
    /// It is being made.
    Running,
    /// It could not be made; there is nothing of it.
    Failed,
    /// It is at its target, and all of it was read back.
    Complete,
    /// It was restored for trial, and what came back was what had been there.
    Proven,
    /// It cannot be restored.
    Damaged,
}

/// A backup of an environment, as the state knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Backup {
    /// Whose it is.
    pub environment: EnvironmentId,
    /// Which one: counted from 1, never used again.
    pub number: u64,
    /// How often the clock had been turned back before it was made.
    pub run: u32,
    /// When it was begun.
    pub at: Timestamp,
    /// How far it is.
    pub state: BackupState,
    /// Why it was made.
    pub cause: Cause,
    /// Whether it stays until somebody lets go of it.
    pub held: bool,
    /// Where it is.
    pub place: String,
    /// What it is made of, once it is complete.
    pub parts: Vec<StoredPart>,
    /// When it last came to an end, or was last tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// What is wrong with it: why it failed, is damaged or could not be tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl Backup {
    /// What it means for which backups stay; nothing where there is no backup (yet).
    pub fn taken(&self) -> Option<Taken> {
        let condition = match self.state {
            BackupState::Running | BackupState::Failed => return None,
            BackupState::Complete => Condition::Unproven,
            BackupState::Proven => Condition::Proven,
            BackupState::Damaged => Condition::Damaged,
        };
        Some(Taken {
            number: self.number,
            run: self.run,
            at: self.at,
            condition,
            held: self.held,
        })
    }

    /// How many bytes it takes at its target.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|part| part.figures.bytes).sum()
    }
}

/// Databases that were brought back to a moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Recovered {
    /// Whose they were.
    pub environment: EnvironmentId,
    /// The moment.
    pub at: Timestamp,
    /// Which.
    pub parts: Vec<PartName>,
    /// Where they are now.
    pub into: EnvironmentId,
    /// What is to be known besides, one sentence each.
    pub notes: Vec<String>,
}

/// What somebody is told who waits for an act on backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "update", rename_all = "snake_case")]
pub enum BackupUpdate {
    /// What is being done.
    Step {
        /// In words: `postgres: 12 MB`.
        text: String,
    },
    /// It is done: how the backup is now.
    Done {
        /// The backup that was made, tried or restored.
        backup: Box<Backup>,
        /// What is to be known besides, one sentence each.
        notes: Vec<String>,
    },
    /// Databases are as they were at a moment.
    Recovered {
        /// What was brought back.
        recovered: Box<Recovered>,
    },
    /// It could not be done.
    Failed {
        /// Why.
        failure: Failure,
    },
}
