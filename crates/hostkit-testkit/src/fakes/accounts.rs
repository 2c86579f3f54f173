//! A machine's accounts in memory.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ProjectName;
use hostkit_core::services::ServiceName;
use hostkit_host::accounts::{Account, Accounts, FRONT_DOOR, LOWEST_UID, SERVICE_UIDS, check_name, foreign};
use hostkit_host::change::Change;

use super::faults::{Faults, Journal, locked};

/// Accounts that exist in memory. Clones share one machine.
#[derive(Debug, Clone, Default)]
pub struct FakeAccounts {
    /// Faults by method name.
    pub faults: Faults,
    /// What was changed.
    pub journal: Journal,
    known: Arc<Mutex<BTreeMap<String, Known>>>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    account: Account,
    is_ours: bool,
    has_drifted: bool,
}

impl FakeAccounts {
    /// An account, or a group, that somebody else made.
    pub fn plant(&self, name: &str) {
        self.add(name, LOWEST_UID, false);
    }

    /// Changes something at an account.
    pub fn disturb(&self, name: &str) {
        if let Some(known) = locked(&self.known).get_mut(name) {
            known.has_drifted = true;
        }
    }

    /// The names of all accounts.
    pub fn names(&self) -> Vec<String> {
        locked(&self.known).keys().cloned().collect()
    }

    fn add(&self, name: &str, lowest: u32, is_ours: bool) -> Account {
        let mut known = locked(&self.known);
        let taken = |number: &u32| known.values().any(|other| other.account.uid == *number);
        let number = (lowest..).find(|number| !taken(number)).unwrap_or(lowest);
        let account = Account {
            uid: number,
            gid: number,
        };
        let entry = Known {
            account,
            is_ours,
            has_drifted: false,
        };
        known.insert(name.to_owned(), entry);
        account
    }

    fn ours(&self, project: &ProjectName, verb: &str) -> Result<Option<Account>, Failure> {
        match locked(&self.known).get(project.as_str()) {
            None => Ok(None),
            Some(known) if known.is_ours => Ok(Some(known.account)),
            Some(_) => Err(foreign(project, verb)),
        }
    }
}

#[async_trait]
impl Accounts for FakeAccounts {
    async fn observe(&self, project: &ProjectName) -> Result<Option<Account>, Failure> {
        self.faults.pass("observe").await?;
        self.ours(project, "use")
    }

    async fn ensure(&self, project: &ProjectName) -> Result<(Account, Change), Failure> {
        self.faults.pass("ensure").await?;
        check_name(project)?;
        if let Some(account) = self.ours(project, "use")? {
            let mut known = locked(&self.known);
            let drifted = known
                .get_mut(project.as_str())
                .is_some_and(|known| std::mem::take(&mut known.has_drifted));
            return Ok((account, Change::made_if(drifted)));
        }
        self.journal.note(format!("make account {project}"));
        Ok((self.add(project.as_str(), LOWEST_UID, true), Change::Made))
    }

    async fn close(&self, project: &ProjectName) -> Result<Change, Failure> {
        self.faults.pass("close").await?;
        if self.ours(project, "remove")?.is_none() {
            return Ok(Change::Unneeded);
        }
        self.journal.note(format!("close account {project}"));
        Ok(Change::Made)
    }

    async fn remove(&self, project: &ProjectName) -> Result<Change, Failure> {
        self.faults.pass("remove").await?;
        if self.ours(project, "remove")?.is_none() {
            return Ok(Change::Unneeded);
        }
        self.journal.note(format!("remove account {project}"));
        locked(&self.known).remove(project.as_str());
        Ok(Change::Made)
    }

    async fn project_of(&self, uid: u32) -> Result<Option<ProjectName>, Failure> {
        self.faults.pass("project_of").await?;
        let known = locked(&self.known);
        let found = known
            .iter()
            .find(|(_, known)| known.is_ours && known.account.uid == uid);
        Ok(found
            .filter(|_| uid >= LOWEST_UID && !SERVICE_UIDS.contains(&uid))
            .and_then(|(name, _)| ProjectName::parse(name).ok()))
    }

    async fn ensure_front_door(&self) -> Result<(Account, Change), Failure> {
        self.faults.pass("ensure_front_door").await?;
        let there = locked(&self.known).get(FRONT_DOOR).copied();
        match there {
            Some(known) if known.is_ours => Ok((known.account, Change::Unneeded)),
            Some(_) => Err(Failure::new(
                Kind::Conflict,
                format!("cannot use the account `{FRONT_DOOR}`: it is not a system account without a shell"),
            )),
            None => Ok((self.add(FRONT_DOOR, 900, true), Change::Made)),
        }
    }

    async fn ensure_service(&self, service: &ServiceName) -> Result<(Account, Change), Failure> {
        self.faults.pass("ensure_service").await?;
        let name = service.account();
        let there = locked(&self.known).get(&name).copied();
        match there {
            Some(known) if known.is_ours => Ok((known.account, Change::Unneeded)),
            Some(_) => Err(Failure::new(
                Kind::Conflict,
                format!("cannot use the account `{name}`: it is not HostKit's"),
            )),
            None => {
                self.journal.note(format!("make account of {service}"));
                Ok((self.add(&name, *SERVICE_UIDS.start(), true), Change::Made))
            }
        }
    }

    async fn remove_service(&self, service: &ServiceName) -> Result<Change, Failure> {
        self.faults.pass("remove_service").await?;
        let gone = locked(&self.known).remove(&service.account()).is_some();
        if gone {
            self.journal.note(format!("remove account of {service}"));
        }
        Ok(Change::made_if(gone))
    }

    async fn observe_foreign(&self, name: &str) -> Result<Option<Account>, Failure> {
        self.faults.pass("observe_foreign").await?;
        Ok(locked(&self.known).get(name).map(|known| known.account))
    }
}
