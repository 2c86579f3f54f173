//! Holding: a request for which no instance is ready, or none has room, waits for a new table, for an instance that comes
//! back or for one that gets free, bounded in time and number.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::Instant;

use crate::shared::Shared;
use crate::table::LiveRoute;
use crate::table::share::Waiting as InLine;

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

/// What a request waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lack {
    /// There is no instance.
    Instance,
    /// There are instances, but they refuse connections.
    Connection,
    /// They have as many requests as they may.
    Room,
}

/// Why a request is held no longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct HoldOver {
    /// As many as may wait already did; otherwise the time was over.
    pub(crate) too_many: bool,
    pub(crate) lack: Lack,
    pub(crate) waited: Duration,
}

/// Counts a request as waiting, for its route and for its project.
struct Seat<'a> {
    shared: &'a Shared,
    route: &'a LiveRoute,
    _in_line: InLine<'a>,
}

impl<'a> Seat<'a> {
    fn take(shared: &'a Shared, route: &'a LiveRoute) -> Option<Seat<'a>> {
        let in_line = route.share.wait(shared.limits.project_waiting)?;
        shared.held.fetch_add(1, Ordering::Relaxed);
        let before = route.waiting.fetch_add(1, Ordering::Relaxed);
        let seat = Seat {
            shared,
            route,
            _in_line: in_line,
        };
        (before < route.hold.requests).then_some(seat)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        self.shared.held.fetch_sub(1, Ordering::Relaxed);
        self.route.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Hold {
    /// Waits until another look is worth it.
    pub(super) async fn wait(
        &mut self,
        shared: &Shared,
        route: &Arc<LiveRoute>,
        lack: Lack,
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
            lack,
            waited: waiting.began.elapsed(),
        };
        let Some(seat) = Seat::take(shared, route) else {
            route.share.refuse();
            return Err(over(true));
        };
        let end = waiting.began + route.hold.time.0;
        if Instant::now() >= end {
            return Err(over(false));
        }
        let until = match lack {
            Lack::Instance => end,
            Lack::Connection => end.min(Instant::now() + waiting.pause),
            // Several that get free at once wake one: nobody waits for longer than this without a look.
            Lack::Room => end.min(Instant::now() + LONGEST_PAUSE),
        };
        let something = async {
            tokio::select! {
                changed = waiting.changed.changed() => changed,
                () = route.share.freed.notified(), if lack == Lack::Room => Ok(()),
            }
        };
        let changed = tokio::time::timeout_at(until, something).await;
        drop(seat);
        waiting.pause = if changed.is_ok() {
            SHORTEST_PAUSE
        } else {
            LONGEST_PAUSE.min(waiting.pause * 2)
        };
        Ok(())
    }
}
