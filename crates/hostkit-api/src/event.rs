//! Which events are wanted. The events themselves travel as the core noun.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which events are wanted, oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EventsQuery {
    /// Only those after this one; goes on where an earlier call ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Only the last so many, at most 1000 (50 where neither this nor `after` is given).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<u32>,
    /// Whether to go on with new events as they happen.
    #[serde(default)]
    pub follow: bool,
}
