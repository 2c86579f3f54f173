//! Which log lines are wanted. The lines themselves travel as the core noun.

use hostkit_core::log::LogQuery;
use hostkit_core::names::ProcessName;
use hostkit_core::size::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Which lines are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LogsQuery {
    /// Only of this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessName>,
    /// Only this old or younger: `15m`, `2h`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Span>,
    /// Only with this text in them (plain text, not a pattern).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grep: Option<String>,
    /// Only the last so many (100 where neither this nor `since` is given).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<usize>,
    /// Whether to go on with new lines as they come.
    #[serde(default)]
    pub follow: bool,
}

impl From<LogsQuery> for LogQuery {
    fn from(query: LogsQuery) -> LogQuery {
        LogQuery {
            process: query.process,
            since: query.since,
            grep: query.grep,
            last: query.last,
            follow: query.follow,
            ..LogQuery::default()
        }
    }
}
