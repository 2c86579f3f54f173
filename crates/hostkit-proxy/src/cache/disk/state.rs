//! How the disk's part of the cache is: read by all, changed by few.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hostkit_core::route::DiskCacheStatus;
use tokio::sync::Semaphore;

use super::index::{Index, ScopeId};
use crate::cache::entry::LARGEST;

const FULL: &str = "there is little room left";
/// How many files are read at the same time, each on a thread.
const READERS: usize = 8;
/// A file is written before others make room for it.
const SPARE: u64 = LARGEST as u64 + (1 << 20);

/// Shared by the keeper and all who ask.
pub(crate) struct State {
    most: u64,
    pub(super) index: Index,
    /// The folders of scopes, open.
    folders: Mutex<HashMap<ScopeId, Arc<OwnedFd>>>,
    /// The folder is ours and known.
    on: AtomicBool,
    /// Held to change that, and while something is told that is another thing in either case. Whether it was tried.
    gate: Mutex<bool>,
    tried: Condvar,
    /// Why not, where that is out of the ordinary.
    trouble: Mutex<Option<String>>,
    /// Bytes of answers that wait to be written.
    pub(super) waiting: AtomicUsize,
    pub(super) readers: Arc<Semaphore>,
    pub(crate) counts: Counts,
}

/// What is counted since the front door started.
#[derive(Default)]
pub(crate) struct Counts {
    /// Answers found on the disk.
    pub(crate) hits: AtomicU64,
    /// Answers written.
    pub(crate) written: AtomicU64,
    /// Answers not written, as the disk did not keep up.
    pub(crate) dropped: AtomicU64,
    /// Files that were not what was written.
    pub(crate) broken: AtomicU64,
}

impl State {
    /// Nothing is known yet.
    pub(super) fn new(most: u64) -> State {
        State {
            most,
            index: Index::new(most.saturating_sub(SPARE)),
            folders: Mutex::default(),
            on: AtomicBool::new(false),
            gate: Mutex::default(),
            tried: Condvar::new(),
            trouble: Mutex::default(),
            waiting: AtomicUsize::new(0),
            readers: Arc::new(Semaphore::new(READERS)),
            counts: Counts::default(),
        }
    }

    /// Whether answers are looked for and written.
    pub(super) fn is_on(&self) -> bool {
        self.on.load(Ordering::SeqCst)
    }

    /// Does something for which it must not change whether it is on.
    pub(super) fn while_so(&self, work: impl FnOnce(bool)) {
        let _gate = self.gate();
        work(self.is_on());
    }

    /// It was tried to get the folder, however that ended.
    pub(super) fn note_try(&self) {
        *self.gate() = true;
        self.tried.notify_all();
    }

    /// Waits until that was tried.
    pub(super) fn wait_for_try(&self, at_most: Duration) {
        let waited = self
            .tried
            .wait_timeout_while(self.gate(), at_most, |tried| !*tried);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn gate(&self) -> MutexGuard<'_, bool> {
        self.gate.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The folder is ours, and known: on, unless there is something left to do before.
    pub(super) fn turn_on_unless<T>(&self, left: impl FnOnce() -> Option<T>) -> Option<T> {
        let _gate = self.gate();
        let left = left();
        if left.is_none() {
            self.on.store(true, Ordering::SeqCst);
            if self.trouble().take().is_some() {
                tracing::info!("answers are kept on the disk again");
            }
        }
        left
    }

    /// Nothing is looked for nor written for now.
    pub(super) fn turn_off(&self, why: String) {
        self.pause();
        self.index.clear();
        self.folders().clear();
        let before = self.trouble().replace(why.clone());
        if before.is_none() {
            tracing::warn!("no answers are kept on the disk for a while: {why}");
        }
    }

    /// Nothing is written for now, as the disk is nearly full; or it is again. What is there is answered all the same.
    pub(super) fn note_room(&self, has_room: bool) {
        let mut trouble = self.trouble();
        match (has_room, trouble.is_some()) {
            (false, false) => {
                tracing::warn!("no answers are written to the disk for a while: {FULL}");
                *trouble = Some(FULL.to_owned());
            }
            (true, true) => {
                tracing::info!("answers are written to the disk again");
                *trouble = None;
            }
            _ => {}
        }
    }

    /// Nothing is looked for for now, says one who only reads: the keeper does the rest.
    pub(super) fn pause(&self) {
        let _gate = self.gate();
        self.on.store(false, Ordering::SeqCst);
    }

    /// The folder of a scope that has one.
    pub(super) fn folder(&self, scope: ScopeId) -> Option<Arc<OwnedFd>> {
        self.folders().get(&scope).cloned()
    }

    /// All folders.
    pub(super) fn folders(&self) -> MutexGuard<'_, HashMap<ScopeId, Arc<OwnedFd>>> {
        self.folders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn trouble(&self) -> MutexGuard<'_, Option<String>> {
        self.trouble.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// In words and numbers.
    pub(crate) fn status(&self) -> DiskCacheStatus {
        DiskCacheStatus {
            addresses: self.index.addresses(),
            bytes: self.index.bytes(),
            most: self.most,
            on: self.is_on(),
            trouble: self.trouble().clone(),
        }
    }
}
