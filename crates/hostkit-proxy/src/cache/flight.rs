//! One request to a backend for many that ask for the same: the first leads, the others wait for the head of its
//! answer and share the body as it comes.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::entry::Head;
use super::growing::Growing;
use super::scope::Key;
use crate::shared::Shared;

/// Requests that are on their way to a backend for the cache.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<Key, (u64, watch::Sender<Stage>)>>);

/// How far the first request got.
#[derive(Clone)]
pub(super) enum Stage {
    Asking,
    /// The answer may be shared.
    Landing(Landing),
    /// It may not: all go on at once.
    Free,
}

/// An answer that comes in.
#[derive(Clone)]
pub(super) struct Landing {
    pub(super) head: Arc<Head>,
    pub(super) body: Arc<Growing>,
    pub(super) length: Option<u64>,
}

/// What a request is to do.
pub(super) enum Part {
    Lead(Lead),
    Follow(watch::Receiver<Stage>),
}

/// The one that asks. Dropping it before it told what came has another one lead.
pub(super) struct Lead {
    shared: Arc<Shared>,
    number: u64,
    key: Key,
    stage: watch::Sender<Stage>,
}

impl Flights {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, (u64, watch::Sender<Stage>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Joins the others that ask for `key`.
    pub(super) fn join(shared: &Arc<Shared>, key: &Key) -> Part {
        let mut all = shared.cache.flights.lock();
        if let Some((_, stage)) = all.get(key) {
            return Part::Follow(stage.subscribe());
        }
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let stage = watch::Sender::new(Stage::Asking);
        all.insert(key.clone(), (number, stage.clone()));
        Part::Lead(Lead {
            shared: Arc::clone(shared),
            number,
            key: key.clone(),
            stage,
        })
    }

    /// Nobody joins the request that is on its way for `key` any more.
    pub(super) fn forget(&self, key: &[u8]) {
        self.lock().remove(key);
    }
}

impl Lead {
    /// Shares what comes.
    pub(super) fn land(&self, landing: Landing) {
        self.stage.send_replace(Stage::Landing(landing));
    }

    /// Lets all go on by themselves.
    pub(super) fn free(self) {
        self.stage.send_replace(Stage::Free);
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        let mut all = self.shared.cache.flights.lock();
        // It may have been forgotten, and another one lead by now.
        if all
            .get(&self.key)
            .is_some_and(|(number, _)| *number == self.number)
        {
            all.remove(&self.key);
        }
    }
}
