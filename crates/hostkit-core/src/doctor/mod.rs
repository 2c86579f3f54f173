//! What `hostkit doctor` looks for: rules over observed values, each giving a finding in words. Who observes, and
//! who shows it, stands elsewhere. No message has a value of a variable in it.

mod activity;
mod project;
mod values;
mod vault;

#[cfg(test)]
mod tests;

pub use activity::{Activity, ProcessLook, Wanted};
pub use project::{Observed, check};
pub use vault::{Aging, KeyFile, OldSecret, ROTATE_EVERY, master_key, old_secrets, tell_of_old};

use crate::project::EnvironmentId;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// As it should be.
    Fine,
    /// Worth a look.
    Warning,
    /// Something does not work.
    Problem,
}

/// Something `hostkit doctor` found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at: `front door`, `health`.
    pub subject: String,
    /// What was found.
    pub message: String,
    /// What to do.
    pub hint: Option<String>,
}

impl Finding {
    /// Something as it should be.
    pub fn fine(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Finding::new(Level::Fine, subject, message)
    }

    /// Something worth a look.
    pub fn warning(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Finding::new(Level::Warning, subject, message)
    }

    /// Something that does not work, or is not safe.
    pub fn problem(subject: impl Into<String>, message: impl Into<String>) -> Self {
        Finding::new(Level::Problem, subject, message)
    }

    /// With what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn new(level: Level, subject: impl Into<String>, message: impl Into<String>) -> Self {
        Finding {
            level,
            subject: subject.into(),
            message: message.into(),
            hint: None,
        }
    }
}

/// The options that name an environment in a command to try.
pub fn options(environment: &EnvironmentId) -> String {
    let mut options = format!("-p {}", environment.project);
    if !environment.environment.is_production() {
        options.push_str(&format!(" -e {}", environment.environment));
    }
    options
}
