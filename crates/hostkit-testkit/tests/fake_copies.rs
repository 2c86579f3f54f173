//! The copies in memory pass what the real ones must.

#![allow(clippy::unwrap_used)]

use async_trait::async_trait;
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{Copies, CopyOf};
use hostkit_testkit::conformance::copies::CopiesFixture;
use hostkit_testkit::copies_tests;
use hostkit_testkit::fakes::FakeCopies;

#[derive(Default)]
struct Fixture(FakeCopies);

#[async_trait]
impl CopiesFixture for Fixture {
    fn copies(&self) -> &dyn Copies {
        &self.0
    }

    fn of(&self) -> CopyOf {
        CopyOf {
            environment: EnvironmentId::new("shop".parse().unwrap(), "production".parse().unwrap()),
            order: None,
        }
    }

    async fn fill(&self, word: &str) {
        self.0.set(&self.of().environment, "redis", word.into());
    }

    async fn word(&self) -> String {
        let bytes = self.0.get(&self.of().environment, "redis");
        String::from_utf8(bytes.unwrap()).unwrap()
    }

    async fn is_clean(&self) -> bool {
        self.0.staged() == 0
    }
}

copies_tests!([cfg(test)], Fixture::default());
