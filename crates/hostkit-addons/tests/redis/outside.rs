//! A Redis that somebody else keeps: a real server of another installation stands for it, at the end of a road.

use std::collections::BTreeMap;

use async_trait::async_trait;
use hostkit_addons::outside::Outside;
use hostkit_addons::redis::OutsideRedis;
use hostkit_core::addon::AddonOrder;
use hostkit_core::reach::Reach;
use hostkit_core::traits::Addon;
use hostkit_testkit::conformance::outside::OutsideFixture;
use hostkit_testkit::fakes::FakeClock;
use hostkit_testkit::outside_tests;
use hostkit_testkit::road::{Road, Stranger};

use crate::house::{House, ask, order};

/// A server with something in it, and its keeper.
struct Theirs {
    house: House,
    order: AddonOrder,
    road: Road,
    address: String,
    password: String,
    clock: FakeClock,
}

impl Theirs {
    async fn start() -> Self {
        let (house, theirs) = (House::new(), order("theirs"));
        house.addon.ensure(&theirs).await.unwrap();
        ask(&mut house.connect(&theirs).await, "SET kept 1")
            .await
            .unwrap();
        let variables = house.addon.variables(&theirs);
        let (_, url) = variables
            .iter()
            .find(|(name, _)| name.as_str() == "REDIS_URL")
            .unwrap();
        let port = theirs.port.unwrap();
        let road = Road::to(port).await;
        let address = url
            .reveal()
            .replace(&format!(":{port}/"), &format!(":{}/", road.port));
        let login = address
            .strip_prefix("redis://")
            .unwrap()
            .split_once('@')
            .unwrap()
            .0;
        Theirs {
            password: login.split_once(':').unwrap().1.to_owned(),
            house,
            order: theirs,
            road,
            address,
            clock: FakeClock::default(),
        }
    }
}

#[async_trait]
impl OutsideFixture for Theirs {
    fn addon(&self, reach: Reach) -> Box<dyn Addon> {
        let clock = self.clock.clone();
        Box::new(Outside::by_clock(OutsideRedis::new(reach), move || {
            clock.instant()
        }))
    }

    fn address(&self) -> String {
        self.address.clone()
    }

    fn place(&self) -> String {
        format!("127.0.0.1:{}", self.road.port)
    }

    fn password(&self) -> String {
        self.password.clone()
    }

    fn told(&self) -> BTreeMap<String, String> {
        let names = ["REDIS_URL", "CELERY_BROKER_URL", "CELERY_RESULT_BACKEND"];
        names.map(|name| (name.to_owned(), self.address.clone())).into()
    }

    async fn kept(&self) -> String {
        let mut connection = self.house.connect(&self.order).await;
        let keys = ask(&mut connection, "KEYS *").await.unwrap();
        let value = ask(&mut connection, "GET kept").await.unwrap();
        format!("{keys:?} {value:?}")
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
