//! What the fakes have in common: a journal of calls, and faults that a test sets by method name.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};

/// A lock that a failed test in another thread does not make unusable.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What was asked of the fakes, in order: `ensure shop.production.web.1 x2`. Clones share one list.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<String>>>);

impl Journal {
    /// Writes one entry.
    pub fn note(&self, entry: impl Into<String>) {
        locked(&self.0).push(entry.into());
    }

    /// All entries so far.
    pub fn entries(&self) -> Vec<String> {
        locked(&self.0).clone()
    }

    /// How many entries start with `prefix`.
    pub fn count(&self, prefix: &str) -> usize {
        locked(&self.0).iter().filter(|e| e.starts_with(prefix)).count()
    }

    /// Forgets all entries.
    pub fn clear(&self) {
        locked(&self.0).clear();
    }
}

#[derive(Debug, Default)]
struct Plan {
    delay: HashMap<&'static str, Duration>,
    always: HashMap<&'static str, Failure>,
    next: HashMap<&'static str, Vec<Failure>>,
    blocked: HashMap<&'static str, bool>,
}

/// Faults by method name (`"ensure"`, `"apply"`, `"build"` …). Clones share one plan.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    plan: Arc<Mutex<Plan>>,
    released: Arc<tokio::sync::Notify>,
}

impl Faults {
    /// The next call of `method` fails; called n times, the next n calls do.
    pub fn fail_next(&self, method: &'static str, failure: Failure) {
        locked(&self.plan).next.entry(method).or_default().push(failure);
    }

    /// Every call of `method` fails until [`Faults::clear`].
    pub fn fail_always(&self, method: &'static str, failure: Failure) {
        locked(&self.plan).always.insert(method, failure);
    }

    /// Every call of `method` takes this much longer.
    pub fn slow(&self, method: &'static str, delay: Duration) {
        locked(&self.plan).delay.insert(method, delay);
    }

    /// Calls of `method` wait, before they do anything, until [`Faults::release`].
    pub fn block(&self, method: &'static str) {
        locked(&self.plan).blocked.insert(method, true);
    }

    /// Lets blocked calls of `method` go on.
    pub fn release(&self, method: &'static str) {
        locked(&self.plan).blocked.remove(method);
        self.released.notify_waiters();
    }

    /// Takes all faults back.
    pub fn clear(&self) {
        *locked(&self.plan) = Plan::default();
        self.released.notify_waiters();
    }

    /// A failure for tests that do not care which.
    pub fn broken(what: &str) -> Failure {
        Failure::new(Kind::Unavailable, format!("cannot {what}: the test wants it so"))
    }

    /// What a fake calls first in each method.
    pub(crate) async fn pass(&self, method: &'static str) -> Result<(), Failure> {
        loop {
            let released = self.released.notified();
            tokio::pin!(released);
            // Registered before the look, so that a release in between is not missed.
            released.as_mut().enable();
            if !locked(&self.plan).blocked.contains_key(method) {
                break;
            }
            released.await;
        }
        let delay = locked(&self.plan).delay.get(method).copied();
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        let mut plan = locked(&self.plan);
        if let Some(queue) = plan.next.get_mut(method)
            && !queue.is_empty()
        {
            return Err(queue.remove(0));
        }
        match plan.always.get(method) {
            Some(failure) => Err(failure.clone()),
            None => Ok(()),
        }
    }
}
