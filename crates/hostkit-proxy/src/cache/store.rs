//! The memory of the cache: bounded, shared by all threads, locked for a look and never while anything is written.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hostkit_core::project::EnvironmentId;
use quick_cache::Weighter;
use quick_cache::sync::{Cache as Kept, DefaultLifecycle};
use quick_cache::{DefaultHashBuilder, OptionsBuilder};

use super::entry::{Entry, LARGEST, Slot};
use super::flight::Flights;
use crate::exchange::Exchange;
use crate::table::{LiveRoute, LiveTarget};

/// How long nobody waits for another's answer after one that could not be kept.
const PASSED: Duration = Duration::from_secs(10);
/// How many keys are expected, roughly.
const KEYS: usize = 10_000;
/// Keys share counters of what was taken out of the cache.
const COUNTERS: usize = 64;

/// Names what is kept: scope, door, host, target.
pub(super) type Key = Box<[u8]>;

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Arc<Slot>> for ByBytes {
    fn weight(&self, key: &Key, slot: &Arc<Slot>) -> u64 {
        (key.len() + slot.cost()) as u64
    }
}

/// The shared cache.
pub(crate) struct Cache {
    kept: Kept<Key, Arc<Slot>, ByBytes>,
    pub(super) flights: Flights,
    scopes: Mutex<HashMap<ScopeName, Arc<Scope>>>,
    /// Bytes of answers that are just coming in.
    pub(super) coming: AtomicUsize,
    pub(super) most: usize,
}

/// A route and its release.
type ScopeName = (String, String);

/// What one release of one route has in the cache. Another release has another scope: neither sees what the other put
/// there.
pub(crate) struct Scope {
    number: u64,
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

/// The path of a key, without its query.
fn path_of(key: &[u8]) -> &[u8] {
    let target = key
        .get(8..)
        .and_then(|rest| rest.splitn(3, |byte| *byte == b' ').nth(2));
    let target = target.unwrap_or_default();
    target.split(|byte| *byte == b'?').next().unwrap_or_default()
}

impl Cache {
    /// An empty cache for so many bytes.
    pub(crate) fn new(most: usize) -> Cache {
        // A part of the memory must hold the largest answer with room to spare.
        let shards = (most / (LARGEST * 3)).clamp(1, 16);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(KEYS)
            .weight_capacity(most as u64)
            .shards(shards)
            .build();
        let kept = match options {
            Ok(options) => Kept::with_options(
                options,
                ByBytes,
                DefaultHashBuilder::default(),
                DefaultLifecycle::default(),
            ),
            Err(_) => Kept::with_weighter(KEYS, most as u64, ByBytes),
        };
        Cache {
            kept,
            flights: Flights::default(),
            scopes: Mutex::default(),
            coming: AtomicUsize::new(0),
            most,
        }
    }

    /// Gives the routes of a table their scopes, before it is in force. Those of releases that left go, with all they
    /// had: a release that comes back begins anew.
    pub(crate) fn enlist<'a>(&self, routes: impl Iterator<Item = &'a Arc<LiveRoute>>) {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let mut scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut named: HashSet<ScopeName> = HashSet::new();
        for route in routes {
            // HostKit's own API answers each as it may. Of files only what is made of them is kept here.
            let keeps = matches!(route.target, LiveTarget::Instances(_)) && route.answer_rule.cache;
            let makes_images = route.rules.as_ref().is_some_and(|rules| rules.images().is_some());
            if route.project.is_none() || !(keeps || makes_images) {
                continue;
            }
            let largest = route.answer_rule.largest_kept.map_or(u64::MAX, |size| size.0);
            let release = route.release.as_ref().and_then(|release| release.to_str().ok());
            let name = (route.id.clone(), release.unwrap_or_default().to_owned());
            let scope = scopes.entry(name.clone()).or_insert_with(|| {
                Arc::new(Scope {
                    number: NEXT.fetch_add(1, Ordering::Relaxed),
                    largest: usize::try_from(largest).unwrap_or(usize::MAX).min(LARGEST),
                    keeps,
                    learnt: AtomicBool::new(false),
                    epoch: AtomicU64::new(0),
                    taken: [const { AtomicU64::new(0) }; COUNTERS],
                })
            });
            drop(route.scope.set(Arc::clone(scope)));
            named.insert(name);
        }
        let before = scopes.len();
        scopes.retain(|name, scope| {
            let stays = named.contains(name);
            if !stays {
                scope.epoch.fetch_add(1, Ordering::SeqCst);
            }
            stays
        });
        if scopes.len() < before {
            let numbers: HashSet<[u8; 8]> = scopes.values().map(|scope| scope.number.to_le_bytes()).collect();
            self.kept
                .retain(|key, _| key.first_chunk().is_some_and(|number| numbers.contains(number)));
        }
    }

    /// Takes out what the routes of an environment have: all of it, what has exactly `path`, or, where that ends with
    /// `*`, what begins with it. Returns how many addresses there were.
    pub(crate) fn purge(&self, environment: &EnvironmentId, path: Option<&str>) -> u64 {
        let environment = environment.to_string();
        let chosen = |route: &str| {
            let rest = route.strip_prefix(environment.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut numbers: HashSet<[u8; 8]> = HashSet::new();
        for ((route, _), scope) in scopes.iter().filter(|((route, _), _)| chosen(route)) {
            tracing::debug!(route, path, "purging what is cached");
            numbers.insert(scope.number.to_le_bytes());
            match path {
                None => drop(scope.epoch.fetch_add(1, Ordering::SeqCst)),
                Some(_) => scope.taken.iter().for_each(|counter| {
                    counter.fetch_add(1, Ordering::SeqCst);
                }),
            }
        }
        let purged = AtomicU64::new(0);
        self.kept.retain(|key, slot| {
            let of_scope = key.first_chunk().is_some_and(|number| numbers.contains(number));
            let of_path = match path.map(|path| path.strip_suffix('*').ok_or(path)) {
                None => true,
                Some(Ok(start)) => path_of(key).starts_with(start.as_bytes()),
                Some(Err(path)) => path_of(key) == path.as_bytes(),
            };
            let goes = of_scope && of_path;
            purged.fetch_add(u64::from(goes && !slot.entries.is_empty()), Ordering::Relaxed);
            !goes
        });
        purged.into_inner()
    }

    /// What is kept for a key.
    pub(super) fn get(&self, scope: &Scope, key: &[u8]) -> Option<Arc<Slot>> {
        let slot = self.kept.get(key)?;
        (slot.epoch == scope.epoch.load(Ordering::Relaxed)).then_some(slot)
    }

    /// Keeps an answer, unless its key was purged since `stamp`.
    pub(super) fn put(&self, scope: &Scope, key: &Key, stamp: Stamp, entry: Arc<Entry>) {
        self.change(scope, key, stamp, |slot| slot.with(entry));
    }

    /// Notes that the answers of a key are not kept.
    pub(super) fn pass(&self, scope: &Scope, key: &Key, stamp: Stamp, now: Instant) {
        self.change(scope, key, stamp, |mut slot| {
            slot.passed_until = Some(now + PASSED);
            slot
        });
    }

    fn change(&self, scope: &Scope, key: &Key, stamp: Stamp, change: impl FnOnce(Slot) -> Slot) {
        if scope.stamp(key) != stamp {
            return;
        }
        let before = self.get(scope, key).map(|slot| Slot::clone(&slot));
        let slot = change(before.unwrap_or(Slot {
            entries: Vec::new(),
            passed_until: None,
            epoch: stamp.epoch,
        }));
        self.kept.insert(key.clone(), Arc::new(slot));
        // Purged in this very moment: the purge may have looked before this was there.
        if scope.stamp(key) != stamp {
            self.kept.remove(&**key);
        }
    }

    /// Takes a key out; what is on its way for it is not kept either.
    pub(super) fn invalidate(&self, scope: &Scope, key: &[u8]) {
        scope.counter(key).fetch_add(1, Ordering::SeqCst);
        self.kept.remove(key);
        self.flights.forget(key);
    }
}
