//! What a manifest says of requests: the rules of the project's routes, which process answers which path, and whose
//! password is asked for. [`keys`] has the shape of it, [`check`] makes the values.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::{ProcessName, VariableName};
use crate::route::rules::Rules;
use crate::route::{AnswerRule, Compression};
use crate::size::{ByteSize, Span};

pub(super) mod check;
pub(super) mod keys;
#[cfg(test)]
mod tests;
mod words;

/// What becomes of requests.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Routing {
    /// The rules of every route of the project, but the password.
    pub rules: Rules,
    /// Who must say a password.
    pub basic_auth: Option<Password>,
    /// Paths that lead to other processes.
    pub paths: Vec<PathRule>,
    /// Whether answers are compressed.
    pub compression: Compression,
    /// Which are, and which are kept to be used again.
    pub answers: AnswerRule,
}

/// A name and where the password is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Password {
    /// The name.
    pub user: String,
    /// The variable that has the password.
    pub variable: VariableName,
}

/// A path and all below it, and the process that answers there.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PathRule {
    /// The path, without a slash at its end.
    pub path: String,
    /// The process.
    pub process: ProcessName,
    /// Whether the process sees paths without it.
    pub strip_prefix: bool,
    /// The longest until an answer begins, where it is not the project's.
    pub timeout: Option<Span>,
    /// The largest body of a request, where it is not the project's.
    pub body_limit: Option<ByteSize>,
}
