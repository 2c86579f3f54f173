//! What sort of failure something is: the only table to HTTP status, exit code and retry.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The sort of a failure. Every error of every crate answers one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The input is wrong: the caller can mend it.
    Invalid,
    /// The caller is not known (no token, or a wrong one).
    Unauthenticated,
    /// The caller is known and may not do this.
    Denied,
    /// The thing named does not exist.
    NotFound,
    /// The thing exists already, or is in a state that forbids the act.
    Conflict,
    /// More was sent than is taken.
    TooLarge,
    /// What the user gave us to build or run failed (a build error, a program that does not start).
    Failed,
    /// Something needed is not there right now; trying again may help.
    Unavailable,
    /// Our own fault.
    Internal,
}

impl Kind {
    /// The HTTP status an API answer carries.
    pub fn http_status(self) -> u16 {
        match self {
            Kind::Invalid => 400,
            Kind::Unauthenticated => 401,
            Kind::Denied => 403,
            Kind::NotFound => 404,
            Kind::Conflict => 409,
            Kind::TooLarge => 413,
            Kind::Failed => 422,
            Kind::Unavailable => 503,
            Kind::Internal => 500,
        }
    }

    /// The exit code of the command line: 1 is the user's side, 2 is ours.
    pub fn exit_code(self) -> u8 {
        match self {
            Kind::Internal | Kind::Unavailable => 2,
            _ => 1,
        }
    }

    /// Whether the same call may succeed later without a change.
    pub fn is_retryable(self) -> bool {
        self == Kind::Unavailable
    }
}

/// What a failed act tells its caller: what, why, and what to do next. Carries no secret and no internal detail.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Failure {
    /// The sort of failure.
    pub kind: Kind,
    /// `cannot <verb> <thing>: <why>`, lower case, no full stop.
    pub message: String,
    /// The next command or change to try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Further lines that explain: last log lines, every problem of a manifest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl Failure {
    /// A failure with neither hint nor details.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Failure {
            kind,
            message: message.into(),
            hint: None,
            details: Vec::new(),
        }
    }

    /// The same failure with what to try next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// The same failure with explaining lines.
    pub fn details(mut self, details: Vec<String>) -> Self {
        self.details = details;
        self
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}
