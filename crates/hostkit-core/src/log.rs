//! Log lines of programs and of builds.

use std::sync::Arc;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::ProcessName;
use crate::size::Span;

/// Which stream of a program a line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
    /// HostKit's own word about the program (started, ended, killed).
    Hostkit,
}

/// One line a program printed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct LogLine {
    /// When it was read.
    pub at: Timestamp,
    /// The process, for a program's line.
    pub process: Option<ProcessName>,
    /// The instance, `shop.production.web.42.1`.
    pub instance: Option<String>,
    /// The stream.
    pub stream: LogStream,
    /// The text, without line end; bytes that are no UTF-8 are replaced.
    pub text: String,
}

/// Which lines are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LogQuery {
    /// Only of this process.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub process: Option<ProcessName>,
    /// Only this old or younger.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Span>,
    /// Only with this text in them (plain text, not a pattern).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grep: Option<String>,
    /// Only the last so many (100 where none is given and `since` is not either).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<usize>,
    /// Whether to go on with new lines as they come.
    #[serde(default)]
    pub follow: bool,
    /// How text is shown to whoever asks.
    #[serde(skip)]
    pub shown: Shown,
}

/// How text is shown to whoever asks: with secrets hidden. What is looked for is looked for in the text as it is
/// shown; otherwise whoever may not see a value could find it out by asking for lines with its beginning in them.
#[derive(Clone, Default)]
pub struct Shown(Option<Arc<Hide>>);

type Hide = dyn Fn(&str) -> String + Send + Sync;

impl Shown {
    /// Shows every text through `hide`.
    pub fn through(hide: impl Fn(&str) -> String + Send + Sync + 'static) -> Self {
        Shown(Some(Arc::new(hide)))
    }

    /// A text as it is shown.
    pub fn text(&self, text: String) -> String {
        match &self.0 {
            Some(hide) => hide(&text),
            None => text,
        }
    }
}

impl PartialEq for Shown {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Some(one), Some(two)) => Arc::ptr_eq(one, two),
            (None, None) => true,
            _ => false,
        }
    }
}

impl Eq for Shown {}

impl std::fmt::Debug for Shown {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.0.is_some() { "hidden" } else { "plain" })
    }
}
