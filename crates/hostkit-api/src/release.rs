//! Releases, without the inner settings of their manifests.

use std::collections::BTreeMap;

use hostkit_core::canary::Percent;
use hostkit_core::manifest::Reach;
use hostkit_core::names::{ProcessName, ReleaseName};
use hostkit_core::source::SourceId;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Release {
    /// The time it was frozen.
    pub name: ReleaseName,
    /// Whether it is the live one.
    pub live: bool,
    /// How many of a hundred visitors get it, where it is the canary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Percent>,
    /// When it was frozen.
    pub created_at: Timestamp,
    /// What it was built from.
    pub source: SourceId,
    /// The builder that made it.
    pub builder: String,
    /// What the builder assumed because nobody said otherwise.
    pub assumed: Vec<String>,
    /// Its processes.
    pub processes: BTreeMap<ProcessName, Process>,
    /// The size of its files in bytes.
    pub bytes: u64,
}

/// A process of a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Process {
    /// Who may reach it.
    pub reach: Reach,
    /// How many instances its manifest asks for.
    pub count: u16,
    /// What is started.
    pub command: String,
}
