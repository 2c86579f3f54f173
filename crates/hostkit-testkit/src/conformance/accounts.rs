//! The suite of [`Accounts`].

use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::kind::Kind;
use hostkit_core::names::ProjectName;
use hostkit_host::accounts::{Accounts, LOWEST_UID};
use hostkit_host::change::Change;

/// What the tests of accounts bring. At first there is no account of ours; its drop leaves none.
#[async_trait]
pub trait AccountsFixture: Send + Sync {
    /// A new view of one and the same machine at every call.
    fn accounts(&self) -> Arc<dyn Accounts>;

    /// Makes an account as an administrator may: not HostKit's.
    async fn plant(&self, name: &str);

    /// Makes a group and no account.
    async fn plant_group(&self, name: &str);

    /// Gives an account of ours a password and another shell.
    async fn disturb(&self, name: &str);
}

/// Tests of accounts.
#[macro_export]
macro_rules! accounts_tests {
    ($attribute:tt, $fixture:expr) => {
        $crate::suite_tests!($attribute, $fixture, accounts:
            an_account_is_made_once, a_removed_account_is_gone, accounts_of_others_are_refused_and_stay,
            names_with_a_meaning_are_refused, drift_is_mended, a_number_leads_to_its_project_alone,
            the_front_doors_account_is_the_systems);
    };
}

fn name(text: &str) -> ProjectName {
    ProjectName::parse(text).expect("the name is right")
}

const WORKS: &str = "nothing stands in its way";

/// Made, found by another view, and left alone from then on; two projects are two accounts.
pub async fn an_account_is_made_once(fixture: &dyn AccountsFixture) {
    let project = name("shop");
    assert_eq!(fixture.accounts().observe(&project).await.expect(WORKS), None);
    let (account, change) = fixture.accounts().ensure(&project).await.expect(WORKS);
    assert_eq!(change, Change::Made);
    assert!(account.uid >= LOWEST_UID && account.gid >= LOWEST_UID);
    assert_eq!(
        fixture.accounts().observe(&project).await.expect(WORKS),
        Some(account)
    );
    assert_eq!(
        fixture.accounts().ensure(&project).await.expect(WORKS),
        (account, Change::Unneeded)
    );
    let (other, _) = fixture.accounts().ensure(&name("shop-2")).await.expect(WORKS);
    assert!(other.uid != account.uid && other.gid != account.gid);
}

/// Removal removes one account and is done again without effect.
pub async fn a_removed_account_is_gone(fixture: &dyn AccountsFixture) {
    let accounts = fixture.accounts();
    let _ = accounts.ensure(&name("shop")).await.expect(WORKS);
    let (other, _) = accounts.ensure(&name("shop-2")).await.expect(WORKS);
    assert_eq!(accounts.remove(&name("shop")).await.expect(WORKS), Change::Made);
    assert_eq!(
        accounts.remove(&name("shop")).await.expect(WORKS),
        Change::Unneeded
    );
    assert_eq!(accounts.observe(&name("shop")).await.expect(WORKS), None);
    assert_eq!(accounts.observe(&name("shop-2")).await.expect(WORKS), Some(other));
    let (_, change) = accounts.ensure(&name("shop")).await.expect(WORKS);
    assert_eq!(change, Change::Made, "it can be made again");
}

/// An account, or a group, that somebody else made is neither used nor removed.
pub async fn accounts_of_others_are_refused_and_stay(fixture: &dyn AccountsFixture) {
    fixture.plant("theirs").await;
    fixture.plant_group("their-group").await;
    let accounts = fixture.accounts();
    for _ in 0..2 {
        let theirs = name("theirs");
        let kinds = [
            accounts.observe(&theirs).await.map(drop),
            accounts.ensure(&theirs).await.map(drop),
            accounts.remove(&theirs).await.map(drop),
            accounts.ensure(&name("their-group")).await.map(drop),
        ];
        for kind in kinds {
            assert_eq!(kind.expect_err("it is not ours").kind, Kind::Conflict);
        }
    }
}

/// Names of the system are refused before anything is made.
pub async fn names_with_a_meaning_are_refused(fixture: &dyn AccountsFixture) {
    let accounts = fixture.accounts();
    for text in ["root", "docker", "sudo", "hostkit-proxy"] {
        let failure = accounts.ensure(&name(text)).await.expect_err("it has a meaning");
        assert_eq!(failure.kind, Kind::Conflict, "{text}");
        assert!(failure.hint.is_some(), "{text}");
    }
}

/// What somebody changed at an account is put right.
pub async fn drift_is_mended(fixture: &dyn AccountsFixture) {
    let accounts = fixture.accounts();
    let (account, _) = accounts.ensure(&name("shop")).await.expect(WORKS);
    fixture.disturb("shop").await;
    for expected in [Change::Made, Change::Unneeded] {
        assert_eq!(
            accounts.ensure(&name("shop")).await.expect(WORKS),
            (account, expected)
        );
    }
}

/// A number is a project's only where its account is.
pub async fn a_number_leads_to_its_project_alone(fixture: &dyn AccountsFixture) {
    fixture.plant("theirs").await;
    let accounts = fixture.accounts();
    let (account, _) = accounts.ensure(&name("shop")).await.expect(WORKS);
    let found = accounts.project_of(account.uid).await.expect(WORKS);
    assert_eq!(found, Some(name("shop")));
    for uid in (0..2000).chain([u32::MAX - 1]).filter(|uid| *uid != account.uid) {
        assert_eq!(accounts.project_of(uid).await.expect(WORKS), None, "{uid}");
    }
    let _ = accounts.remove(&name("shop")).await.expect(WORKS);
    assert_eq!(accounts.project_of(account.uid).await.expect(WORKS), None);
}

/// The front door's account is made once and is no project's.
pub async fn the_front_doors_account_is_the_systems(fixture: &dyn AccountsFixture) {
    let accounts = fixture.accounts();
    let (account, change) = accounts.ensure_front_door().await.expect(WORKS);
    assert_eq!(change, Change::Made);
    assert!((1..LOWEST_UID).contains(&account.uid));
    assert_eq!(
        accounts.ensure_front_door().await.expect(WORKS),
        (account, Change::Unneeded)
    );
    assert_eq!(accounts.project_of(account.uid).await.expect(WORKS), None);
}
