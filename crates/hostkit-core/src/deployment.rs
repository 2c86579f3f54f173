//! Deployment: bringing one release of an environment live, with its steps and its outcome.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::canary::Percent;
use crate::kind::Failure;
use crate::names::{ProcessName, ReleaseName};
use crate::project::EnvironmentId;
use crate::source::SourceId;

/// The number of a deployment, growing over the whole installation.
pub type DeploymentId = u64;

/// What a deployment is to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "act", rename_all = "snake_case")]
pub enum Act {
    /// Build a source and bring it live.
    Deploy {
        /// The uploaded source.
        source: SourceId,
        /// How many visitors get it, beside the release that stays live; all, and it is the live one, where nothing is
        /// said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        canary: Option<Percent>,
    },
    /// Make the canary the live release, or give it another share of the visitors.
    Promote {
        /// The share; all, and it is the live one, where nothing is said.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        percent: Option<Percent>,
    },
    /// End the canary: everybody gets the live release.
    Abandon,
    /// Freeze a new release from the live one's artifact with today's variables, and bring it live.
    Apply,
    /// Bring an older release live again, with its variables.
    Rollback {
        /// The release to go to.
        to: ReleaseName,
    },
    /// Replace every instance of the live release by a fresh one.
    Restart,
    /// Run another number of instances of one process.
    Scale {
        /// The process.
        process: ProcessName,
        /// How many (0 to 64).
        count: u16,
    },
    /// Stop every instance; the release stays the live one.
    Stop,
    /// Start a stopped environment.
    Start,
}

/// Where a deployment stands. `Queued → Running → Succeeded | Failed`, or `Queued → Skipped`; `Cancelled` from either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentState {
    /// Waits for the deployment before it in its lane, or for a build slot.
    Queued,
    /// Its steps are being run.
    Running,
    /// Live, observed through the front door.
    Succeeded,
    /// Undone; what was live before still is.
    Failed,
    /// A newer one took its place before it began.
    Skipped,
    /// Somebody cancelled it: it was taken out of the queue, or undone.
    Cancelled,
}

impl DeploymentState {
    /// Whether nothing will change any more.
    pub fn is_final(self) -> bool {
        matches!(
            self,
            DeploymentState::Succeeded
                | DeploymentState::Failed
                | DeploymentState::Skipped
                | DeploymentState::Cancelled
        )
    }
}

/// A deployment with its steps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Deployment {
    /// Its number.
    pub id: DeploymentId,
    /// Where it goes to.
    pub environment: EnvironmentId,
    /// What it does.
    pub act: Act,
    /// Who or what asked for it: `cli`, `api`, `automatic rollback of deployment 7`.
    pub trigger: String,
    /// Where it stands.
    pub state: DeploymentState,
    /// The release it makes or brings live, once known.
    pub release: Option<ReleaseName>,
    /// The newer deployment that took its place, if skipped.
    pub skipped_for: Option<DeploymentId>,
    /// Why it failed, or who cancelled it. While it runs: who cancelled it, which is why it is being undone.
    pub failure: Option<Failure>,
    /// Its steps so far, in order.
    pub steps: Vec<StepRecord>,
    /// What the probe through the front door saw while it ran.
    pub probe: Option<ProbeReport>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When its first step began.
    pub started_at: Option<Timestamp>,
    /// When its last step ended.
    pub finished_at: Option<Timestamp>,
}

/// The steps of a deployment, in order (`DESIGN.md` 5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepName {
    /// Source into a clean folder.
    Fetch,
    /// Folder into an artifact.
    Build,
    /// Artifact, settings and variables into a release.
    Freeze,
    /// What must be done before the release starts.
    Prepare,
    /// New instances started.
    Start,
    /// New instances ready.
    Check,
    /// Traffic on the new instances.
    Switch,
    /// Old instances drained and stopped.
    Retire,
    /// The outcome observed.
    Confirm,
}

impl Deployment {
    /// Whether it is being undone because somebody cancelled it.
    pub fn is_being_cancelled(&self) -> bool {
        self.state == DeploymentState::Running && self.failure.is_some()
    }
}

impl StepName {
    /// All steps in order.
    pub const ALL: [StepName; 9] = [
        StepName::Fetch,
        StepName::Build,
        StepName::Freeze,
        StepName::Prepare,
        StepName::Start,
        StepName::Check,
        StepName::Switch,
        StepName::Retire,
        StepName::Confirm,
    ];

    /// The name as it is shown and stored.
    pub fn as_str(self) -> &'static str {
        match self {
            StepName::Fetch => "fetch",
            StepName::Build => "build",
            StepName::Freeze => "freeze",
            StepName::Prepare => "prepare",
            StepName::Start => "start",
            StepName::Check => "check",
            StepName::Switch => "switch",
            StepName::Retire => "retire",
            StepName::Confirm => "confirm",
        }
    }
}

impl std::fmt::Display for StepName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Where a step stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Began; also what a step shows whose daemon was killed.
    Running,
    /// Done, its result saved.
    Done,
    /// Went wrong.
    Failed,
    /// Taken back.
    Undone,
}

/// One step of one deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct StepRecord {
    /// Which step.
    pub name: StepName,
    /// Where it stands.
    pub state: StepState,
    /// When it began.
    pub started_at: Timestamp,
    /// How long it took, in milliseconds, once it ended.
    pub milliseconds: Option<u64>,
}

/// What the probe saw: requests HostKit itself sent through the front door while it deployed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProbeReport {
    /// How many were sent.
    pub requests: u64,
    /// How many failed: no answer, or 502, 503 and 504 from the front door.
    pub lost: u64,
    /// The slowest answer in milliseconds.
    pub slowest_ms: u64,
}
