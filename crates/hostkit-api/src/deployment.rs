//! Deployments: asking for one and watching it. The deployment itself travels as the core noun.

use hostkit_core::canary::Percent;
use hostkit_core::deployment::{Act, Deployment};
use hostkit_core::log::LogLine;
use hostkit_core::names::{ProcessName, ReleaseName};
use hostkit_core::source::SourceId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is asked for. A field that does not belong to the act is refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "act", rename_all = "snake_case", deny_unknown_fields)]
pub enum NewDeployment {
    /// Build a source and bring it live.
    Deploy {
        /// The uploaded source.
        source: SourceId,
        /// How many of a hundred visitors get it (1 to 99), beside the release that stays live. Where nothing is said it
        /// is the live one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        canary: Option<Percent>,
    },
    /// Make the canary the live release, or change its share of the visitors.
    Promote {
        /// How many of a hundred visitors get it (1 to 99). Where nothing is said it is the live one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        percent: Option<Percent>,
    },
    /// Bring today's variables live with the release that is live, without a build.
    Apply {},
    /// Bring an older release live again, with its variables.
    Rollback {
        /// The release to go to. Where none is named: a canary is ended; without a canary, the one before the live one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<ReleaseName>,
    },
    /// Replace every instance by a fresh one.
    Restart {},
    /// Run another number of instances of one process.
    Scale {
        /// The process.
        process: ProcessName,
        /// How many (0 to 64).
        count: u16,
    },
    /// Stop every instance.
    Stop {},
    /// Start a stopped environment.
    Start {},
}

impl NewDeployment {
    /// The act; none where what a rollback leads to has still to be found.
    pub fn act(self) -> Option<Act> {
        Some(match self {
            NewDeployment::Deploy { source, canary } => Act::Deploy { source, canary },
            NewDeployment::Promote { percent } => Act::Promote { percent },
            NewDeployment::Apply {} => Act::Apply,
            NewDeployment::Rollback { to } => Act::Rollback { to: to? },
            NewDeployment::Restart {} => Act::Restart,
            NewDeployment::Scale { process, count } => Act::Scale { process, count },
            NewDeployment::Stop {} => Act::Stop,
            NewDeployment::Start {} => Act::Start,
        })
    }
}

/// Who asks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Trigger {
    /// Who or what asks for it, shown with the deployment; at most 100 characters, `api` where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trigger: Option<String>,
}

/// Which deployments are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Last {
    /// The last so many, at most 1000 (20 where nothing is said).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u32>,
}

/// Whether to go on.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Follow {
    /// Whether to go on with what is new until the end.
    #[serde(default)]
    pub follow: bool,
}

/// One thing that is new of a deployment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DeploymentUpdate {
    /// A line of its log.
    Line(LogLine),
    /// It, or one of its steps, changed its state: the whole of it as it is now.
    Deployment(Box<Deployment>),
}
