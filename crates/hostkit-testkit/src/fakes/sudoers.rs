//! Sudo's rules in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hostkit_core::kind::Failure;
use hostkit_core::names::ProjectName;
use hostkit_host::change::Change;
use hostkit_host::sudoers::{Rule, Sudoers};

use super::faults::{Faults, Journal, locked};

/// Rules that exist in memory. Clones share one machine.
#[derive(Debug, Clone, Default)]
pub struct FakeSudoers {
    /// Faults by method name.
    pub faults: Faults,
    /// What was changed.
    pub journal: Journal,
    rules: Arc<Mutex<BTreeMap<ProjectName, Rule>>>,
}

impl FakeSudoers {
    /// Writes something else into the rule of a project.
    pub fn disturb(&self, project: &ProjectName) {
        locked(&self.rules).insert(project.clone(), Rule::Drifted);
    }
}

#[async_trait]
impl Sudoers for FakeSudoers {
    async fn observe(&self, project: &ProjectName) -> Result<Rule, Failure> {
        self.faults.pass("observe").await?;
        Ok(locked(&self.rules).get(project).copied().unwrap_or(Rule::Missing))
    }

    async fn ensure(&self, project: &ProjectName) -> Result<Change, Failure> {
        self.faults.pass("ensure").await?;
        let before = locked(&self.rules).insert(project.clone(), Rule::InPlace);
        if before == Some(Rule::InPlace) {
            return Ok(Change::Unneeded);
        }
        self.journal.note(format!("set sudo rule {project}"));
        Ok(Change::Made)
    }

    async fn remove(&self, project: &ProjectName) -> Result<Change, Failure> {
        self.faults.pass("remove").await?;
        if locked(&self.rules).remove(project).is_none() {
            return Ok(Change::Unneeded);
        }
        self.journal.note(format!("remove sudo rule {project}"));
        Ok(Change::Made)
    }
}
