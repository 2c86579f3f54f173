//! The homes in memory pass what the real ones must.

use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::names::ProjectName;
use hostkit_core::project::EnvironmentId;
use hostkit_host::accounts::Account;
use hostkit_host::homes::{Homes, Owners};
use hostkit_testkit::conformance::homes::HomesFixture;
use hostkit_testkit::fakes::FakeHomes;
use hostkit_testkit::homes_tests;

#[derive(Default)]
struct Fixture(FakeHomes);

#[async_trait]
impl HomesFixture for Fixture {
    fn homes(&self) -> Arc<dyn Homes> {
        Arc::new(self.0.clone())
    }

    fn owners(&self) -> Owners {
        Owners {
            project: Account { uid: 1001, gid: 1001 },
            front_door: 990,
            log_readers: 4,
        }
    }

    async fn disturb(&self, project: &ProjectName) {
        self.0.disturb(project);
    }

    async fn live(&self, id: &EnvironmentId) -> Option<String> {
        self.0.live(id).map(|release| format!("releases/{release}"))
    }
}

homes_tests!([cfg(test)], Fixture::default());
