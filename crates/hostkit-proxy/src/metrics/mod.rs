//! What is counted of requests, by route. Each thread counts in memory of its own, which nobody else writes: no lock, and
//! no allocation but the first time a thread answers a request of a route. [`text`] is how it is read.

mod histogram;
pub(crate) mod text;

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use hostkit_core::route::Route;

use histogram::Histogram;

/// Classes of statuses: 1xx to 5xx.
const CLASSES: usize = 5;

/// What is counted of one route, or of requests that had none.
pub(crate) struct Series {
    labels: Labels,
    threads: Box<[OnceLock<Box<Counts>>]>,
}

/// Whose series it is. The labels stay as they are while the route is in the table.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Labels {
    route: String,
    project: String,
    environment: String,
    process: String,
}

/// One thread's part of a series.
#[derive(Default)]
struct Counts {
    requests: [Counter; CLASSES],
    received: Counter,
    sent: Counter,
    duration: Histogram,
    upstream: Histogram,
}

/// A number that one thread writes and others read.
#[derive(Default)]
struct Counter(AtomicU64);

impl Counter {
    /// Cheaper than an atomic addition, and as good: there is one writer.
    fn add(&self, more: u64) {
        let now = self.0.load(Ordering::Relaxed);
        self.0.store(now.wrapping_add(more), Ordering::Relaxed);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A request that is over.
pub(crate) struct Finished {
    pub(crate) status: u16,
    pub(crate) received: u64,
    pub(crate) sent: u64,
    /// None for a tunnel: how long it was open says nothing about how fast anybody is.
    pub(crate) duration: Option<Duration>,
    pub(crate) upstream: Option<Duration>,
}

impl Series {
    fn new(labels: Labels, threads: usize) -> Series {
        Series {
            labels,
            threads: (0..threads).map(|_| OnceLock::new()).collect(),
        }
    }

    /// Of requests that no route was found for.
    pub(crate) fn of_nobody(threads: usize) -> Series {
        Series::new(Labels::default(), threads)
    }

    /// Counts a request that a thread answered.
    pub(crate) fn count(&self, thread: usize, finished: &Finished) {
        let counts = self.threads[thread].get_or_init(Box::default);
        let class = usize::from(finished.status / 100).clamp(1, CLASSES) - 1;
        counts.requests[class].add(1);
        counts.received.add(finished.received);
        counts.sent.add(finished.sent);
        if let Some(duration) = finished.duration {
            counts.duration.observe(duration);
        }
        if let Some(upstream) = finished.upstream {
            counts.upstream.observe(upstream);
        }
    }

    fn counts(&self) -> impl Iterator<Item = &Counts> {
        self.threads
            .iter()
            .filter_map(|thread| thread.get().map(|counts| &**counts))
    }

    fn sum(&self, which: impl Fn(&Counts) -> &Counter) -> u64 {
        self.counts().map(|counts| which(counts).get()).sum()
    }
}

/// The series of the routes in the table. A route keeps its own from table to table; one that left takes its own along.
pub(crate) struct AllSeries {
    threads: usize,
    known: Mutex<HashMap<String, Arc<Series>>>,
}

impl AllSeries {
    /// None yet, of so many threads.
    pub(crate) fn new(threads: usize) -> AllSeries {
        AllSeries {
            threads,
            known: Mutex::default(),
        }
    }

    /// The series of a route, the same one as in the table before.
    pub(crate) fn of(&self, route: &Route) -> Arc<Series> {
        let environment = route.environment.as_ref();
        let labels = Labels {
            route: route.id.clone(),
            project: environment.map(|of| of.project.to_string()).unwrap_or_default(),
            environment: environment
                .map(|of| of.environment.to_string())
                .unwrap_or_default(),
            process: route
                .process
                .as_ref()
                .map(|of| of.to_string())
                .unwrap_or_default(),
        };
        let mut known = self.lock();
        match known.get(&route.id) {
            Some(series) if series.labels == labels => Arc::clone(series),
            _ => {
                let series = Arc::new(Series::new(labels, self.threads));
                known.insert(route.id.clone(), Arc::clone(&series));
                series
            }
        }
    }

    /// Forgets the series of routes that are not in the table any more.
    pub(crate) fn keep(&self, is_there: impl Fn(&str) -> bool) {
        self.lock().retain(|id, _| is_there(id));
    }

    /// Those there are, by the names of their routes.
    fn sorted(&self) -> Vec<Arc<Series>> {
        let mut all: Vec<_> = self.lock().values().cloned().collect();
        all.sort_by(|one, other| one.labels.route.cmp(&other.labels.route));
        all
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Arc<Series>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// TLS handshakes that ended with a connection.
#[derive(Default)]
pub(crate) struct Handshakes {
    /// From the beginning.
    pub(crate) full: AtomicU64,
    /// By a ticket of an earlier one.
    pub(crate) resumed: AtomicU64,
}

#[cfg(test)]
mod tests;
