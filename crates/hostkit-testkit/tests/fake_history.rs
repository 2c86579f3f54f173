//! The suite of histories on the fake.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

use std::sync::Arc;
use std::time::Duration;

use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{Clock, History};
use hostkit_testkit::conformance::history::HistoryFixture;
use hostkit_testkit::fakes::{FakeClock, FakeHistory};
use hostkit_testkit::history_tests;
use jiff::Timestamp;

struct Fixture {
    clock: FakeClock,
    history: FakeHistory,
}

impl Fixture {
    fn new() -> Self {
        let clock = FakeClock::default();
        Fixture {
            history: FakeHistory::new(&clock),
            clock,
        }
    }
}

#[async_trait::async_trait]
impl HistoryFixture for Fixture {
    fn history(&self) -> Arc<dyn History> {
        Arc::new(self.history.clone())
    }

    async fn write(&self, word: &str) {
        let past = EnvironmentId::new("past".parse().unwrap(), "production".parse().unwrap());
        self.history.write(&past, word.as_bytes());
    }

    async fn moment(&self) -> Timestamp {
        self.clock.advance(Duration::from_secs(1));
        let now = self.clock.now();
        self.clock.advance(Duration::from_secs(1));
        now
    }

    async fn pasts(&self) -> usize {
        self.history.pasts()
    }
}

history_tests!([cfg(test)], Fixture::new());
