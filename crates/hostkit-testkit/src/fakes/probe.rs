//! A probe that answers by address, or by what a [`FakeRuntime`] runs there.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use hostkit_core::manifest::HealthRule;
use hostkit_core::names::HostName;
use hostkit_core::traits::{Health, HealthProbe};

use super::faults::locked;
use super::{FakeRuntime, Faults, Journal};

/// Answers health checks. Without a runtime and without an answer set everything is healthy. A fault set for
/// `"check"` makes the check unhealthy with the fault's message.
#[derive(Clone, Default)]
pub struct FakeProbe {
    runtime: Option<FakeRuntime>,
    answers: Arc<Mutex<HashMap<SocketAddr, Health>>>,
    by_path: Arc<Mutex<HashMap<(SocketAddr, String), Health>>>,
    /// What was asked: `check 127.0.0.1:20000 /up`.
    pub journal: Journal,
    /// Faults of `"check"`.
    pub faults: Faults,
}

impl FakeProbe {
    /// A probe that finds healthy what `runtime` runs and means to be healthy, everything else refused.
    pub fn of(runtime: &FakeRuntime) -> Self {
        FakeProbe {
            runtime: Some(runtime.clone()),
            ..FakeProbe::default()
        }
    }

    /// Sets the answer of one address, whatever runs there.
    pub fn answer(&self, address: SocketAddr, health: Health) {
        locked(&self.answers).insert(address, health);
    }

    /// Sets the answer of one path of an address; it comes before [`FakeProbe::answer`].
    pub fn answer_at(&self, address: SocketAddr, path: &str, health: Health) {
        locked(&self.by_path).insert((address, path.to_owned()), health);
    }
}

#[async_trait::async_trait]
impl HealthProbe for FakeProbe {
    async fn check(&self, address: SocketAddr, _host: &HostName, rule: &HealthRule) -> Health {
        let path = rule.path.as_deref().unwrap_or("/");
        self.journal.note(format!("check {address} {path}"));
        if let Err(failure) = self.faults.pass("check").await {
            return Health::Unhealthy(failure.message);
        }
        if let Some(health) = locked(&self.by_path).get(&(address, path.to_owned())) {
            return health.clone();
        }
        if let Some(health) = locked(&self.answers).get(&address) {
            return health.clone();
        }
        match &self.runtime {
            Some(runtime) => runtime.health_at(address),
            None => Health::Healthy,
        }
    }
}
