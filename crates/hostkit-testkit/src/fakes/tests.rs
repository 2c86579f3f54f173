//! The faults do what they say.

use std::time::Duration;

use hostkit_core::kind::Kind;
use hostkit_core::route::RouteTable;
use hostkit_core::traits::{Clock, Traffic};

use super::{FakeClock, FakeTraffic, Faults};

#[tokio::test]
async fn faults_are_taken_in_order_and_cleared() {
    let traffic = FakeTraffic::default();
    traffic.faults.fail_next("apply", Faults::broken("apply once"));
    let table = RouteTable {
        version: 3,
        routes: Vec::new(),
        canaries: Vec::new(),
    };
    assert_eq!(traffic.apply(&table).await.unwrap_err().kind, Kind::Unavailable);
    assert_eq!(traffic.apply(&table).await.unwrap().version, 3);
    traffic.faults.fail_always("drain", Faults::broken("drain"));
    assert!(traffic.drain(&[], Duration::ZERO).await.is_err());
    assert!(traffic.drain(&[], Duration::ZERO).await.is_err());
    traffic.faults.clear();
    assert!(traffic.drain(&[], Duration::ZERO).await.is_ok());
    assert_eq!(traffic.journal.count("apply"), 2);
    assert_eq!(traffic.table(), table);
}

#[tokio::test]
async fn a_blocked_call_waits_for_its_release() {
    let traffic = FakeTraffic::default();
    traffic.faults.block("apply");
    let other = traffic.clone();
    let call = tokio::spawn(async move { other.apply(&RouteTable::default()).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(traffic.tables().is_empty());
    traffic.faults.release("apply");
    assert!(call.await.unwrap().is_ok());
}

#[test]
fn the_clock_moves_only_when_told() {
    let clock = FakeClock::default();
    let before = clock.now();
    assert_eq!(clock.now(), before);
    clock.advance(Duration::from_secs(61));
    assert_eq!(clock.now().duration_since(before).as_secs(), 61);
}
