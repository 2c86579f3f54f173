//! Sudo's rules in memory pass what the real ones must.

use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::names::ProjectName;
use hostkit_host::sudoers::Sudoers;
use hostkit_testkit::conformance::sudoers::SudoersFixture;
use hostkit_testkit::fakes::FakeSudoers;
use hostkit_testkit::sudoers_tests;

#[derive(Default)]
struct Fixture(FakeSudoers);

#[async_trait]
impl SudoersFixture for Fixture {
    fn sudoers(&self) -> Arc<dyn Sudoers> {
        Arc::new(self.0.clone())
    }

    async fn disturb(&self, project: &ProjectName) {
        self.0.disturb(project);
    }
}

sudoers_tests!([cfg(test)], Fixture::default());
