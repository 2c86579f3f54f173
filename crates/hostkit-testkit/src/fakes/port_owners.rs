//! Owners of ports in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use hostkit_core::kind::Failure;
use hostkit_core::names::ProjectName;
use hostkit_core::port_use::{PortUse, PortUser};
use hostkit_core::traits::PortOwners;

use super::faults::locked;
use super::{Faults, Journal};

#[derive(Debug, Default)]
struct State {
    strangers: BTreeSet<ProjectName>,
    owned: Option<BTreeMap<u16, PortUse>>,
}

/// A machine whose ports have uses. Clones share one machine. Faults: `"own"`.
#[derive(Debug, Clone, Default)]
pub struct FakePortOwners {
    state: Arc<Mutex<State>>,
    /// What was changed: `own 8001 shop, 20000 shop`, by who answers.
    pub journal: Journal,
    /// Faults by method.
    pub faults: Faults,
}

impl FakePortOwners {
    /// A machine that writes to `journal`.
    pub fn new(journal: &Journal) -> Self {
        FakePortOwners {
            journal: journal.clone(),
            ..FakePortOwners::default()
        }
    }

    /// From now on the machine does not know a project.
    pub fn stranger(&self, project: &ProjectName) {
        locked(&self.state).strangers.insert(project.clone());
    }

    /// Takes all rules away, as somebody at the machine may.
    pub fn lose(&self) {
        locked(&self.state).owned = None;
    }

    /// What each port is for; nothing where no rules are in force.
    pub fn owned(&self) -> Option<BTreeMap<u16, PortUse>> {
        locked(&self.state).owned.clone()
    }
}

#[async_trait::async_trait]
impl PortOwners for FakePortOwners {
    async fn ensure(&self, ports: &BTreeMap<u16, PortUse>) -> Result<bool, Failure> {
        self.faults.pass("own").await?;
        let mut state = locked(&self.state);
        let is_stranger =
            |user: &PortUser| matches!(user, PortUser::Project(project) if state.strangers.contains(project));
        let wanted: BTreeMap<u16, PortUse> = ports
            .iter()
            .filter(|(_, used)| !is_stranger(&used.answers))
            .map(|(port, used)| (*port, used.clone()))
            .collect();
        if state.owned.as_ref() == Some(&wanted) {
            return Ok(false);
        }
        let words: Vec<String> = wanted
            .iter()
            .map(|(port, used)| format!("{port} {}", used.answers))
            .collect();
        self.journal.note(format!("own {}", words.join(", ")));
        state.owned = Some(wanted);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use async_trait::async_trait;
    use hostkit_core::names::ProjectName;
    use hostkit_core::port_use::PortUser;
    use hostkit_core::traits::PortOwners;

    use super::FakePortOwners;
    use crate::conformance::port_owners::{PortOwnersFixture, project};
    use crate::port_owners_tests;

    struct Fixture(FakePortOwners);

    impl Fixture {
        fn new() -> Self {
            let owners = FakePortOwners::default();
            owners.stranger(&project("suite-stranger"));
            Fixture(owners)
        }
    }

    #[async_trait]
    impl PortOwnersFixture for Fixture {
        async fn owners(&self) -> Arc<dyn PortOwners> {
            Arc::new(self.0.clone())
        }

        async fn owner_of(&self, port: u16) -> Option<ProjectName> {
            match self.0.owned()?.get(&port)?.answers.clone() {
                PortUser::Project(project) => Some(project),
                _ => None,
            }
        }

        async fn disturb(&self) {
            self.0.lose();
        }
    }

    port_owners_tests!([cfg(test)], Fixture::new());
}
