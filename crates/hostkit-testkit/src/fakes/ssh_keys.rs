//! Keys of projects in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hostkit_core::kind::Failure;
use hostkit_core::names::ProjectName;
use hostkit_core::traits::OperatorKeys;
use hostkit_host::change::Change;
use hostkit_host::ssh_keys::{Authorized, Fingerprint, KeysOfOperators, PublicKey, SshKeys};

use super::faults::{Faults, Journal, locked};

/// Keys that exist in memory. Clones share one machine.
#[derive(Debug, Clone, Default)]
pub struct FakeSshKeys {
    /// Faults by method name.
    pub faults: Faults,
    /// What was changed.
    pub journal: Journal,
    keys: Arc<Mutex<BTreeMap<ProjectName, Vec<PublicKey>>>>,
}

impl FakeSshKeys {
    /// The same keys, as text for people.
    pub fn of_operators(&self) -> Arc<dyn OperatorKeys> {
        Arc::new(KeysOfOperators::new(Arc::new(self.clone())))
    }
}

#[async_trait]
impl SshKeys for FakeSshKeys {
    async fn list(&self, project: &ProjectName) -> Result<Vec<Authorized>, Failure> {
        self.faults.pass("list").await?;
        let keys = locked(&self.keys).get(project).cloned().unwrap_or_default();
        let authorized = |key| Authorized {
            key,
            has_options: false,
        };
        Ok(keys.into_iter().map(authorized).collect())
    }

    async fn add(&self, project: &ProjectName, key: &PublicKey) -> Result<Change, Failure> {
        self.faults.pass("add").await?;
        let mut keys = locked(&self.keys);
        let keys = keys.entry(project.clone()).or_default();
        if keys.iter().any(|there| there.fingerprint() == key.fingerprint()) {
            return Ok(Change::Unneeded);
        }
        keys.push(key.clone());
        self.journal
            .note(format!("add key {project} {}", key.fingerprint()));
        Ok(Change::Made)
    }

    async fn remove(&self, project: &ProjectName, key: &Fingerprint) -> Result<Change, Failure> {
        self.faults.pass("remove").await?;
        let mut keys = locked(&self.keys);
        let keys = keys.entry(project.clone()).or_default();
        let before = keys.len();
        keys.retain(|there| there.fingerprint() != *key);
        if keys.len() == before {
            return Ok(Change::Unneeded);
        }
        self.journal.note(format!("remove key {project} {key}"));
        Ok(Change::Made)
    }
}
