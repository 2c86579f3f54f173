//! The installation as a whole: its health, where it is, what `doctor` found.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How HostKit itself is. Answered with 200 where healthy, else with 503.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// Healthy where every check is.
    pub status: HealthStatus,
    /// The version of HostKit.
    pub version: String,
    /// When this was found.
    pub timestamp: Timestamp,
    /// Every check by name: `database`, `front_door`, `disk`, on a server `ports`.
    pub checks: BTreeMap<String, Check>,
}

/// Whether something does what it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum HealthStatus {
    /// It does.
    Healthy,
    /// It does not.
    Unhealthy,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What it found.
    pub status: HealthStatus,
    /// How long it took.
    pub latency_ms: u64,
}

/// Where an installation is and how long it has been running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Status {
    /// The version of HostKit.
    pub version: String,
    /// The data folder.
    pub data: String,
    /// The URL of the API.
    pub api: String,
    /// The URL of the front door.
    pub front_door: String,
    /// When control was started.
    pub started_at: Timestamp,
    /// For how many seconds control has been running.
    pub uptime_seconds: u64,
    /// How many projects there are.
    pub projects: u64,
}

/// One thing `doctor` looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What was looked at.
    pub check: String,
    /// What was found.
    pub outcome: Outcome,
    /// The finding as a sentence.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
}

/// What `doctor` found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Fine,
    /// Works, but somebody should look at it.
    Warning,
    /// Does not work.
    Problem,
}
