//! What `hostkit trust` tells: every place in which this machine's programs look for authorities, and what became of
//! each.

use std::path::PathBuf;

use serde::Serialize;

use crate::certificate::AuthorityCertificate;

/// What is to be done in all places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrustWish {
    /// Have the authority trusted.
    Add,
    /// Have it trusted no more.
    Remove,
}

/// What became of one place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TrustOutcome {
    /// The authority was put there.
    Added,
    /// The authority was taken away.
    Removed,
    /// It was as it should be.
    Unchanged,
    /// It could not be changed.
    NotDone,
}

/// One place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrustPlace {
    /// Whose it is, in words: `the system`, `Firefox`.
    pub of: &'static str,
    /// The file or folder.
    pub path: PathBuf,
    /// What became of it.
    pub outcome: TrustOutcome,
    /// Why it could not be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
    /// The command that would do it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// All places.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TrustReport {
    /// The certificate of the authority.
    pub certificate: PathBuf,
    /// What it calls itself.
    pub name: String,
    /// Each place that was found.
    pub places: Vec<TrustPlace>,
}

impl TrustReport {
    /// The report on an authority, without a place yet.
    pub fn new(authority: &AuthorityCertificate) -> Self {
        TrustReport {
            certificate: authority.file.clone(),
            name: authority.name.clone(),
            places: Vec::new(),
        }
    }

    /// Whether every place is as it should be.
    pub fn is_fine(&self) -> bool {
        self.places
            .iter()
            .all(|place| place.outcome != TrustOutcome::NotDone)
    }
}
