//! The accounts in memory pass what the real ones must.

use std::sync::Arc;

use async_trait::async_trait;
use hostkit_host::accounts::Accounts;
use hostkit_testkit::accounts_tests;
use hostkit_testkit::conformance::accounts::AccountsFixture;
use hostkit_testkit::fakes::FakeAccounts;

#[derive(Default)]
struct Fixture(FakeAccounts);

#[async_trait]
impl AccountsFixture for Fixture {
    fn accounts(&self) -> Arc<dyn Accounts> {
        Arc::new(self.0.clone())
    }

    async fn plant(&self, name: &str) {
        self.0.plant(name);
    }

    async fn plant_group(&self, name: &str) {
        self.0.plant(name);
    }

    async fn disturb(&self, name: &str) {
        self.0.disturb(name);
    }
}

accounts_tests!([cfg(test)], Fixture::default());
