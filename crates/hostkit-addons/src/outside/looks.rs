//! When add-ons elsewhere were last found good.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use hostkit_core::addon::{AddonId, AddonOrder, Credential};

/// One that was good is taken for good so long.
const GOOD_FOR: Duration = Duration::from_secs(300);

/// Those that were good at their last look.
#[derive(Default)]
pub(super) struct Looks(Mutex<BTreeMap<AddonId, Good>>);

/// A look that found one good.
struct Good {
    addresses: Vec<Credential>,
    since: Instant,
}

impl Looks {
    fn locked(&self) -> MutexGuard<'_, BTreeMap<AddonId, Good>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Before each look: one that is given up, or fails, leaves nothing known.
    pub(super) fn forget(&self, id: &AddonId) {
        self.locked().remove(id);
    }

    pub(super) fn note_good(&self, order: &AddonOrder, since: Instant) {
        let addresses = order.credentials.clone();
        self.locked().insert(order.id.clone(), Good { addresses, since });
    }

    /// Whether it was good at its last look, by the same addresses, and not long ago.
    pub(super) fn was_good(&self, order: &AddonOrder, now: Instant) -> bool {
        self.locked().get(&order.id).is_some_and(|good| {
            good.addresses == order.credentials && now.saturating_duration_since(good.since) < GOOD_FOR
        })
    }
}
