//! The fake runtime passes what the real ones must, as far as nothing really runs.

use std::path::Path;
use std::sync::Arc;

use hostkit_core::traits::Runtime;
use hostkit_testkit::conformance::runtime::RuntimeFixture;
use hostkit_testkit::fakes::FakeRuntime;
use hostkit_testkit::runtime_bookkeeping;

#[derive(Default)]
struct Fixture(FakeRuntime);

impl RuntimeFixture for Fixture {
    fn runtime(&self) -> Arc<dyn Runtime> {
        Arc::new(self.0.clone())
    }

    fn scratch(&self) -> &Path {
        Path::new("/nonexistent")
    }
}

runtime_bookkeeping!(Fixture::default());
