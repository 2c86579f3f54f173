//! A backend as all threads see it. It outlives the tables it stands in: counts and drains go by it.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hostkit_core::route::BackendId;

use crate::request_log;

/// How long a backend that refused a connection is asked last.
const SHUNNED: Duration = Duration::from_millis(500);

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
    born: Instant,
    /// Milliseconds after `born` until which it is asked last; it refused a connection.
    shunned_until: AtomicU64,
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

    /// Begins a request on it, unless it left the table meanwhile. The count is raised before the look: a drain
    /// that read zero after the backend was retired can be sure that nothing begins any more.
    pub(crate) fn begin(self: &Arc<Self>) -> Option<InFlight> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let guard = InFlight(Arc::clone(self));
        (!self.is_retired()).then_some(guard)
    }

    /// Notes that it refused a connection.
    pub(crate) fn shun(&self) {
        let until = self.born.elapsed() + SHUNNED;
        self.shunned_until
            .store(until.as_millis() as u64, Ordering::Relaxed);
    }

    /// Notes that it took a connection.
    pub(crate) fn forgive(&self) {
        if self.shunned_until.load(Ordering::Relaxed) != 0 {
            self.shunned_until.store(0, Ordering::Relaxed);
        }
    }

    /// Whether it refused a connection a moment ago.
    pub(crate) fn is_shunned(&self) -> bool {
        let until = self.shunned_until.load(Ordering::Relaxed);
        until != 0 && self.born.elapsed().as_millis() < u128::from(until)
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
        self.0.in_flight.fetch_sub(1, Ordering::SeqCst);
    }
}

/// All backends there are, in the table or still busy.
#[derive(Default)]
pub(crate) struct Backends {
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    next_key: u64,
    by_name: HashMap<(BackendId, SocketAddr), Arc<Backend>>,
}

impl Backends {
    /// The backend of that name and address, the same one as in the table before.
    pub(crate) fn get(&self, id: &BackendId, address: SocketAddr) -> Arc<Backend> {
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
                born: Instant::now(),
                shunned_until: AtomicU64::new(0),
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

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
