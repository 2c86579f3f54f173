//! Who calls: what a token or an account may, told to whoever has it.

use hostkit_core::access::Role;
use hostkit_core::names::ProjectName;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Who calls, as HostKit knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Caller {
    /// How it is known.
    pub known_by: KnownBy,
    /// The name of the token or account.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The one project it covers; all where none is named.
    pub project: Option<ProjectName>,
}

/// How a caller is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KnownBy {
    /// By a token.
    Token,
    /// By the account of the machine that its process runs as.
    Account,
}
