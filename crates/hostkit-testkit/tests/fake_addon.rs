//! The fake add-on keeps what the suite promises.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use hostkit_core::addon::{AddonId, AddonKind, AddonOrder, AddonSettings, Credential};
use hostkit_core::names::EnvironmentName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::traits::Addon;
use hostkit_testkit::addon_tests;
use hostkit_testkit::conformance::addon::AddonFixture;
use hostkit_testkit::fakes::FakeAddon;

#[derive(Default)]
struct Fixture {
    addon: FakeAddon,
    given: AtomicU32,
}

#[async_trait]
impl AddonFixture for Fixture {
    fn addon(&self) -> &dyn Addon {
        &self.addon
    }

    fn order(&self) -> AddonOrder {
        let number = self.given.fetch_add(1, Ordering::Relaxed);
        let project = format!("suite-{number}").parse().unwrap();
        AddonOrder {
            id: AddonId::new(
                EnvironmentId::new(project, EnvironmentName::production()),
                AddonKind::Redis,
            ),
            credentials: vec![Credential {
                number: 1,
                secret: Secret::new("one"),
            }],
            operator: Secret::new("the operator's own"),
            port: Some(15000),
            settings: AddonSettings::default(),
            made: false,
        }
    }

    async fn lets_in(&self, order: &AddonOrder, credential: &Credential) -> bool {
        self.addon.lets_in(&order.id, credential)
    }
}

addon_tests!([cfg(test)], Fixture::default());
