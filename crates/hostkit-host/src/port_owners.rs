//! Whose programs may use which loopback port, put together: the accounts of projects and services, the packet filter, and a file by
//! which `hostkit-ports.service` loads the rules at boot before anything of a project runs.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ProjectName;
use hostkit_core::port_use::{Callers, PortUse, PortUser};
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

    async fn rules(&self, ports: &BTreeMap<u16, PortUse>) -> Result<Loopback, Failure> {
        let (front_door, _) = self.accounts.ensure_front_door().await?;
        let mut rules = Loopback {
            front_door: front_door.uid,
            ..Loopback::default()
        };
        let known = self.uids(ports).await?;
        let uid = |user: &PortUser| known.get(user).copied();
        for (port, used) in ports {
            let Some(owner) = uid(&used.answers) else {
                continue;
            };
            rules.owners.insert(*port, owner);
            match &used.callers {
                Callers::Everybody => {
                    rules.open.insert(*port);
                }
                Callers::These(callers) => {
                    let callers = callers.iter().filter_map(uid);
                    rules.callers.extend(callers.map(|uid| (*port, uid)));
                }
            }
        }
        Ok(rules)
    }

    /// The number of everybody who is named and has an account.
    async fn uids(&self, ports: &BTreeMap<u16, PortUse>) -> Result<BTreeMap<PortUser, u32>, Failure> {
        let users: BTreeSet<&PortUser> = ports
            .values()
            .flat_map(|used| {
                let callers = match &used.callers {
                    Callers::These(callers) => Some(callers),
                    Callers::Everybody => None,
                };
                std::iter::once(&used.answers).chain(callers.into_iter().flatten())
            })
            .collect();
        let mut known = BTreeMap::new();
        for user in users {
            let uid = match user {
                PortUser::Project(project) => self.uid_of(project).await?,
                // Made here: the rules are in force before it first runs.
                PortUser::Service(service) => Some(self.accounts.ensure_service(service).await?.0.uid),
                PortUser::Account(name) => self.accounts.observe_foreign(name).await?.map(|found| found.uid),
            };
            if let Some(uid) = uid {
                known.insert(user.clone(), uid);
            }
        }
        Ok(known)
    }

    /// An account that somebody else made is no project's.
    async fn uid_of(&self, project: &ProjectName) -> Result<Option<u32>, Failure> {
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
    async fn ensure(&self, ports: &BTreeMap<u16, PortUse>) -> Result<bool, Failure> {
        let rules = self.rules(ports).await?;
        // What is in force now matters more than what will be after a restart.
        let change = self.firewall.ensure_loopback(&rules).await?;
        let kept = self.keep(rules.script()).await?;
        Ok(change.is_made() || kept)
    }
}
