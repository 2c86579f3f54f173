//! A clock that stands still until a test moves it.

use std::sync::{Arc, LazyLock, Mutex};
use std::time::{Duration, Instant};

use hostkit_core::traits::Clock;
use jiff::Timestamp;

use super::faults::locked;

/// A settable clock. Clones show the same time.
#[derive(Debug, Clone)]
pub struct FakeClock(Arc<Mutex<Timestamp>>);

impl Default for FakeClock {
    /// 2025-02-15 12:00:00 UTC.
    fn default() -> Self {
        FakeClock::at(Timestamp::from_second(1_739_620_800).unwrap_or(Timestamp::UNIX_EPOCH))
    }
}

impl FakeClock {
    /// A clock that shows `time`.
    pub fn at(time: Timestamp) -> Self {
        FakeClock(Arc::new(Mutex::new(time)))
    }

    /// Sets the time.
    pub fn set(&self, time: Timestamp) {
        *locked(&self.0) = time;
    }

    /// Moves the time on.
    pub fn advance(&self, by: Duration) {
        let mut now = locked(&self.0);
        *now = now.saturating_add(by).unwrap_or(*now);
    }

    /// The time as those have it who measure how much of it passes.
    pub fn instant(&self) -> Instant {
        static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
        let passed = self.now().duration_since(Timestamp::UNIX_EPOCH);
        *BEGIN + Duration::try_from(passed).unwrap_or_default()
    }
}

impl Clock for FakeClock {
    fn now(&self) -> Timestamp {
        *locked(&self.0)
    }
}
