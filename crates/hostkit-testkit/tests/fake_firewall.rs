//! The packet filter in memory passes what the real one must.

use std::sync::Arc;

use async_trait::async_trait;
use hostkit_host::firewall::Firewall;
use hostkit_testkit::conformance::firewall::FirewallFixture;
use hostkit_testkit::fakes::FakeFirewall;
use hostkit_testkit::firewall_tests;

#[derive(Default)]
struct Fixture(FakeFirewall);

#[async_trait]
impl FirewallFixture for Fixture {
    fn firewall(&self) -> Arc<dyn Firewall> {
        Arc::new(self.0.clone())
    }

    async fn disturb(&self) {
        self.0.disturb_inbound();
    }
}

firewall_tests!([cfg(test)], Fixture::default());
