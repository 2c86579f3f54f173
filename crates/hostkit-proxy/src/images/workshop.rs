//! How much goes on at once: so many images that are decoded, so much memory for their sources, so many that wait, and of
//! one route no more than a part of those. What is asked for twice is made once.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Semaphore, watch};

use super::refusal::Refusal;
use crate::cache::own::Own;
use crate::config::ImageProgram;

/// The most images that are being made or wait for it.
const PLACES: usize = 64;
/// The most of one route.
const PLACES_OF_ROUTE: usize = 16;
/// The most memory for sources, in KiB.
const MEMORY: usize = 64 << 10;

/// How the making of an image ended; nothing yet while it goes on.
pub(super) type Told = Option<Result<Own, Refusal>>;

/// All that is being made.
pub(crate) struct Workshop {
    pub(super) program: Option<ImageProgram>,
    /// Who may decode.
    pub(super) turns: Arc<Semaphore>,
    /// Who may hold a source, by its KiB.
    pub(super) memory: Arc<Semaphore>,
    places: Mutex<HashMap<String, usize>>,
    under_way: Mutex<HashMap<Box<[u8]>, watch::Receiver<Told>>>,
}

impl Workshop {
    /// An empty one.
    pub(crate) fn new(program: Option<ImageProgram>) -> Workshop {
        let at_once = program.as_ref().map_or(1, |program| program.at_once.max(1));
        Workshop {
            program,
            turns: Arc::new(Semaphore::new(at_once)),
            memory: Arc::new(Semaphore::new(MEMORY)),
            places: Mutex::default(),
            under_way: Mutex::default(),
        }
    }

    /// Waits with the others for what is being made; begins it if nobody makes it.
    pub(super) fn join(
        &self,
        key: &[u8],
        begin: impl FnOnce(watch::Sender<Told>) -> Result<(), Refusal>,
    ) -> Result<watch::Receiver<Told>, Refusal> {
        let mut all = lock(&self.under_way);
        if let Some(told) = all.get(key)
            && told.has_changed().is_ok()
        {
            return Ok(told.clone());
        }
        let (teller, told) = watch::channel(None);
        all.insert(key.into(), told.clone());
        let begun = begin(teller);
        if begun.is_err() {
            all.remove(key);
        }
        begun.map(|()| told)
    }

    /// Nobody joins any more: what comes next finds it kept, or has it made anew.
    pub(super) fn forget(&self, key: &[u8]) {
        lock(&self.under_way).remove(key);
    }

    /// A place among those that wait, while there is one.
    pub(super) fn place(shared: &Arc<crate::shared::Shared>, route: &str) -> Result<Place, Refusal> {
        let mut all = lock(&shared.images.places);
        let of_route = all.get(route).copied().unwrap_or(0);
        if of_route >= PLACES_OF_ROUTE || all.values().sum::<usize>() >= PLACES {
            return Err(Refusal::Busy);
        }
        all.insert(route.to_owned(), of_route + 1);
        Ok(Place {
            shared: Arc::clone(shared),
            route: route.to_owned(),
        })
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A place among those that wait.
pub(super) struct Place {
    shared: Arc<crate::shared::Shared>,
    route: String,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut all = lock(&self.shared.images.places);
        if let Some(count) = all.get_mut(&self.route) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.route);
            }
        }
    }
}
