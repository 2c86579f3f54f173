//! The fake of something elsewhere keeps what the suite promises.

use std::collections::BTreeMap;

use async_trait::async_trait;
use hostkit_core::reach::Reach;
use hostkit_core::traits::Addon;
use hostkit_testkit::conformance::outside::OutsideFixture;
use hostkit_testkit::fakes::{FakeClock, FakeOutside};
use hostkit_testkit::outside_tests;

#[derive(Default)]
struct Fixture(FakeOutside);

#[async_trait]
impl OutsideFixture for Fixture {
    fn addon(&self, reach: Reach) -> Box<dyn Addon> {
        Box::new(self.0.anew(reach))
    }

    fn address(&self) -> String {
        format!("{}@{}", self.password(), self.place())
    }

    fn place(&self) -> String {
        "there".to_owned()
    }

    /// Backwards it is a wrong one.
    fn password(&self) -> String {
        "2gnorw".to_owned()
    }

    fn told(&self) -> BTreeMap<String, String> {
        [("REDIS_URL".to_owned(), self.address())].into()
    }

    async fn kept(&self) -> String {
        String::new()
    }

    fn asked(&self) -> usize {
        self.0.asked()
    }

    fn be_there(&self, is_there: bool) {
        self.0.be_there(is_there);
    }

    fn deserted(&self) -> Vec<String> {
        vec!["nobody".to_owned()]
    }

    async fn strangers(&self) -> Vec<String> {
        vec!["stranger".to_owned()]
    }

    fn own_places(&self) -> Vec<String> {
        vec!["localhost".to_owned(), "127.0.0.1".to_owned()]
    }

    fn clock(&self) -> &FakeClock {
        &self.0.clock
    }
}

outside_tests!([cfg(test)], Fixture::default());
