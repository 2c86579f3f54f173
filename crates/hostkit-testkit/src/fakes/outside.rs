//! A Redis that somebody else keeps, in memory: an address is `PASSWORD@HOST`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hostkit_core::addon::{AddonHealth, AddonId, AddonKind, AddonOrder, AddonState, Console, Credential};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::VariableName;
use hostkit_core::port_use::PortUse;
use hostkit_core::reach::{Reach, is_this_machine};
use hostkit_core::secret::Secret;
use hostkit_core::traits::{Addon, Clock};
use hostkit_core::variables::Variables;
use jiff::{SignedDuration, Timestamp};

use super::FakeClock;
use super::faults::locked;

/// How long one that was good is taken for good.
const GOOD_FOR: SignedDuration = SignedDuration::from_secs(300);

/// By which addresses one was good, and when.
type Good = (Vec<Credential>, Timestamp);

/// Uses the Redis at the host `there`, which lets everybody in whose password does not begin with `wrong`. At `stranger`
/// something else listens, and nobody anywhere else. Clones share one.
#[derive(Debug, Clone)]
pub struct FakeOutside {
    reach: Reach,
    good: Arc<Mutex<BTreeMap<AddonId, Good>>>,
    away: Arc<AtomicBool>,
    asked: Arc<AtomicUsize>,
    /// What it takes for the time.
    pub clock: FakeClock,
}

impl Default for FakeOutside {
    fn default() -> Self {
        FakeOutside::new(Reach::All)
    }
}

impl FakeOutside {
    /// Goes as far as `reach`; it has looked at nothing so far.
    pub fn new(reach: Reach) -> Self {
        FakeOutside {
            reach,
            good: Arc::default(),
            away: Arc::default(),
            asked: Arc::default(),
            clock: FakeClock::default(),
        }
    }

    /// Another one of the same other side, which has looked at nothing so far.
    #[must_use]
    pub fn anew(&self, reach: Reach) -> Self {
        FakeOutside {
            reach,
            good: Arc::default(),
            ..self.clone()
        }
    }

    /// How often the other side was asked.
    pub fn asked(&self) -> usize {
        self.asked.load(Ordering::Relaxed)
    }

    /// Takes the other side away, or brings it back.
    pub fn be_there(&self, is_there: bool) {
        self.away.store(!is_there, Ordering::Relaxed);
    }

    fn look(&self, order: &AddonOrder) -> Result<(), Failure> {
        locked(&self.good).remove(&order.id);
        let (password, host) = parts(order)?;
        if self.reach != Reach::All && is_this_machine(host) {
            let why = format!("cannot connect to `{host}`: it is this machine");
            return Err(Failure::new(Kind::Denied, why));
        }
        let refused = |kind: Kind, why: &str| {
            Err(Failure::new(
                kind,
                format!("cannot use the Redis at `{host}`: {why}"),
            ))
        };
        match host {
            "there" if !self.away.load(Ordering::Relaxed) => {}
            "stranger" => return refused(Kind::Unavailable, "it is none"),
            _ => return refused(Kind::Unavailable, "nobody answers"),
        }
        self.asked.fetch_add(1, Ordering::Relaxed);
        if password.starts_with("wrong") {
            return refused(Kind::Denied, "it does not accept the password");
        }
        let good = (order.credentials.clone(), self.clock.now());
        locked(&self.good).insert(order.id.clone(), good);
        Ok(())
    }
}

/// The password and the host of an order's newest address.
fn parts(order: &AddonOrder) -> Result<(&str, &str), Failure> {
    let address = order.credentials[0].secret.reveal();
    address.split_once('@').ok_or_else(|| {
        Failure::new(
            Kind::Invalid,
            "cannot use this address of a Redis: it names no host",
        )
    })
}

#[async_trait::async_trait]
impl Addon for FakeOutside {
    fn kind(&self) -> AddonKind {
        AddonKind::Redis
    }

    fn is_outside(&self) -> bool {
        true
    }

    fn needs_port(&self) -> bool {
        false
    }

    async fn ensure(&self, order: &AddonOrder) -> Result<(), Failure> {
        self.look(order)
    }

    async fn settled(&self, orders: &[&AddonOrder]) -> Result<BTreeSet<AddonId>, Failure> {
        let (good, now) = (locked(&self.good), self.clock.now());
        let is_good = |order: &&&AddonOrder| {
            good.get(&order.id).is_some_and(|(credentials, since)| {
                *credentials == order.credentials && now.duration_since(*since) < GOOD_FOR
            })
        };
        let settled = orders.iter().filter(is_good);
        Ok(settled.map(|order| order.id.clone()).collect())
    }

    async fn observe(&self, order: &AddonOrder) -> Result<AddonState, Failure> {
        Ok(AddonState {
            health: match self.look(order) {
                Ok(()) => AddonHealth::Ready,
                Err(failure) => AddonHealth::Down(failure.message),
            },
            memory: None,
            version: None,
            warnings: Vec::new(),
        })
    }

    async fn remove(&self, id: &AddonId) -> Result<(), Failure> {
        locked(&self.good).remove(id);
        Ok(())
    }

    fn variable_names(&self) -> Vec<VariableName> {
        VariableName::parse("REDIS_URL").into_iter().collect()
    }

    fn variables(&self, order: &AddonOrder) -> Variables {
        let names = self.variable_names().into_iter();
        names
            .map(|name| (name, order.credentials[0].secret.clone()))
            .collect()
    }

    fn passwords(&self, order: &AddonOrder) -> Vec<Secret> {
        let password = parts(order).map(|(password, _)| Secret::new(password));
        password.into_iter().collect()
    }

    fn ports(&self, _: &AddonOrder) -> BTreeMap<u16, PortUse> {
        BTreeMap::new()
    }

    fn console(&self, _: &AddonOrder, _: &[String]) -> Option<Console> {
        None
    }
}
