//! The fake systemd passes what the real one must, as far as nothing really runs.

use std::path::Path;
use std::sync::Arc;

use hostkit_host::systemd::Systemd;
use hostkit_testkit::conformance::systemd::SystemdFixture;
use hostkit_testkit::fakes::FakeSystemd;
use hostkit_testkit::systemd_everywhere;

#[derive(Default)]
struct Fixture(FakeSystemd);

impl SystemdFixture for Fixture {
    fn systemd(&self) -> Arc<dyn Systemd> {
        Arc::new(self.0.clone())
    }

    fn prefix(&self) -> &str {
        "test"
    }

    fn scratch(&self) -> &Path {
        Path::new("/nonexistent")
    }
}

systemd_everywhere!(Fixture::default());
