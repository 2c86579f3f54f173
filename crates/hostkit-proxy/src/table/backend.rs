//! A backend as all threads see it. It outlives the tables it stands in: counts and drains go by it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hostkit_core::route::BackendId;

use super::health::Health;
use super::share::{Share, Shares};
use super::sticky::Secret;
use crate::request_log;

/// One copy behind routes.
pub(crate) struct Backend {
    /// Names its connection pools; never used again for another backend.
    pub(crate) key: u64,
    pub(crate) id: BackendId,
    pub(crate) address: SocketAddr,
    /// Its part of a log line, with a comma behind.
    pub(crate) log_part: String,
    /// Requests and upgraded connections on it, of all threads.
    in_flight: AtomicU64,
    /// No longer in the table: nothing new may begin on it.
    retired: AtomicBool,
    pub(crate) health: Health,
    /// The most that may be in flight on it.
    most: u64,
    /// Its project's part of the front door.
    share: Arc<Share>,
}

/// Why nothing begins on a backend.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It left the table.
    Retired,
    /// It has as many requests as it may.
    Full,
}

impl Backend {
    /// Requests and upgraded connections in flight.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Whether it left the table.
    pub(crate) fn is_retired(&self) -> bool {
        self.retired.load(Ordering::SeqCst)
    }

    /// Begins a request on it, unless it left the table meanwhile or is full. The count is raised before the look: a
    /// drain that read zero after the backend was retired can be sure that nothing begins any more.
    pub(crate) fn begin(self: &Arc<Self>) -> Result<InFlight, Refusal> {
        let before = self.in_flight.fetch_add(1, Ordering::SeqCst);
        if before >= self.most {
            // Not by a guard: nothing gets free by this.
            self.in_flight.fetch_sub(1, Ordering::SeqCst);
            return Err(Refusal::Full);
        }
        let guard = InFlight(Arc::clone(self));
        match self.is_retired() {
            true => Err(Refusal::Retired),
            false => Ok(guard),
        }
    }

    /// Notes that it took no connection.
    pub(crate) fn refused(&self) {
        self.note_ejected(self.health.refused(), "takes no connections");
    }

    /// Notes that a request on it got no answer.
    pub(crate) fn broke(&self) {
        self.note_ejected(self.health.broke(), "breaks requests off");
    }

    /// Notes that an answer of it broke off after it had begun.
    pub(crate) fn tore(&self) {
        self.note_ejected(self.health.tore(), "breaks answers off");
    }

    /// Notes that it began an answer.
    pub(crate) fn answered(&self) {
        if self.health.answered() {
            tracing::info!(backend = %self.id.0, "it gets its full share of requests again");
        }
    }

    fn note_ejected(&self, pause: Option<Duration>, why: &str) {
        if let Some(pause) = pause {
            tracing::warn!(backend = %self.id.0, address = %self.address, ?pause, "left out for a while: it {why}");
        }
    }
}

/// A request or an upgraded connection on a backend; over when dropped.
pub(crate) struct InFlight(Arc<Backend>);

impl InFlight {
    /// Where it is.
    pub(crate) fn backend(&self) -> &Arc<Backend> {
        &self.0
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        if self.0.in_flight.fetch_sub(1, Ordering::SeqCst) >= self.0.most {
            self.0.share.freed.notify_one();
        }
    }
}

/// All backends there are, in the table or still busy, and what belongs to their projects.
pub(crate) struct Backends {
    known: Mutex<Known>,
    pub(crate) shares: Shares,
    /// What visitors are kept on one of them by.
    pub(crate) secret: Secret,
    /// The most that may be in flight on one.
    most: u64,
}

#[cfg(test)]
impl Default for Backends {
    fn default() -> Self {
        Backends::new(u64::MAX, Secret::random().unwrap())
    }
}

#[derive(Default)]
struct Known {
    next_key: u64,
    by_name: HashMap<(BackendId, SocketAddr), Arc<Backend>>,
}

impl Backends {
    /// None yet. `most`: what may be in flight on one.
    pub(crate) fn new(most: u64, secret: Secret) -> Backends {
        Backends {
            known: Mutex::default(),
            shares: Shares::default(),
            secret,
            most,
        }
    }

    /// The backend of that name and address, the same one as in the table before.
    pub(crate) fn get(&self, id: &BackendId, address: SocketAddr, share: &Arc<Share>) -> Arc<Backend> {
        let mut known = self.lock();
        let key = known.next_key;
        let found = known.by_name.entry((id.clone(), address)).or_insert_with(|| {
            Arc::new(Backend {
                key,
                id: id.clone(),
                address,
                log_part: request_log::field("instance", &id.0),
                in_flight: AtomicU64::new(0),
                retired: AtomicBool::new(false),
                health: Health::new(),
                most: self.most,
                share: Arc::clone(share),
            })
        });
        let found = Arc::clone(found);
        known.next_key += 1;
        found
    }

    /// Takes backends into service. Before their table is in force.
    pub(crate) fn enlist(&self, keys: &std::collections::HashSet<u64>) {
        for backend in self.lock().by_name.values().filter(|b| keys.contains(&b.key)) {
            backend.retired.store(false, Ordering::SeqCst);
        }
    }

    /// Retires all others, and forgets the ones that have nothing to do any more. After their table left force.
    pub(crate) fn retire_others(&self, keys: &std::collections::HashSet<u64>) {
        let mut known = self.lock();
        for backend in known.by_name.values().filter(|b| !keys.contains(&b.key)) {
            backend.retired.store(true, Ordering::SeqCst);
        }
        known.by_name.retain(|_, b| !b.is_retired() || b.in_flight() > 0);
    }

    /// The retired ones among `ids`.
    pub(crate) fn retired(&self, ids: &[BackendId]) -> Vec<Arc<Backend>> {
        let known = self.lock();
        let wanted = known
            .by_name
            .values()
            .filter(|b| b.is_retired() && ids.contains(&b.id));
        wanted.cloned().collect()
    }

    /// What is in flight, by name, sorted.
    pub(crate) fn in_flight(&self) -> Vec<(BackendId, u64)> {
        let mut sums: std::collections::BTreeMap<BackendId, u64> = Default::default();
        for backend in self.lock().by_name.values() {
            *sums.entry(backend.id.clone()).or_default() += backend.in_flight();
        }
        sums.into_iter().collect()
    }

    /// Those in the table that are left out for a while, by name, sorted.
    pub(crate) fn ejected(&self) -> Vec<BackendId> {
        let known = self.lock();
        let out = known
            .by_name
            .values()
            .filter(|b| !b.is_retired() && b.health.is_ejected());
        let ids: std::collections::BTreeSet<BackendId> = out.map(|b| b.id.clone()).collect();
        ids.into_iter().collect()
    }

    /// Requests that got no connection or no answer, and how often it was left out, of each that ever had trouble;
    /// sorted by name.
    pub(crate) fn trouble(&self) -> Vec<(BackendId, u64, u64)> {
        let mut sums: std::collections::BTreeMap<BackendId, (u64, u64)> = Default::default();
        for backend in self.lock().by_name.values() {
            let (failures, ejections) = backend.health.counts();
            if failures > 0 {
                let sum = sums.entry(backend.id.clone()).or_default();
                *sum = (sum.0 + failures, sum.1 + ejections);
            }
        }
        let flat = sums
            .into_iter()
            .map(|(id, (failures, ejections))| (id, failures, ejections));
        flat.collect()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
