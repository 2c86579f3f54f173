//! What every add-on promises.

use async_trait::async_trait;
use hostkit_core::addon::{AddonOrder, Credential};
use hostkit_core::traits::Addon;
use hostkit_testkit::addon_tests;
use hostkit_testkit::conformance::addon::AddonFixture;

use crate::house::{House, ask, order};

#[async_trait]
impl AddonFixture for House {
    fn addon(&self) -> &dyn Addon {
        &self.addon
    }

    fn order(&self) -> AddonOrder {
        order(&self.unused_name())
    }

    async fn lets_in(&self, order: &AddonOrder, credential: &Credential) -> bool {
        let with_this = AddonOrder {
            credentials: vec![credential.clone()],
            ..order.clone()
        };
        let client = self.client(&with_this);
        match client.get_multiplexed_async_connection().await {
            Ok(mut connection) => ask(&mut connection, "SET k v").await.is_ok(),
            Err(_) => false,
        }
    }
}

addon_tests!([cfg(test)], House::new());
