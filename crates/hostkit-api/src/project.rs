//! Projects and their environments.

use std::collections::BTreeMap;

use hostkit_core::addon::AddonKind;
use hostkit_core::canary::Percent;
use hostkit_core::deployment::DeploymentId;
use hostkit_core::domain::DomainName;
use hostkit_core::names::{EnvironmentName, ProcessName, ProjectName, ReleaseName};
use hostkit_core::traits::Archive;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::addon::OutsideAddress;

/// A project to be created.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewProject {
    /// Its name.
    pub name: ProjectName,
    /// The addresses of what somebody else keeps, by kind: production has it from the start. Each is tried first, and where
    /// one does not work nothing is made.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub outside: BTreeMap<AddonKind, OutsideAddress>,
}

impl NewProject {
    /// One with nothing besides its name.
    pub fn named(name: ProjectName) -> Self {
        NewProject {
            name,
            outside: BTreeMap::new(),
        }
    }
}

/// A project.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Project {
    /// Its name.
    pub name: ProjectName,
    /// When it was created.
    pub created_at: Timestamp,
    /// Its environments.
    pub environments: Vec<Environment>,
    /// What it is on the machine, on a server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_machine: Option<OnMachine>,
}

/// What a project is on the machine of a server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OnMachine {
    /// The account that its programs run as, and that its operators log in to.
    pub account: String,
    /// Its home.
    pub home: String,
    /// The folder of its logs.
    pub logs: String,
    /// The name its main program has for `systemctl`, once it runs.
    pub service: String,
    /// The port of production's main program on loopback, which stays the same for as long as there is the project.
    pub base_port: Option<u16>,
    /// How open the machine is to the project's programs, as `systemd-analyze security` measures their units: from 0,
    /// shut in wholly, to 10, not at all; that of the most open one. Only where one project is asked for and runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exposure: Option<f64>,
}

/// A project as it should be, and what had to be done for that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Provisioned {
    /// The project.
    pub project: Project,
    /// Whether it is new.
    pub is_new: bool,
    /// What was made or mended on the machine, in words; nothing where everything was as it should be.
    pub changes: Vec<String>,
}

/// An environment of a project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// The project.
    pub project: ProjectName,
    /// Its name.
    pub name: EnvironmentName,
    /// Where it answers.
    pub url: String,
    /// Every host name it answers, the one of `url` first; `*.` before one is all names of one label below it.
    pub hosts: Vec<DomainName>,
    /// Whether it serves.
    pub state: EnvironmentState,
    /// The live release.
    pub release: Option<ReleaseName>,
    /// The deployment that brought the live instances.
    pub deployment: Option<DeploymentId>,
    /// The canary beside the live release.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// How many instances of each process are wanted.
    pub processes: BTreeMap<ProcessName, u16>,
    /// The stable loopback port of each process that has one.
    pub ports: BTreeMap<ProcessName, u16>,
}

/// A release that some of the visitors get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Canary {
    /// The release.
    pub release: ReleaseName,
    /// The deployment that brought its instances.
    pub deployment: DeploymentId,
    /// How many of a hundred visitors get it.
    pub percent: Percent,
}

/// Whether an environment serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum EnvironmentState {
    /// Nothing was deployed yet.
    NeverDeployed,
    /// A release is live.
    Live,
    /// Stopped by its owner; its release stays the live one.
    Stopped,
}

/// How a project is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deletion {
    /// `false`: without a last archive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archive: Option<bool>,
    /// `false`: without a last backup of its add-ons and variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<bool>,
}

/// What is left of a project that was deleted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Deleted {
    /// The project.
    pub deleted: ProjectName,
    /// Its last archive, on a server.
    pub archive: Option<Archive>,
}
