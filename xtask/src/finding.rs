//! What a check found: where, and what is wrong there.

use std::fmt;

/// Whether a finding fails the check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Level {
    /// To be mended before the change goes in.
    Fail,
    /// To be watched.
    Warn,
}

/// One thing a check found.
#[derive(Debug, Clone)]
pub(crate) struct Finding {
    pub(crate) level: Level,
    /// `path`, `path:line` or the name of a package.
    pub(crate) place: String,
    pub(crate) message: String,
}

impl Finding {
    pub(crate) fn fail(place: impl Into<String>, message: impl Into<String>) -> Self {
        Finding {
            level: Level::Fail,
            place: place.into(),
            message: message.into(),
        }
    }

    pub(crate) fn warn(place: impl Into<String>, message: impl Into<String>) -> Self {
        Finding {
            level: Level::Warn,
            place: place.into(),
            message: message.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Fail => "mend",
            Level::Warn => "watch",
        };
        write!(f, "{level}: {}: {}", self.place, self.message)
    }
}

/// Fails the calling test with every finding that is to be mended.
#[cfg(test)]
pub(crate) fn assert_none(findings: &[Finding]) {
    let failed: Vec<String> = findings
        .iter()
        .filter(|finding| finding.level == Level::Fail)
        .map(Finding::to_string)
        .collect();
    assert!(failed.is_empty(), "\n{}\n", failed.join("\n"));
}
