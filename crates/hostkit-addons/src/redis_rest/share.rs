//! What one project may have of the gateway at a time, so that no project takes it from the others.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests that are under way; more wait for their turn.
const REQUESTS: usize = 64;
/// Bodies of more than [`SMALL`] bytes among them: with the longest that is taken, what a project may have in memory.
const LARGE: usize = 4;
/// Streams that are open; one more is refused, as they do not end by themselves.
const STREAMS: usize = 256;
/// What counts as a small body, in bytes.
pub(super) const SMALL: u64 = 64 << 10;
/// How long a request waits for its turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// The share of one project.
pub(super) struct Share {
    requests: Arc<Semaphore>,
    large: Arc<Semaphore>,
    streams: Arc<Semaphore>,
}

/// A place in a share, until it is dropped.
pub(super) type Place = OwnedSemaphorePermit;

impl Default for Share {
    fn default() -> Self {
        Share {
            requests: Arc::new(Semaphore::new(REQUESTS)),
            large: Arc::new(Semaphore::new(LARGE)),
            streams: Arc::new(Semaphore::new(STREAMS)),
        }
    }
}

impl Share {
    /// A place for a request, and one more where its body is not known to be small; none where it waited in vain.
    pub(super) async fn request(&self, body: Option<u64>) -> Option<(Place, Option<Place>)> {
        let turn = async {
            let place = self.requests.clone().acquire_owned().await.ok()?;
            let is_large = body.is_none_or(|bytes| bytes > SMALL);
            let large = match is_large {
                true => Some(self.large.clone().acquire_owned().await.ok()?),
                false => None,
            };
            Some((place, large))
        };
        tokio::time::timeout(PATIENCE, turn).await.ok().flatten()
    }

    /// A place for a stream; none where all are taken.
    pub(super) fn stream(&self) -> Option<Place> {
        self.streams.clone().try_acquire_owned().ok()
    }
}
