//! How a failure travels: `{"error": {"code", "message", "hint", "details"}}` with the HTTP status of its kind.

use hostkit_core::kind::{Failure, Kind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The body of every answer that is no success.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Error")]
pub struct ErrorBody {
    /// What went wrong.
    pub error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorDetail {
    /// The sort of failure; decides the HTTP status.
    pub code: Kind,
    /// `cannot <verb> <thing>: <why>`.
    pub message: String,
    /// What to try next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Further lines that explain.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub details: Vec<String>,
}

impl From<Failure> for ErrorBody {
    fn from(failure: Failure) -> Self {
        ErrorBody {
            error: ErrorDetail {
                code: failure.kind,
                message: failure.message,
                hint: failure.hint,
                details: failure.details,
            },
        }
    }
}

impl From<ErrorBody> for Failure {
    fn from(body: ErrorBody) -> Self {
        Failure {
            kind: body.error.code,
            message: body.error.message,
            hint: body.error.hint,
            details: body.error.details,
        }
    }
}
