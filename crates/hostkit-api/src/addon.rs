//! Add-ons of environments: how they were ordered and how they are. What programs are told of them leaves in one answer,
//! where it is asked for.

use std::collections::BTreeMap;

use hostkit_core::addon::{AddonKind, AddonSettings, AddonState};
use hostkit_core::deployment::DeploymentId;
use hostkit_core::names::VariableName;
use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An add-on to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NewAddon {
    /// What it is.
    pub kind: AddonKind,
    /// What is chosen of it.
    #[serde(default)]
    pub settings: AddonSettings,
    /// The address of one that somebody else keeps, with what gets in there: nothing is made then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outside: Option<OutsideAddress>,
}

/// Where something is that somebody else keeps: a URL with its password, or lines `NAME=VALUE` as the other side shows
/// them. It is never answered but among what programs are told.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct OutsideAddress {
    /// The text.
    pub address: String,
}

impl std::fmt::Debug for OutsideAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OutsideAddress([redacted])")
    }
}

/// An add-on of an environment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Addon {
    /// What it is.
    pub kind: AddonKind,
    /// How it is.
    pub state: AddonState,
    /// Whether it is being taken away.
    pub removing: bool,
    /// What was chosen of it.
    pub settings: AddonSettings,
    /// The loopback port it listens on, where it has one of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The names of the variables that programs are told.
    pub variables: Vec<VariableName>,
    /// When it was added.
    pub created_at: Timestamp,
    /// When its newest credential was made.
    pub credential_since: Timestamp,
    /// How a rotation stands that is under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rotation: Option<Rotation>,
}

/// A rotation that is under way: the credential before the newest is accepted, too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rotation {
    /// The deployment that gives the newest credential to programs, once there is one. Where it fails, the next one that
    /// succeeds does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentId>,
}

/// What was begun by asking for a rotation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rotated {
    /// Whether it is over already: nothing ran that had to be told.
    pub finished: bool,
    /// The deployment that gives the new credential to programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment: Option<DeploymentId>,
}

/// What programs are told of an add-on.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AddonVariables {
    /// Values by name.
    pub variables: BTreeMap<VariableName, String>,
}

impl std::fmt::Debug for AddonVariables {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AddonVariables")
            .field("variables", &self.variables.keys().collect::<Vec<_>>())
            .finish()
    }
}
