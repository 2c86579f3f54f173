//! What one release of one route has in the cache, and how its answers are named.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::disk::ScopeId;
use super::entry::LARGEST;
use crate::exchange::Exchange;

/// Keys share counters of what was taken out of the cache.
const COUNTERS: usize = 64;
/// The number of its scope stands before each key in memory.
const NUMBER: usize = size_of::<u64>();

/// Names what is kept: scope, door, host, target.
pub(super) type Key = Box<[u8]>;

/// What one release of one route has in the cache. Another release has another scope: neither sees what the other put
/// there.
pub(crate) struct Scope {
    /// Stands for it in keys, as long as this process lives.
    number: u64,
    /// Stands for it on the disk.
    pub(super) id: ScopeId,
    /// The largest answer that is kept.
    pub(super) largest: usize,
    /// Whether answers of the application are kept, and not only what is made of them.
    keeps: bool,
    /// The application sent something that may be kept. Until it does, no request is looked for.
    learnt: AtomicBool,
    /// Grows when all of it is purged.
    epoch: AtomicU64,
    /// Each grows when a key that counts there is taken out.
    taken: [AtomicU64; COUNTERS],
}

/// How things stood when a request began: an answer is kept only if nothing was purged meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    epoch: u64,
    taken: u64,
}

impl Scope {
    /// That of a release of a route, nothing in it yet. `keeps`: answers of the application, and not only what is made
    /// of them.
    pub(super) fn new(id: ScopeId, largest: u64, keeps: bool) -> Scope {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Scope {
            number: NEXT.fetch_add(1, Ordering::Relaxed),
            id,
            largest: usize::try_from(largest).unwrap_or(usize::MAX).min(LARGEST),
            keeps,
            learnt: AtomicBool::new(false),
            epoch: AtomicU64::new(0),
            taken: [const { AtomicU64::new(0) }; COUNTERS],
        }
    }

    /// What keys of it begin with.
    pub(super) fn prefix(&self) -> [u8; NUMBER] {
        self.number.to_le_bytes()
    }

    /// All of it was purged, or it left: what is on its way is not kept.
    pub(super) fn forget_all(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }

    /// Some of it was purged: what is on its way is not kept.
    pub(super) fn forget_some(&self) {
        for counter in &self.taken {
            counter.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// A key was taken out: what is on its way for it is not kept.
    pub(super) fn forget_key(&self, key: &[u8]) {
        self.counter(key).fetch_add(1, Ordering::SeqCst);
    }

    /// Whether something was put there since all of it was purged.
    pub(super) fn is_of_now(&self, stamp: Stamp) -> bool {
        stamp.epoch == self.epoch.load(Ordering::Relaxed)
    }

    /// Whether requests are looked for.
    pub(crate) fn is_learnt(&self) -> bool {
        self.learnt.load(Ordering::Relaxed)
    }

    /// Notes that the application sends what may be kept.
    pub(super) fn learn(&self) {
        if self.keeps {
            self.learnt.store(true, Ordering::Relaxed);
        }
    }

    /// The key of a request.
    pub(super) fn key(&self, exchange: &Exchange, key: &mut Vec<u8>) {
        // As the backend sees it: rules may lead two requests for one address to two places.
        let target = exchange.target().path_and_query();
        let target = target.map_or("/", |target| target.as_str());
        self.key_of("", exchange, target, key);
    }

    /// The key of what is made of the answer to another request on the same host. No scheme begins like `form`.
    pub(super) fn own_key(&self, exchange: &Exchange, form: &str, target: &str, key: &mut Vec<u8>) {
        self.key_of(form, exchange, target, key);
    }

    fn key_of(&self, form: &str, exchange: &Exchange, target: &str, key: &mut Vec<u8>) {
        key.clear();
        key.extend_from_slice(&self.number.to_le_bytes());
        key.extend_from_slice(form.as_bytes());
        // The backend hears of scheme and port, and the host as it was written: all of that may show in an answer.
        key.extend_from_slice(exchange.client.door.scheme.as_bytes());
        key.push(b':');
        key.extend_from_slice(exchange.client.door.port_text.as_bytes());
        key.push(b' ');
        if let Some(host) = &exchange.host {
            key.extend_from_slice(host.value.as_bytes());
        }
        key.push(b' ');
        key.extend_from_slice(target.as_bytes());
    }

    /// How things stand for a key.
    pub(super) fn stamp(&self, key: &[u8]) -> Stamp {
        Stamp {
            epoch: self.epoch.load(Ordering::SeqCst),
            taken: self.counter(key).load(Ordering::SeqCst),
        }
    }

    fn counter(&self, key: &[u8]) -> &AtomicU64 {
        let sum = key.iter().fold(0usize, |sum, byte| {
            sum.wrapping_mul(31).wrapping_add(usize::from(*byte))
        });
        &self.taken[sum % COUNTERS]
    }
}

/// A key without the number of its scope: what it is in every process.
pub(super) fn own_part(key: &[u8]) -> &[u8] {
    key.get(NUMBER..).unwrap_or_default()
}

/// Whether a key, without the number of its scope, is for `path` with whatever query, or for one that begins so where
/// `path` ends with `*`.
pub(super) fn is_for_path(own_part: &[u8], path: &str) -> bool {
    let target = own_part.splitn(3, |byte| *byte == b' ').nth(2);
    let target = target.unwrap_or_default();
    let found = target.split(|byte| *byte == b'?').next().unwrap_or_default();
    match path.strip_suffix('*') {
        Some(start) => found.starts_with(start.as_bytes()),
        None => found == path.as_bytes(),
    }
}
