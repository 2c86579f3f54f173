//! Which databases are as they were left: one look at all of them, where a close one at each would be a dozen connections.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hostkit_core::addon::{AddonId, AddonOrder};
use hostkit_core::kind::Failure;

use super::addon::Postgres;
use super::databases::{self, OWN_DATABASE, State};
use super::names::DatabaseName;

/// The longest between two close looks: what is inside of a database shows in no other.
const CLOSE_LOOK_EVERY: Duration = Duration::from_secs(3600);

/// How databases were left.
#[derive(Clone, Default)]
pub(super) struct Left(Arc<Mutex<BTreeMap<AddonId, As>>>);

/// How one was left.
struct As {
    order: AddonOrder,
    state: State,
    since: Instant,
}

impl Left {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<AddonId, As>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn forget(&self, id: &AddonId) {
        self.locked().remove(id);
    }
}

impl As {
    fn is_still(&self, order: &AddonOrder, state: Option<&State>) -> bool {
        // That it was made is noted after it was left.
        let known = AddonOrder {
            made: order.made,
            ..self.order.clone()
        };
        known == *order && state == Some(&self.state) && self.since.elapsed() < CLOSE_LOOK_EVERY
    }
}

impl Postgres {
    /// Notes that a database was left as it should be.
    pub(super) async fn note_left(&self, order: &AddonOrder) -> Result<(), Failure> {
        let session = self.access().connect(OWN_DATABASE).await?;
        let mut states = databases::states(&session).await?;
        if let Some(state) = states.remove(DatabaseName::main(&order.id.environment).as_str()) {
            let (order, since) = (order.clone(), Instant::now());
            let left = As { order, state, since };
            self.left.locked().insert(left.order.id.clone(), left);
        }
        Ok(())
    }

    /// Those of these that are as they were left, after the server and PgBouncer were ensured.
    pub(super) async fn still_as_left(&self, orders: &[&AddonOrder]) -> Result<BTreeSet<AddonId>, Failure> {
        // What is lost is told of each database.
        if orders.is_empty() || self.has_lost_all()? {
            return Ok(BTreeSet::new());
        }
        self.ensure_server().await?;
        self.tell_pooler().await?;
        let session = self.access().connect(OWN_DATABASE).await?;
        let states = databases::states(&session).await?;
        let held = self.pooler().console().await?.held().await?;
        let known = match held.is_empty() {
            true => Vec::new(),
            false => databases::known(&session).await?,
        };
        // A restore that was killed half way may have left transactions waiting: a close look lets them go on.
        let waits = |main: &DatabaseName| {
            let mut of_main = known.iter().filter(|database| database.owner == main.as_str());
            of_main.any(|database| held.contains(&database.name))
        };
        let left = self.left.locked();
        let still = orders.iter().filter(|order| {
            let main = DatabaseName::main(&order.id.environment);
            let left = left.get(&order.id);
            left.is_some_and(|left| left.is_still(order, states.get(main.as_str()))) && !waits(&main)
        });
        Ok(still.map(|order| order.id.clone()).collect())
    }
}
