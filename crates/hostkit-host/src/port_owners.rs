//! Whose programs may use which loopback port, put together: the accounts of projects, the packet filter, and a file by
//! which `hostkit-ports.service` loads the rules at boot before anything of a project runs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ProjectName;
use hostkit_core::traits::PortOwners;

use crate::accounts::{Accounts, LinuxAccounts};
use crate::files;
use crate::firewall::{Firewall, Loopback, Nft};

/// Keeps the ports of projects apart by the accounts their programs run as.
#[derive(Clone)]
pub struct PortRules {
    accounts: Arc<dyn Accounts>,
    firewall: Arc<dyn Firewall>,
    file: PathBuf,
}

impl PortRules {
    /// Those of this machine, which takes root; `file` is what is loaded at boot.
    pub fn of_this_machine(file: PathBuf) -> Self {
        PortRules::new(Arc::new(LinuxAccounts), Arc::new(Nft), file)
    }

    /// Those that other parts hold.
    pub fn new(accounts: Arc<dyn Accounts>, firewall: Arc<dyn Firewall>, file: PathBuf) -> Self {
        PortRules {
            accounts,
            firewall,
            file,
        }
    }

    async fn rules(&self, ports: &BTreeMap<u16, ProjectName>) -> Result<Loopback, Failure> {
        let (front_door, _) = self.accounts.ensure_front_door().await?;
        let mut known: BTreeMap<&ProjectName, Option<u32>> = BTreeMap::new();
        let mut owners = BTreeMap::new();
        for (port, project) in ports {
            let uid = match known.get(project) {
                Some(uid) => *uid,
                None => {
                    let uid = self.uid(project).await?;
                    known.insert(project, uid);
                    uid
                }
            };
            if let Some(uid) = uid {
                owners.insert(*port, uid);
            }
        }
        Ok(Loopback {
            front_door: front_door.uid,
            owners,
        })
    }

    /// An account that somebody else made is no project's.
    async fn uid(&self, project: &ProjectName) -> Result<Option<u32>, Failure> {
        match self.accounts.observe(project).await {
            Ok(account) => Ok(account.map(|account| account.uid)),
            Err(failure) if failure.kind == Kind::Conflict => Ok(None),
            Err(failure) => Err(failure),
        }
    }

    /// Keeps the rules for the next start of the machine.
    async fn keep(&self, script: String) -> Result<bool, Failure> {
        let file = self.file.clone();
        let cannot = |why: String| {
            Failure::new(
                Kind::Internal,
                format!("cannot write `{}`: {why}", self.file.display()),
            )
        };
        let kept = tokio::task::spawn_blocking(move || {
            if std::fs::read(&file).is_ok_and(|text| text == script.as_bytes()) {
                return Ok(false);
            }
            files::write_atomic(&file, script.as_bytes(), 0o600).map(|()| true)
        });
        match kept.await {
            Ok(kept) => kept.map_err(|e| cannot(e.to_string())),
            Err(e) => Err(cannot(e.to_string())),
        }
    }
}

#[async_trait]
impl PortOwners for PortRules {
    async fn ensure(&self, ports: &BTreeMap<u16, ProjectName>) -> Result<bool, Failure> {
        let rules = self.rules(ports).await?;
        // What is in force now matters more than what will be after a restart.
        let change = self.firewall.ensure_loopback(&rules).await?;
        let kept = self.keep(rules.script()).await?;
        Ok(change.is_made() || kept)
    }
}
