//! The premises in memory pass what the real ones must.

use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::names::ProjectName;
use hostkit_core::traits::Premises;
use hostkit_testkit::conformance::premises::PremisesFixture;
use hostkit_testkit::fakes::FakePremises;
use hostkit_testkit::premises_tests;

#[derive(Default)]
struct Fixture(FakePremises);

#[async_trait]
impl PremisesFixture for Fixture {
    fn premises(&self) -> Arc<dyn Premises> {
        Arc::new(self.0.clone())
    }

    async fn disturb(&self, project: &ProjectName) {
        self.0.lose(project, "home");
    }

    async fn taken(&self) -> ProjectName {
        self.0.stranger("suite-taken");
        ProjectName::parse("suite-taken").expect("a name")
    }

    async fn is_there(&self, project: &ProjectName) -> bool {
        !self.0.parts(project).is_empty()
    }
}

premises_tests!([cfg(test)], Fixture::default());
