//! The suite of [`Firewall`].

use std::sync::Arc;

use async_trait::async_trait;
use hostkit_host::change::Change;
use hostkit_host::firewall::{Firewall, Inbound, Loopback, Seen};

/// What a firewall's tests bring. At first nothing of ours is in place; its drop leaves nothing.
#[async_trait]
pub trait FirewallFixture: Send + Sync {
    /// A new view of one and the same packet filter at every call.
    fn firewall(&self) -> Arc<dyn Firewall>;

    /// Takes a rule out of the part for the network, as somebody at the machine may.
    async fn disturb(&self);
}

/// Tests of a firewall.
#[macro_export]
macro_rules! firewall_tests {
    ($attribute:tt, $fixture:expr) => {
        $crate::suite_tests!($attribute, $fixture, firewall:
            what_is_ensured_is_seen, ensuring_again_changes_nothing, the_parts_are_apart,
            other_values_take_the_place, a_rule_taken_out_is_seen_and_put_back, removal_leaves_nothing);
    };
}

fn inbound() -> Inbound {
    Inbound {
        tcp: [22, 80, 443].into(),
        udp: [443].into(),
    }
}

fn loopback() -> Loopback {
    Loopback {
        front_door: 998,
        owners: [(6543, 30001), (8001, 1001), (9001, 1001), (20500, 1002)].into(),
        callers: [(8001, 30001)].into(),
        open: [6543].into(),
    }
}

/// What was put in place is read back, by another view as well.
pub async fn what_is_ensured_is_seen(fixture: &dyn FirewallFixture) {
    let seen = fixture
        .firewall()
        .observe()
        .await
        .expect("nothing stands in its way");
    assert_eq!((seen.inbound, seen.loopback), (Seen::Missing, Seen::Missing));
    let firewall = fixture.firewall();
    assert_eq!(
        firewall
            .ensure_inbound(&inbound())
            .await
            .expect("nothing stands in its way"),
        Change::Made
    );
    assert_eq!(
        firewall
            .ensure_loopback(&loopback())
            .await
            .expect("nothing stands in its way"),
        Change::Made
    );
    let seen = fixture
        .firewall()
        .observe()
        .await
        .expect("nothing stands in its way");
    assert_eq!(seen.inbound, Seen::Intact(inbound()));
    assert_eq!(seen.loopback, Seen::Intact(loopback()));
}

/// A second time there is nothing to do; empty parts are parts, too.
pub async fn ensuring_again_changes_nothing(fixture: &dyn FirewallFixture) {
    for (network, machine) in [(inbound(), loopback()), (Inbound::default(), Loopback::default())] {
        for expected in [Change::Made, Change::Unneeded] {
            let firewall = fixture.firewall();
            assert_eq!(
                firewall
                    .ensure_inbound(&network)
                    .await
                    .expect("nothing stands in its way"),
                expected
            );
            assert_eq!(
                firewall
                    .ensure_loopback(&machine)
                    .await
                    .expect("nothing stands in its way"),
                expected
            );
        }
    }
}

/// Each part comes and changes without the other one.
pub async fn the_parts_are_apart(fixture: &dyn FirewallFixture) {
    let firewall = fixture.firewall();
    assert_eq!(
        firewall
            .ensure_loopback(&loopback())
            .await
            .expect("nothing stands in its way"),
        Change::Made
    );
    assert_eq!(
        firewall
            .observe()
            .await
            .expect("nothing stands in its way")
            .inbound,
        Seen::Missing
    );
    assert_eq!(
        firewall
            .ensure_inbound(&inbound())
            .await
            .expect("nothing stands in its way"),
        Change::Made
    );
    assert_eq!(
        firewall
            .remove_inbound()
            .await
            .expect("nothing stands in its way"),
        Change::Made
    );
    assert_eq!(
        firewall
            .remove_inbound()
            .await
            .expect("nothing stands in its way"),
        Change::Unneeded
    );
    let seen = firewall.observe().await.expect("nothing stands in its way");
    assert_eq!(
        (seen.inbound, seen.loopback),
        (Seen::Missing, Seen::Intact(loopback()))
    );
}

/// Other values replace what was there.
pub async fn other_values_take_the_place(fixture: &dyn FirewallFixture) {
    let firewall = fixture.firewall();
    let _ = firewall
        .ensure_inbound(&inbound())
        .await
        .expect("nothing stands in its way");
    let _ = firewall
        .ensure_loopback(&loopback())
        .await
        .expect("nothing stands in its way");
    let fewer = Inbound {
        tcp: [2222].into(),
        udp: [].into(),
    };
    let others = Loopback {
        front_door: 997,
        owners: [(8002, 1001)].into(),
        ..Loopback::default()
    };
    assert_eq!(
        firewall
            .ensure_inbound(&fewer)
            .await
            .expect("nothing stands in its way"),
        Change::Made
    );
    assert_eq!(
        firewall
            .ensure_loopback(&others)
            .await
            .expect("nothing stands in its way"),
        Change::Made
    );
    let seen = firewall.observe().await.expect("nothing stands in its way");
    assert_eq!(
        (seen.inbound, seen.loopback),
        (Seen::Intact(fewer), Seen::Intact(others))
    );
}

/// A rule that somebody took out is missed and comes back.
pub async fn a_rule_taken_out_is_seen_and_put_back(fixture: &dyn FirewallFixture) {
    let firewall = fixture.firewall();
    let _ = firewall
        .ensure_inbound(&inbound())
        .await
        .expect("nothing stands in its way");
    let _ = firewall
        .ensure_loopback(&loopback())
        .await
        .expect("nothing stands in its way");
    fixture.disturb().await;
    let seen = firewall.observe().await.expect("nothing stands in its way");
    assert_eq!(
        (seen.inbound, seen.loopback),
        (Seen::Drifted, Seen::Intact(loopback()))
    );
    assert_eq!(
        firewall
            .ensure_inbound(&inbound())
            .await
            .expect("nothing stands in its way"),
        Change::Made
    );
    assert_eq!(
        firewall
            .observe()
            .await
            .expect("nothing stands in its way")
            .inbound,
        Seen::Intact(inbound())
    );
}

/// After removal nothing is there, also after a second one.
pub async fn removal_leaves_nothing(fixture: &dyn FirewallFixture) {
    let firewall = fixture.firewall();
    let _ = firewall
        .ensure_inbound(&inbound())
        .await
        .expect("nothing stands in its way");
    let _ = firewall
        .ensure_loopback(&loopback())
        .await
        .expect("nothing stands in its way");
    assert_eq!(
        firewall.remove().await.expect("nothing stands in its way"),
        Change::Made
    );
    assert_eq!(
        firewall.remove().await.expect("nothing stands in its way"),
        Change::Unneeded
    );
    let seen = firewall.observe().await.expect("nothing stands in its way");
    assert_eq!((seen.inbound, seen.loopback), (Seen::Missing, Seen::Missing));
}
