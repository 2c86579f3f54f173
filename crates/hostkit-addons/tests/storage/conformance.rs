//! What every add-on promises.

use async_trait::async_trait;
use hostkit_core::addon::{AddonOrder, Credential};
use hostkit_core::traits::Addon;
use hostkit_testkit::addon_tests;
use hostkit_testkit::conformance::addon::AddonFixture;

use crate::addon::{Installation, order};

#[async_trait]
impl AddonFixture for Installation {
    fn addon(&self) -> &dyn Addon {
        &*self.addon
    }

    fn order(&self) -> AddonOrder {
        order(&self.unused_name())
    }

    async fn lets_in(&self, order: &AddonOrder, credential: &Credential) -> bool {
        let with_this = AddonOrder {
            credentials: vec![credential.clone()],
            ..order.clone()
        };
        let script = "client.put_object(Bucket=bucket, Key='k', Body=b'v')";
        self.boto3(&with_this, script).await.status.success()
    }
}

addon_tests!([cfg(test)], Installation::new());
