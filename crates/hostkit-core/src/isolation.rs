//! What `doctor isolation` tells: everything one project's account tried at another project, and what became of it.

use serde::{Deserialize, Serialize};

use crate::names::ProjectName;

/// What became of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AttemptOutcome {
    /// It was refused, as it must be.
    Refused,
    /// It succeeded: the projects are not kept apart.
    Succeeded,
    /// It was not made: what it goes for is not there.
    NotMade,
}

/// An attempt that was made, or could not be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AttemptReport {
    /// What it goes for, in a word or two: `home`, `port`, `control`.
    pub noun: String,
    /// What was tried, to be read after "cannot" or "can": `read /home/blog/.env`.
    pub act: String,
    /// What became of it.
    pub outcome: AttemptOutcome,
    /// Who or what refused it, or why it was not made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

impl AttemptReport {
    /// The attempt as a sentence.
    pub fn sentence(&self) -> String {
        match self.outcome {
            AttemptOutcome::Refused => format!("cannot {}", self.act),
            AttemptOutcome::Succeeded => format!("can {}", self.act),
            AttemptOutcome::NotMade => format!("did not try to {}", self.act),
        }
    }
}

/// All that one project's account tried at another project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IsolationReport {
    /// Whose account tried.
    pub from: ProjectName,
    /// What it tried it at.
    pub to: ProjectName,
    /// Every attempt, in the order they were made.
    pub attempts: Vec<AttemptReport>,
}

impl IsolationReport {
    /// How many attempts ended so.
    pub fn count(&self, outcome: AttemptOutcome) -> usize {
        self.attempts.iter().filter(|a| a.outcome == outcome).count()
    }

    /// Whether no attempt succeeded.
    pub fn is_fine(&self) -> bool {
        self.count(AttemptOutcome::Succeeded) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_attempt_that_succeeds_is_enough() {
        let attempt = |outcome| AttemptReport {
            noun: "variables".into(),
            act: "read /home/blog/.env".into(),
            outcome,
            why: None,
        };
        let mut report = IsolationReport {
            from: ProjectName::parse("shop").unwrap(),
            to: ProjectName::parse("blog").unwrap(),
            attempts: vec![attempt(AttemptOutcome::Refused), attempt(AttemptOutcome::NotMade)],
        };
        assert!(report.is_fine());
        assert_eq!(report.attempts[0].sentence(), "cannot read /home/blog/.env");
        report.attempts.push(attempt(AttemptOutcome::Succeeded));
        assert!(!report.is_fine());
        assert_eq!(report.attempts[2].sentence(), "can read /home/blog/.env");
    }
}
