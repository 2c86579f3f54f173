//! Owners of ports in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use hostkit_core::kind::Failure;
use hostkit_core::names::ProjectName;
use hostkit_core::traits::PortOwners;

use super::faults::locked;
use super::{Faults, Journal};

#[derive(Debug, Default)]
struct State {
    strangers: BTreeSet<ProjectName>,
    owned: Option<BTreeMap<u16, ProjectName>>,
}

/// A machine whose ports have owners. Clones share one machine. Faults: `"own"`.
#[derive(Debug, Clone, Default)]
pub struct FakePortOwners {
    state: Arc<Mutex<State>>,
    /// What was changed: `own 8001 shop, 20000 shop`.
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

    /// Whose each port is; nothing where no rules are in force.
    pub fn owned(&self) -> Option<BTreeMap<u16, ProjectName>> {
        locked(&self.state).owned.clone()
    }
}

#[async_trait::async_trait]
impl PortOwners for FakePortOwners {
    async fn ensure(&self, ports: &BTreeMap<u16, ProjectName>) -> Result<bool, Failure> {
        self.faults.pass("own").await?;
        let mut state = locked(&self.state);
        let wanted: BTreeMap<u16, ProjectName> = ports
            .iter()
            .filter(|(_, project)| !state.strangers.contains(project))
            .map(|(port, project)| (*port, project.clone()))
            .collect();
        if state.owned.as_ref() == Some(&wanted) {
            return Ok(false);
        }
        let words: Vec<String> = wanted
            .iter()
            .map(|(port, name)| format!("{port} {name}"))
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
            self.0.owned()?.get(&port).cloned()
        }

        async fn disturb(&self) {
            self.0.lose();
        }
    }

    port_owners_tests!([cfg(test)], Fixture::new());
}
