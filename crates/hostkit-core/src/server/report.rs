//! What `server setup` and `server check` tell.

use serde::Serialize;

use super::change::Change;
use crate::kind::Failure;
use crate::server_settings::{Language, OpenPort};

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SetupWish {
    /// Only say what would be done.
    pub plan: bool,
    /// Ports that are let in besides SSH, 80 and 443.
    pub open_ports: Vec<OpenPort>,
    /// The languages of projects that are to be there.
    pub languages: Vec<Language>,
    /// Who called `sudo`: hints name the account.
    pub operator: Option<String>,
}

/// What is going on.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// An item is looked at and, where it must be, changed.
    Begun(&'a str),
    /// A change is being made.
    Changing(&'a str, &'a Change),
    /// An item is done with.
    Ended(&'a SetupItem),
}

/// One change, told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ChangeReport {
    /// The change as a line.
    pub summary: String,
    /// What changes in a file, as a unified diff.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub diff: Option<String>,
}

impl From<&Change> for ChangeReport {
    fn from(change: &Change) -> Self {
        ChangeReport {
            summary: change.summary(),
            diff: change.diff(),
        }
    }
}

/// What became of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SetupOutcome {
    /// It was as it should be.
    Unchanged,
    /// It is now as it should be.
    Changed,
    /// It would be changed.
    Planned,
    /// It makes no sense on this machine.
    NotApplicable,
    /// It was left alone: something else must be done first.
    Refused,
    /// It was tried, and failed; what could be undone was.
    Failed,
    /// It was not tried, for an item it needs failed.
    Skipped,
}

impl SetupOutcome {
    /// Whether nothing is left to be wished for.
    pub fn is_fine(self) -> bool {
        !matches!(
            self,
            SetupOutcome::Refused | SetupOutcome::Failed | SetupOutcome::Skipped
        )
    }
}

/// One item of a setup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetupItem {
    /// Its name: `ssh`.
    pub name: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// What became of it.
    pub outcome: SetupOutcome,
    /// What was changed, or would be.
    pub changes: Vec<ChangeReport>,
    /// What should be known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// Why it is not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

/// A setup as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetupReport {
    /// Whether nothing was done, only said.
    pub plan: bool,
    /// How many changes were made, or would be.
    pub changes: usize,
    /// Every item.
    pub items: Vec<SetupItem>,
    /// What should be done next.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub next: Vec<String>,
}

impl SetupReport {
    /// Whether every item is as it should be, or would be.
    pub fn is_fine(&self) -> bool {
        self.items.iter().all(|item| item.outcome.is_fine())
    }
}

/// How an item was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ItemState {
    /// As it should be.
    Ok,
    /// There, but not as it should be.
    Drift,
    /// Not there.
    Missing,
    /// It makes no sense on this machine.
    NotApplicable,
}

impl ItemState {
    /// Whether nothing is to be mended.
    pub fn is_fine(self) -> bool {
        matches!(self, ItemState::Ok | ItemState::NotApplicable)
    }
}

/// One item of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckedItem {
    /// Its name: `ssh`.
    pub name: &'static str,
    /// What it is about.
    pub title: &'static str,
    /// What it is good for.
    pub why: &'static str,
    /// How it was found.
    pub state: ItemState,
    /// What is not as it should be.
    pub findings: Vec<String>,
    /// What should be known.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// A check as a whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckReport {
    /// Whether every item is as it should be.
    pub ok: bool,
    /// Every item.
    pub items: Vec<CheckedItem>,
}
