//! The premises in memory pass what the real ones must.

use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::layout::Layout;
use hostkit_core::names::ProjectName;
use hostkit_core::traits::Premises;
use hostkit_testkit::conformance::premises::PremisesFixture;
use hostkit_testkit::fakes::FakePremises;
use hostkit_testkit::premises_tests;

struct Fixture {
    premises: FakePremises,
    _folder: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        Fixture {
            premises: FakePremises::new(Layout::new(folder.path())),
            _folder: folder,
        }
    }
}

#[async_trait]
impl PremisesFixture for Fixture {
    fn premises(&self) -> Arc<dyn Premises> {
        Arc::new(self.premises.clone())
    }

    async fn disturb(&self, project: &ProjectName) {
        self.premises.lose(project, "home");
    }

    async fn taken(&self) -> ProjectName {
        self.premises.stranger("suite-taken");
        ProjectName::parse("suite-taken").expect("a name")
    }

    async fn is_there(&self, project: &ProjectName) -> bool {
        !self.premises.parts(project).is_empty()
    }
}

premises_tests!([cfg(test)], Fixture::new());
