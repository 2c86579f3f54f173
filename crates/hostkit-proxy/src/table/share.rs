//! What one project may have of the front door, over all of its routes: so many requests under way, so many that wait.
//! Beyond that it is refused at once, so that a project that answers slowly takes nothing from the others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hostkit_core::route::Route;
use tokio::sync::Notify;

use super::backend::Backend;

/// One project's part.
#[derive(Default)]
pub(crate) struct Share {
    /// Requests that wait for something: an instance, room on one, another request's answer.
    waiting: AtomicU32,
    /// Requests that were refused for one of the bounds.
    refused: AtomicU64,
    /// Visitors that were given one of two releases, by which the next one's is chosen.
    visitors: AtomicU64,
    /// Told when an instance that had as many requests as it may has room again.
    pub(crate) freed: Notify,
}

/// A request that waits; over when dropped.
pub(crate) struct Waiting<'a>(&'a Share);

impl Share {
    /// One more that waits, if that is within the limit.
    pub(crate) fn wait(&self, limit: u32) -> Option<Waiting<'_>> {
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Waiting(self);
        (before < limit).then_some(waiting)
    }

    /// The number of the next visitor, from zero.
    pub(super) fn next_visitor(&self) -> u64 {
        self.visitors.fetch_add(1, Ordering::Relaxed)
    }

    /// Counts a request that was refused.
    pub(crate) fn refuse(&self) {
        self.refused.fetch_add(1, Ordering::Relaxed);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Whether a project has more requests under way than it may, given how many `one` of its backends has. Each backend has
/// its even part of the limit in any case: a slow one takes it neither from its siblings, nor staging from production. That
/// is less than twice the limit in all, and as long as no backend has more than its part, the others need not be counted.
pub(crate) fn is_over(limit: u64, one: &Backend, all: &[Arc<Backend>]) -> bool {
    one.in_flight().saturating_mul(all.len() as u64) > limit
        && all.iter().map(|backend| backend.in_flight()).sum::<u64>() > limit
}

/// All projects' parts. They outlive tables.
#[derive(Default)]
pub(crate) struct Shares(Mutex<HashMap<String, Arc<Share>>>);

impl Shares {
    /// The part of a route's project.
    pub(crate) fn of(&self, route: &Route) -> Arc<Share> {
        Arc::clone(self.lock().entry(project(route)).or_default())
    }

    /// Forgets all that nobody uses any more.
    pub(crate) fn forget_unused(&self) {
        self.lock().retain(|_, share| Arc::strong_count(share) > 1);
    }

    /// By project, sorted: how many wait, and how many were refused. One with neither says nothing.
    pub(crate) fn counts(&self) -> Vec<(String, u64, u64)> {
        let mut counts: Vec<_> = self
            .lock()
            .iter()
            .map(|(project, share)| {
                let waiting = share.waiting.load(Ordering::Relaxed);
                let refused = share.refused.load(Ordering::Relaxed);
                (project.clone(), u64::from(waiting), refused)
            })
            .filter(|(_, waiting, refused)| *waiting > 0 || *refused > 0)
            .collect();
        counts.sort();
        counts
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Share>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The project of a route. What belongs to none, as HostKit's own API, is together in a part without a name.
pub(crate) fn project(route: &Route) -> String {
    let environment = route.environment.as_ref();
    environment.map_or_else(String::new, |environment| environment.project.to_string())
}
