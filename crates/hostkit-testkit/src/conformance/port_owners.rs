//! The suite of [`PortOwners`].

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::names::ProjectName;
use hostkit_core::port_use::PortUse;
use hostkit_core::traits::PortOwners;

/// What tests of port owners bring: a machine that knows the projects `suite-shop` and `suite-blog`, and no
/// `suite-stranger`. At first no rules are in force; its drop leaves nothing.
#[async_trait]
pub trait PortOwnersFixture: Send + Sync {
    /// A new view of one and the same machine at every call.
    async fn owners(&self) -> Arc<dyn PortOwners>;

    /// Whose a port is, by what is in force.
    async fn owner_of(&self, port: u16) -> Option<ProjectName>;

    /// Takes the rules away, as somebody at the machine may.
    async fn disturb(&self);
}

/// Tests of port owners.
#[macro_export]
macro_rules! port_owners_tests {
    ($attribute:tt, $fixture:expr) => {
        $crate::suite_tests!($attribute, $fixture, port_owners:
            ports_belong_to_whom_it_was_said, ensuring_again_changes_nothing, the_last_picture_is_the_whole_one,
            rules_that_were_taken_away_come_back, who_is_unknown_owns_nothing);
    };
}

/// A project by its name.
pub fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).expect("a name")
}

fn picture(ports: &[(u16, &str)]) -> BTreeMap<u16, PortUse> {
    let used = |name: &str| PortUse::of_project(project(name));
    ports.iter().map(|(port, name)| (*port, used(name))).collect()
}

async fn ensure(fixture: &dyn PortOwnersFixture, ports: &[(u16, &str)]) -> bool {
    let owners = fixture.owners().await;
    owners.ensure(&picture(ports)).await.expect("nothing in its way")
}

async fn assert_owned(fixture: &dyn PortOwnersFixture, ports: &[(u16, Option<&str>)]) {
    for (port, owner) in ports {
        assert_eq!(fixture.owner_of(*port).await, owner.map(project), "{port}");
    }
}

/// Each port has the owner it was given, and no other port has one.
pub async fn ports_belong_to_whom_it_was_said(fixture: &dyn PortOwnersFixture) {
    assert!(
        ensure(
            fixture,
            &[(8001, "suite-shop"), (20500, "suite-shop"), (20501, "suite-blog")]
        )
        .await
    );
    let owned = [
        (8001, Some("suite-shop")),
        (20500, Some("suite-shop")),
        (20501, Some("suite-blog")),
        (20502, None),
    ];
    assert_owned(fixture, &owned).await;
}

/// A second time there is nothing to do, also for another view; an empty picture is one, too.
pub async fn ensuring_again_changes_nothing(fixture: &dyn PortOwnersFixture) {
    for ports in [&[(8001, "suite-shop")][..], &[]] {
        assert!(ensure(fixture, ports).await);
        assert!(!ensure(fixture, ports).await);
    }
}

/// What is not spoken of any more belongs to nobody, and a port may pass to somebody else.
pub async fn the_last_picture_is_the_whole_one(fixture: &dyn PortOwnersFixture) {
    ensure(fixture, &[(8001, "suite-shop"), (20500, "suite-shop")]).await;
    assert!(ensure(fixture, &[(20500, "suite-blog")]).await);
    assert_owned(fixture, &[(8001, None), (20500, Some("suite-blog"))]).await;
}

/// Drift is mended, and told.
pub async fn rules_that_were_taken_away_come_back(fixture: &dyn PortOwnersFixture) {
    let ports = [(8001, "suite-shop")];
    ensure(fixture, &ports).await;
    fixture.disturb().await;
    assert_owned(fixture, &[(8001, None)]).await;
    assert!(ensure(fixture, &ports).await);
    assert_owned(fixture, &[(8001, Some("suite-shop"))]).await;
}

/// A project without an account keeps nobody else from theirs.
pub async fn who_is_unknown_owns_nothing(fixture: &dyn PortOwnersFixture) {
    ensure(fixture, &[(20500, "suite-stranger"), (20501, "suite-blog")]).await;
    assert_owned(fixture, &[(20500, None), (20501, Some("suite-blog"))]).await;
}
