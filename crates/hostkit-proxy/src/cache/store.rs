//! The memory of the cache: bounded, shared by all threads, locked for a look and never while anything is written. What
//! is put into it goes to the disk as well, where there is room for it there.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;
use hostkit_core::route::DiskCacheStatus;
use http::HeaderMap;
use quick_cache::sync::Cache as Kept;
use quick_cache::{DefaultHashBuilder, Lifecycle, OptionsBuilder, Weighter};

use super::disk::{Counts, Disk, FileKey, ScopeId};
use super::entry::{Entry, LARGEST, Slot};
use super::flight::Flights;
use super::scope::{Key, Scope, Stamp, is_for_path, own_part};
use crate::table::{LiveRoute, LiveTarget};

/// How long nobody waits for another's answer after one that could not be kept.
const PASSED: Duration = Duration::from_secs(10);
/// How many keys are expected, roughly.
const KEYS: usize = 10_000;

#[derive(Clone)]
struct ByBytes;

impl Weighter<Key, Arc<Slot>> for ByBytes {
    fn weight(&self, key: &Key, slot: &Arc<Slot>) -> u64 {
        (key.len() + slot.cost()) as u64
    }
}

/// Collects what has to make room for something else.
#[derive(Clone)]
struct PushedOut;

impl Lifecycle<Key, Arc<Slot>> for PushedOut {
    type RequestState = Vec<(Key, Arc<Slot>)>;

    fn begin_request(&self) -> Self::RequestState {
        Vec::new()
    }

    fn on_evict(&self, pushed_out: &mut Self::RequestState, key: Key, slot: Arc<Slot>) {
        pushed_out.push((key, slot));
    }
}

/// The shared cache.
pub(crate) struct Cache {
    kept: Kept<Key, Arc<Slot>, ByBytes, DefaultHashBuilder, PushedOut>,
    pub(super) disk: Option<Disk>,
    pub(super) flights: Flights,
    scopes: Mutex<HashMap<ScopeName, Arc<Scope>>>,
    /// Bytes of answers that are just coming in.
    pub(super) coming: AtomicUsize,
    pub(super) most: usize,
}

/// A route and its release.
type ScopeName = (String, String);

impl Cache {
    /// An empty cache for so many bytes, beside what is on the disk.
    pub(crate) fn new(most: usize, disk: Option<Disk>) -> Cache {
        // A part of the memory must hold the largest answer with room to spare.
        let shards = (most / (LARGEST * 3)).clamp(1, 16);
        let options = OptionsBuilder::new()
            .estimated_items_capacity(KEYS)
            .weight_capacity(most as u64)
            .shards(shards)
            .build();
        let hashes = DefaultHashBuilder::default();
        let kept = match options {
            Ok(options) => Kept::with_options(options, ByBytes, hashes, PushedOut),
            Err(_) => Kept::with(KEYS, most as u64, ByBytes, hashes, PushedOut),
        };
        Cache {
            kept,
            disk,
            flights: Flights::default(),
            scopes: Mutex::default(),
            coming: AtomicUsize::new(0),
            most,
        }
    }

    /// Gives the routes of a table their scopes, before it is in force. Those of releases that left go, with all they
    /// had: a release that comes back begins anew.
    pub(crate) fn enlist<'a>(&self, routes: impl Iterator<Item = &'a Arc<LiveRoute>>) {
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
                let id = ScopeId::of(&name.0, &name.1);
                Arc::new(Scope::new(id, largest, keeps))
            });
            drop(route.scope.set(Arc::clone(scope)));
            named.insert(name);
        }
        let mut left = Vec::new();
        scopes.retain(|name, scope| {
            let stays = named.contains(name);
            if !stays {
                scope.forget_all();
                left.push(scope.id);
            }
            stays
        });
        if !left.is_empty() {
            let prefixes: HashSet<[u8; 8]> = scopes.values().map(|scope| scope.prefix()).collect();
            self.kept
                .retain(|key, _| key.first_chunk().is_some_and(|prefix| prefixes.contains(prefix)));
        }
        if let Some(disk) = &self.disk {
            disk.scopes_are(scopes.values().cloned().collect(), &left);
        }
    }

    /// Takes out what the routes of an environment have: all of it, what has exactly `path`, or, where that ends with
    /// `*`, what begins with it. Returns how many addresses there were; fails where the disk still has some of them.
    pub(crate) async fn purge(
        &self,
        environment: &EnvironmentId,
        path: Option<&str>,
    ) -> Result<u64, Failure> {
        let (ids, known) = self.purge_memory(environment, path);
        match &self.disk {
            None => Ok(known.len() as u64),
            Some(disk) => {
                let purged = disk.purge(ids, path, known).await;
                // What was found on the disk meanwhile came into the memory.
                self.purge_memory(environment, path);
                purged
            }
        }
    }

    fn purge_memory(
        &self,
        environment: &EnvironmentId,
        path: Option<&str>,
    ) -> (Vec<ScopeId>, HashSet<FileKey>) {
        let environment = environment.to_string();
        let chosen = |route: &str| {
            let rest = route.strip_prefix(environment.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut ids: HashMap<[u8; 8], ScopeId> = HashMap::new();
        for ((route, _), scope) in scopes.iter().filter(|((route, _), _)| chosen(route)) {
            tracing::debug!(route, path, "purging what is cached");
            ids.insert(scope.prefix(), scope.id);
            match path {
                None => scope.forget_all(),
                Some(_) => scope.forget_some(),
            }
        }
        let purged = Mutex::new(HashSet::new());
        self.kept.retain(|key, slot| {
            let scope = key.first_chunk().and_then(|prefix| ids.get(prefix));
            let Some(scope) = scope.filter(|_| path.is_none_or(|path| is_for_path(own_part(key), path)))
            else {
                return true;
            };
            if !slot.entries.is_empty() {
                let mut purged = purged.lock().unwrap_or_else(PoisonError::into_inner);
                purged.insert(FileKey::of(*scope, own_part(key)));
            }
            false
        });
        let purged = purged.into_inner().unwrap_or_else(PoisonError::into_inner);
        (ids.into_values().collect(), purged)
    }

    /// Waits for a moment until it is known what the disk has for the routes that are enlisted.
    pub(crate) fn wait_for_disk(&self) {
        let scopes = self.scopes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(disk) = self.disk.as_ref().filter(|_| !scopes.is_empty()) {
            disk.wait_until_known();
        }
    }

    /// How the disk's part is, where there is one.
    pub(crate) fn disk_status(&self) -> Option<DiskCacheStatus> {
        self.disk.as_ref().map(|disk| disk.state().status())
    }

    /// What is counted of it.
    pub(crate) fn disk_counts(&self) -> Option<&Counts> {
        self.disk.as_ref().map(|disk| &disk.state().counts)
    }

    /// What is kept for a key.
    pub(super) fn get(&self, scope: &Scope, key: &[u8]) -> Option<Arc<Slot>> {
        let slot = self.kept.get(key)?;
        scope.is_of_now(slot.stamp).then_some(slot)
    }

    /// What the disk has for a request that the memory has nothing for. It is in memory from then on.
    pub(super) async fn get_from_disk(
        &self,
        scope: &Arc<Scope>,
        key: &Key,
        request: &HeaderMap,
    ) -> Option<Arc<Entry>> {
        let disk = self.disk.as_ref()?;
        let stamp = scope.stamp(key);
        // Another request may have brought it by the time that it is our turn to read.
        let by_now = || self.get(scope, key)?.find(request).cloned();
        let (entry, is_new) = disk.find(scope.id, own_part(key), request, by_now).await?;
        if is_new {
            self.change(scope, key, stamp, |slot| match slot.find(request) {
                Some(_) => slot,
                None => slot.with(Arc::clone(&entry)),
            });
        }
        (scope.stamp(key) == stamp).then_some(entry)
    }

    /// Keeps an answer, unless its key was purged since `stamp`.
    pub(super) fn put(&self, scope: &Arc<Scope>, key: &Key, stamp: Stamp, entry: Arc<Entry>) {
        self.change(scope, key, stamp, |slot| slot.with(Arc::clone(&entry)));
        if let Some(disk) = &self.disk {
            disk.offer(scope, key, stamp, &entry);
        }
    }

    /// Notes that the answers of a key are not kept.
    pub(super) fn pass(&self, scope: &Arc<Scope>, key: &Key, stamp: Stamp, now: Instant) {
        self.change(scope, key, stamp, |mut slot| {
            slot.passed_until = Some(now + PASSED);
            slot
        });
    }

    fn change(&self, scope: &Arc<Scope>, key: &Key, stamp: Stamp, change: impl FnOnce(Slot) -> Slot) {
        if scope.stamp(key) != stamp {
            return;
        }
        let before = self.get(scope, key).map(|slot| Slot::clone(&slot));
        let mut slot = change(before.unwrap_or_else(|| Slot::empty(scope, stamp)));
        slot.stamp = stamp;
        let pushed_out = self.kept.insert_with_lifecycle(key.clone(), Arc::new(slot));
        // Purged in this very moment: the purge may have looked before this was there.
        if scope.stamp(key) != stamp {
            self.kept.remove(&**key);
        }
        if let Some(disk) = &self.disk {
            // What was only replaced is among them.
            for (key, slot) in pushed_out.into_iter().filter(|(other, _)| other != key) {
                // Most are there already. The newest is told last, as the one to be kept longest.
                for entry in slot.entries.iter().rev() {
                    disk.offer_again(&slot.scope, &key, slot.stamp, entry);
                }
            }
        }
    }

    /// Takes a key out; what is on its way for it is not kept either.
    pub(super) fn invalidate(&self, scope: &Scope, key: &[u8]) {
        scope.forget_key(key);
        if let Some(disk) = &self.disk {
            disk.forget(scope.id, own_part(key));
            // Whoever found it there meanwhile does not bring it into the memory.
            scope.forget_key(key);
        }
        self.kept.remove(key);
        self.flights.forget(key);
    }
}
