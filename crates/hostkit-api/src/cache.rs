//! The front door's cache: what is taken out of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What is taken out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CachePurge {
    /// Answers of this path, with whatever query; of all that begin so where it ends with `*`. All without.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
}
