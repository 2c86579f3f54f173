//! The fake archives keep what the suite promises.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

use std::sync::Arc;

use hostkit_core::traits::Archives;
use hostkit_testkit::archives_tests;
use hostkit_testkit::conformance::archives::ArchivesFixture;
use hostkit_testkit::fakes::FakeArchives;

#[derive(Default)]
struct Fixture(FakeArchives);

impl ArchivesFixture for Fixture {
    fn archives(&self) -> Arc<dyn Archives> {
        Arc::new(self.0.clone())
    }
}

archives_tests!([cfg(test)], Fixture::default());
