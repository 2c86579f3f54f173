//! What all threads of the front door share: the table in force, the limits, a few counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use tokio::sync::watch;

use crate::cache::Cache;
use crate::compress::kept::Forms;
use crate::config::Limits;
use crate::request_log::LogSink;
use crate::table::LiveTable;

/// Shared by control and all workers.
pub(crate) struct Shared {
    /// The table in force: loaded once per request.
    pub(crate) table: ArcSwap<LiveTable>,
    /// Changes whenever the table does; only held requests listen.
    pub(crate) changed: watch::Sender<u64>,
    /// Bounds.
    pub(crate) limits: Limits,
    /// Where request log lines go.
    pub(crate) log: Option<LogSink>,
    /// Answers of backends that may be used again.
    pub(crate) cache: Cache,
    /// Compressed forms of files.
    pub(crate) forms: Forms,
    /// Requests that wait for an instance.
    pub(crate) held: AtomicU64,
    /// Client connections open.
    pub(crate) connections: AtomicUsize,
    counts: Box<[Count]>,
}

/// On a cache line of its own, so that threads do not fight over it.
#[repr(align(64))]
#[derive(Default)]
struct Count(AtomicU64);

impl Shared {
    /// The state before the first table.
    pub(crate) fn new(threads: usize, table: LiveTable, limits: Limits, log: Option<LogSink>) -> Self {
        Shared {
            table: ArcSwap::new(Arc::new(table)),
            changed: watch::Sender::new(0),
            log,
            cache: Cache::new(limits.cache_bytes),
            forms: Forms::default(),
            held: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            limits,
            counts: (0..threads).map(|_| Count::default()).collect(),
        }
    }

    /// Counts an answered request of one thread.
    pub(crate) fn count_request(&self, thread: usize) {
        self.counts[thread].0.fetch_add(1, Ordering::Relaxed);
    }

    /// Requests answered by all threads.
    pub(crate) fn requests(&self) -> u64 {
        self.counts
            .iter()
            .map(|count| count.0.load(Ordering::Relaxed))
            .sum()
    }
}
