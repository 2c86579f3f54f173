//! Holding: a request for which no instance is ready waits for a new table or for an instance that comes back,
//! bounded in time and number.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::shared::Shared;
use crate::table::LiveRoute;

/// The pauses between two looks at instances that refuse connections.
const SHORTEST_PAUSE: Duration = Duration::from_millis(25);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

/// The waiting of one request.
#[derive(Default)]
pub(super) struct Hold {
    waiting: Option<Waiting>,
}

struct Waiting {
    began: Instant,
    changed: watch::Receiver<u64>,
    pause: Duration,
}

/// Why a request is held no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HoldOver {
    /// As many as may wait already did; otherwise the time was over.
    pub(crate) too_many: bool,
    /// There are instances, but they refuse connections.
    pub(crate) refused: bool,
    pub(crate) waited: Duration,
}

/// Counts a request as waiting.
struct Seat<'a>(&'a Shared, &'a LiveRoute);

impl<'a> Seat<'a> {
    fn take(shared: &'a Shared, route: &'a LiveRoute) -> Option<Seat<'a>> {
        shared.held.fetch_add(1, Ordering::Relaxed);
        let before = route.waiting.fetch_add(1, Ordering::Relaxed);
        let seat = Seat(shared, route);
        (before < route.hold.requests).then_some(seat)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.0.held.fetch_sub(1, Ordering::Relaxed);
        self.1.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Hold {
    /// Waits until another look is worth it.
    pub(super) async fn wait(
        &mut self,
        shared: &Shared,
        route: &Arc<LiveRoute>,
        refused: bool,
    ) -> Result<(), HoldOver> {
        let Some(waiting) = &mut self.waiting else {
            // The table may have changed since it was looked at: listen first, then look once more.
            self.waiting = Some(Waiting {
                began: Instant::now(),
                changed: shared.changed.subscribe(),
                pause: SHORTEST_PAUSE,
            });
            return Ok(());
        };
        let over = |too_many| HoldOver {
            too_many,
            refused,
            waited: waiting.began.elapsed(),
        };
        let seat = Seat::take(shared, route).ok_or_else(|| over(true))?;
        let end = waiting.began + route.hold.time.0;
        if Instant::now() >= end {
            return Err(over(false));
        }
        let until = if refused {
            end.min(Instant::now() + waiting.pause)
        } else {
            end
        };
        let changed = tokio::time::timeout_at(until, waiting.changed.changed()).await;
        drop(seat);
        waiting.pause = if changed.is_ok() {
            SHORTEST_PAUSE
        } else {
            LONGEST_PAUSE.min(waiting.pause * 2)
        };
        Ok(())
    }
}
