//! An add-on in memory.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use hostkit_core::addon::{AddonHealth, AddonId, AddonKind, AddonOrder, AddonState, Console, Credential};
use hostkit_core::kind::Failure;
use hostkit_core::names::VariableName;
use hostkit_core::port_use::PortUse;
use hostkit_core::secret::Secret;
use hostkit_core::traits::Addon;
use hostkit_core::variables::Variables;

use super::faults::locked;
use super::{Faults, Journal};

/// Provides Redis that nobody can talk to. Clones share one. Faults: `"ensure_addon"`,
/// `"settled_addons"`, `"remove_addon"`.
#[derive(Debug, Clone, Default)]
pub struct FakeAddon {
    accepted: Arc<Mutex<BTreeMap<AddonId, Vec<Credential>>>>,
    /// What was done: `accept shop/production redis 2 1`, `take shop/production redis away`.
    pub journal: Journal,
    /// Faults by method.
    pub faults: Faults,
}

impl FakeAddon {
    /// One that writes to `journal`.
    pub fn new(journal: &Journal) -> Self {
        FakeAddon {
            journal: journal.clone(),
            ..FakeAddon::default()
        }
    }

    /// The numbers of the credentials that an add-on accepts; none where there is no such add-on.
    pub fn accepted(&self, id: &AddonId) -> Vec<u32> {
        let accepted = locked(&self.accepted);
        let credentials = accepted.get(id).into_iter().flatten();
        credentials.map(|credential| credential.number).collect()
    }

    /// Whether an add-on accepts a credential.
    pub fn lets_in(&self, id: &AddonId, credential: &Credential) -> bool {
        let accepted = locked(&self.accepted);
        accepted
            .get(id)
            .is_some_and(|credentials| credentials.contains(credential))
    }

    /// Loses an add-on, as a machine that was started again does.
    pub fn lose(&self, id: &AddonId) {
        locked(&self.accepted).remove(id);
    }
}

#[async_trait::async_trait]
impl Addon for FakeAddon {
    fn kind(&self) -> AddonKind {
        AddonKind::Redis
    }

    fn needs_port(&self) -> bool {
        true
    }

    async fn ensure(&self, order: &AddonOrder) -> Result<(), Failure> {
        self.faults.pass("ensure_addon").await?;
        let before = locked(&self.accepted).insert(order.id.clone(), order.credentials.clone());
        if before.as_ref() != Some(&order.credentials) {
            let numbers: Vec<String> = order.credentials.iter().map(|c| c.number.to_string()).collect();
            self.journal
                .note(format!("accept {} {}", order.id, numbers.join(" ")));
        }
        Ok(())
    }

    async fn settled(&self, orders: &[&AddonOrder]) -> Result<BTreeSet<AddonId>, Failure> {
        self.faults.pass("settled_addons").await?;
        let accepted = locked(&self.accepted);
        let settled = orders
            .iter()
            .filter(|order| accepted.get(&order.id) == Some(&order.credentials));
        Ok(settled.map(|order| order.id.clone()).collect())
    }

    async fn observe(&self, order: &AddonOrder) -> Result<AddonState, Failure> {
        let is_there = locked(&self.accepted).contains_key(&order.id);
        Ok(AddonState {
            health: match is_there {
                true => AddonHealth::Ready,
                false => AddonHealth::Down("it is not there".into()),
            },
            memory: None,
            version: None,
            warnings: Vec::new(),
        })
    }

    async fn remove(&self, id: &AddonId) -> Result<(), Failure> {
        self.faults.pass("remove_addon").await?;
        if locked(&self.accepted).remove(id).is_some() {
            self.journal.note(format!("take {id} away"));
        }
        Ok(())
    }

    fn variable_names(&self) -> Vec<VariableName> {
        VariableName::parse("REDIS_URL").into_iter().collect()
    }

    fn variables(&self, order: &AddonOrder) -> Variables {
        let credential = &order.credentials[0];
        let value = format!("fake://{}:{}@", credential.number, credential.secret.reveal());
        let names = self.variable_names().into_iter();
        names.map(|name| (name, Secret::new(value.as_str()))).collect()
    }

    fn ports(&self, order: &AddonOrder) -> BTreeMap<u16, PortUse> {
        let project = &order.id.environment.project;
        order
            .port
            .map(|port| (port, PortUse::of_project(project.clone())))
            .into_iter()
            .collect()
    }

    fn console(&self, _order: &AddonOrder, arguments: &[String]) -> Option<Console> {
        Some(Console {
            arguments: [&["echo".to_owned(), "console".to_owned()], arguments].concat(),
            variables: Variables::new(),
        })
    }
}
