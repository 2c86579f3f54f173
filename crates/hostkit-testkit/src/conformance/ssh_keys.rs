//! The suite of [`SshKeys`].

use std::sync::Arc;

use hostkit_core::names::ProjectName;
use hostkit_host::change::Change;
use hostkit_host::ssh_keys::{PublicKey, SshKeys};

/// What the tests of keys bring: a machine where `shop` and `shop-2` have homes, without keys.
pub trait SshKeysFixture: Send + Sync {
    /// A new view of one and the same machine at every call.
    fn ssh_keys(&self) -> Arc<dyn SshKeys>;
}

/// Tests of keys.
#[macro_export]
macro_rules! ssh_keys_tests {
    ($attribute:tt, $fixture:expr) => {
        $crate::suite_tests!($attribute, $fixture, ssh_keys:
            a_key_is_let_in_once, a_key_with_another_comment_is_the_same,
            a_removed_key_is_out_and_others_stay, projects_have_keys_apart);
    };
}

const WORKS: &str = "nothing stands in its way";

/// Two keys, made for these tests; nobody has their private halves any more.
pub const KEYS: [&str; 2] = [
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJS3IChs7Kwjetynufvr/HsQmoaNC3z6QdvitXVWLem+ ci@example.com",
    "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBKNbaFE7fYKEf2nv04CKWFpLTjPNsBJrHaJDSc66eFo5vKDOnXjome2iP1+clzDp3Twu4reQ7Q3VDX1rBv1IqzY= anna",
];

fn keys() -> [PublicKey; 2] {
    KEYS.map(|text| PublicKey::parse(text).expect("it is a key"))
}

fn name(text: &str) -> ProjectName {
    ProjectName::parse(text).expect("the name is right")
}

async fn comments(fixture: &dyn SshKeysFixture, project: &str) -> Vec<String> {
    let listed = fixture.ssh_keys().list(&name(project)).await.expect(WORKS);
    listed
        .iter()
        .map(|found| found.key.comment().to_owned())
        .collect()
}

/// None, then each once, in order.
pub async fn a_key_is_let_in_once(fixture: &dyn SshKeysFixture) {
    assert_eq!(comments(fixture, "shop").await, [""; 0]);
    for expected in [Change::Made, Change::Unneeded] {
        for key in &keys() {
            assert_eq!(
                fixture.ssh_keys().add(&name("shop"), key).await.expect(WORKS),
                expected
            );
        }
    }
    assert_eq!(comments(fixture, "shop").await, ["ci@example.com", "anna"]);
    let listed = fixture.ssh_keys().list(&name("shop")).await.expect(WORKS);
    assert!(listed.iter().all(|found| !found.has_options));
    assert_eq!(
        listed.iter().map(|found| found.key.clone()).collect::<Vec<_>>(),
        keys()
    );
}

/// What a key is called makes no other key of it.
pub async fn a_key_with_another_comment_is_the_same(fixture: &dyn SshKeysFixture) {
    let renamed = PublicKey::parse(&KEYS[0].replace("ci@example.com", "renamed")).expect("it is a key");
    let keys_of = fixture.ssh_keys();
    let _ = keys_of.add(&name("shop"), &keys()[0]).await.expect(WORKS);
    assert_eq!(
        keys_of.add(&name("shop"), &renamed).await.expect(WORKS),
        Change::Unneeded
    );
    assert_eq!(comments(fixture, "shop").await, ["ci@example.com"]);
    let fingerprint = renamed.fingerprint();
    assert_eq!(
        keys_of.remove(&name("shop"), &fingerprint).await.expect(WORKS),
        Change::Made
    );
    assert_eq!(comments(fixture, "shop").await, [""; 0]);
}

/// Removal takes one key and is done again without effect.
pub async fn a_removed_key_is_out_and_others_stay(fixture: &dyn SshKeysFixture) {
    let keys_of = fixture.ssh_keys();
    for key in &keys() {
        let _ = keys_of.add(&name("shop"), key).await.expect(WORKS);
    }
    let fingerprint = keys()[0].fingerprint();
    for expected in [Change::Made, Change::Unneeded] {
        assert_eq!(
            keys_of.remove(&name("shop"), &fingerprint).await.expect(WORKS),
            expected
        );
    }
    assert_eq!(comments(fixture, "shop").await, ["anna"]);
}

/// A key is let in to one project.
pub async fn projects_have_keys_apart(fixture: &dyn SshKeysFixture) {
    let keys_of = fixture.ssh_keys();
    let _ = keys_of.add(&name("shop"), &keys()[0]).await.expect(WORKS);
    let _ = keys_of.add(&name("shop-2"), &keys()[1]).await.expect(WORKS);
    assert_eq!(comments(fixture, "shop").await, ["ci@example.com"]);
    assert_eq!(comments(fixture, "shop-2").await, ["anna"]);
}
