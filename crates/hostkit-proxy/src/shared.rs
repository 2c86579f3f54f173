//! What all threads of the front door share: the table in force, the limits, a few counters.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use arc_swap::ArcSwap;
use hostkit_certificates::Certificates;
use tokio::sync::watch;

use crate::cache::Cache;
use crate::cache::disk::Disk;
use crate::compress::kept::Forms;
use crate::config::{ImageProgram, Limits};
use crate::images::Workshop;
use crate::metrics::{Handshakes, Series};
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
    /// Images that are being made.
    pub(crate) images: Workshop,
    /// Compressed forms of files.
    pub(crate) forms: Forms,
    /// Requests that wait for an instance.
    pub(crate) held: AtomicU64,
    /// Client connections open.
    pub(crate) connections: AtomicUsize,
    /// Requests that no route was found for.
    pub(crate) unrouted: Series,
    /// TLS handshakes.
    pub(crate) handshakes: Handshakes,
    /// Connections that ended before client and front door had agreed on TLS.
    pub(crate) failed_handshakes: AtomicU64,
    /// What is shown to clients of TLS, where it is spoken.
    pub(crate) certificates: Option<Arc<Certificates>>,
    counts: Box<[Count]>,
}

/// On a cache line of its own, so that threads do not fight over it.
#[repr(align(64))]
#[derive(Default)]
struct Count(AtomicU64);

impl Shared {
    /// The state before the first table.
    pub(crate) fn new(
        threads: usize,
        limits: Limits,
        log: Option<LogSink>,
        certificates: Option<Arc<Certificates>>,
        images: Option<ImageProgram>,
        disk: Option<Disk>,
    ) -> Self {
        Shared {
            table: ArcSwap::from_pointee(LiveTable::default()),
            changed: watch::Sender::new(0),
            log,
            cache: Cache::new(limits.cache_bytes, disk),
            images: Workshop::new(images),
            forms: Forms::default(),
            held: AtomicU64::new(0),
            connections: AtomicUsize::new(0),
            unrouted: Series::of_nobody(threads),
            handshakes: Handshakes::default(),
            failed_handshakes: AtomicU64::new(0),
            certificates,
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
