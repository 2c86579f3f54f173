//! What everything elsewhere promises, of a bucket: one of HostKit's own storage stands for it, at the end of a road.

use std::collections::BTreeMap;

use async_trait::async_trait;
use hostkit_addons::outside::Outside;
use hostkit_addons::storage::OutsideStorage;
use hostkit_core::addon::AddonOrder;
use hostkit_core::reach::Reach;
use hostkit_core::traits::Addon;
use hostkit_testkit::conformance::outside::OutsideFixture;
use hostkit_testkit::fakes::FakeClock;
use hostkit_testkit::outside_tests;
use hostkit_testkit::road::{Road, Stranger};

use crate::addon::{Installation, order};
use crate::house::went_well;

/// A bucket with an object in it, and its keeper.
struct Theirs {
    house: Installation,
    order: AddonOrder,
    road: Road,
    told: BTreeMap<String, String>,
    clock: FakeClock,
}

impl Theirs {
    async fn start() -> Self {
        let (house, theirs) = (Installation::new(), order("theirs"));
        house.addon.ensure(&theirs).await.unwrap();
        let put = "client.put_object(Bucket=bucket, Key='kept', Body=b'1')";
        went_well(&house.boto3(&theirs, put).await);
        let port = theirs.port.unwrap();
        let road = Road::to(port).await;
        let (before, after) = (format!("127.0.0.1:{port}"), format!("127.0.0.1:{}", road.port));
        let told = house.addon.variables(&theirs);
        let told = told.iter();
        let told = told.map(|(name, value)| (name.to_string(), value.reveal().replace(&before, &after)));
        Theirs {
            told: told.collect(),
            house,
            order: theirs,
            road,
            clock: FakeClock::default(),
        }
    }
}

#[async_trait]
impl OutsideFixture for Theirs {
    fn addon(&self, reach: Reach) -> Box<dyn Addon> {
        let clock = self.clock.clone();
        Box::new(Outside::by_clock(OutsideStorage::new(reach), move || {
            clock.instant()
        }))
    }

    /// The lines that their programs are told.
    fn address(&self) -> String {
        let lines = self.told.iter();
        lines.map(|(name, value)| format!("{name}={value}\n")).collect()
    }

    fn place(&self) -> String {
        format!("127.0.0.1:{}", self.road.port)
    }

    fn password(&self) -> String {
        self.told["S3_SECRET_ACCESS_KEY"].clone()
    }

    fn told(&self) -> BTreeMap<String, String> {
        self.told.clone()
    }

    async fn kept(&self) -> String {
        let buckets = self.house.addon.buckets().unwrap();
        format!("{:?}", buckets.report(&self.order).await.unwrap())
    }

    fn asked(&self) -> usize {
        self.road.taken()
    }

    fn be_there(&self, is_there: bool) {
        self.road.set_open(is_there);
    }

    async fn strangers(&self) -> Vec<String> {
        Stranger::all_places().await
    }

    fn clock(&self) -> &FakeClock {
        &self.clock
    }
}

outside_tests!([cfg(test)], Theirs::start().await);
