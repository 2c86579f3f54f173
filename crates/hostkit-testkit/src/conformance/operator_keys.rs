//! The suite of [`OperatorKeys`].

use std::sync::Arc;

use hostkit_core::kind::Kind;
use hostkit_core::names::ProjectName;
use hostkit_core::traits::OperatorKeys;

use super::ssh_keys::KEYS;

/// What the tests bring: a machine where `shop` and `shop-2` have homes, without keys.
pub trait OperatorKeysFixture: Send + Sync {
    /// A new view of one and the same machine at every call.
    fn operator_keys(&self) -> Arc<dyn OperatorKeys>;
}

/// Tests of the keys of operators.
#[macro_export]
macro_rules! operator_keys_tests {
    ($attribute:tt, $fixture:expr) => {
        $crate::suite_tests!($attribute, $fixture, operator_keys:
            a_key_is_added_listed_and_removed, a_key_goes_by_each_of_its_names,
            a_comment_that_is_not_one_keys_takes_none_away, what_is_no_public_key_is_refused_and_not_repeated);
    };
}

const WORKS: &str = "nothing stands in its way";

/// What `ssh-keygen -l` says of the first of [`KEYS`].
const FINGERPRINT: &str = "SHA256:1MDXw/oNYEd2oJ0W4mcnqd9eKxjXfbik6+lpGYoS3us";

fn name(text: &str) -> ProjectName {
    ProjectName::parse(text).expect("the name is right")
}

async fn comments(fixture: &dyn OperatorKeysFixture, project: &str) -> Vec<String> {
    let listed = fixture.operator_keys().list(&name(project)).await;
    listed.expect(WORKS).into_iter().map(|key| key.comment).collect()
}

/// Each once, in order, of one project alone.
pub async fn a_key_is_added_listed_and_removed(fixture: &dyn OperatorKeysFixture) {
    let keys = fixture.operator_keys();
    for is_new in [true, false] {
        for line in KEYS {
            let (_, new) = keys.add(&name("shop"), line).await.expect(WORKS);
            assert_eq!(new, is_new);
        }
    }
    let listed = fixture.operator_keys().list(&name("shop")).await.expect(WORKS);
    assert_eq!(listed.len(), 2);
    assert_eq!(listed[0].fingerprint, FINGERPRINT);
    assert_eq!(listed[0].kind, "ssh-ed25519");
    assert_eq!(listed[0].comment, "ci@example.com");
    assert_eq!(comments(fixture, "shop-2").await, [""; 0]);
    let removed = keys.remove(&name("shop"), FINGERPRINT).await.expect(WORKS);
    assert_eq!(removed, listed[0]);
    assert_eq!(comments(fixture, "shop").await, ["anna"]);
    let again = keys.remove(&name("shop"), FINGERPRINT).await;
    assert_eq!(again.expect_err("it is gone").kind, Kind::NotFound);
}

/// By fingerprint with and without its beginning, by comment, by its own line.
pub async fn a_key_goes_by_each_of_its_names(fixture: &dyn OperatorKeysFixture) {
    let keys = fixture.operator_keys();
    for which in [FINGERPRINT, &FINGERPRINT[7..], "ci@example.com", KEYS[0]] {
        let _ = keys.add(&name("shop"), KEYS[0]).await.expect(WORKS);
        let _ = keys.add(&name("shop"), KEYS[1]).await.expect(WORKS);
        let removed = keys.remove(&name("shop"), which).await.expect(WORKS);
        assert_eq!(removed.fingerprint, FINGERPRINT);
        assert_eq!(comments(fixture, "shop").await, ["anna"]);
    }
}

/// Of two keys with one comment neither goes, nor any by a comment that none has.
pub async fn a_comment_that_is_not_one_keys_takes_none_away(fixture: &dyn OperatorKeysFixture) {
    let keys = fixture.operator_keys();
    for line in [KEYS[0].replace("ci@example.com", "anna"), KEYS[1].to_owned()] {
        let _ = keys.add(&name("shop"), &line).await.expect(WORKS);
    }
    let failure = keys.remove(&name("shop"), "anna").await.expect_err("two have it");
    assert_eq!(failure.kind, Kind::Conflict);
    assert_eq!(failure.details.len(), 2);
    for which in ["", " ", "ann", "anna x", "SHA256:AAAA", "\u{202e}"] {
        let failure = keys.remove(&name("shop"), which).await.expect_err("none has it");
        assert_eq!(failure.kind, Kind::NotFound, "{which}");
    }
    assert_eq!(comments(fixture, "shop").await, ["anna", "anna"]);
}

/// Nothing of what was given stands in the answer, whatever it was.
pub async fn what_is_no_public_key_is_refused_and_not_repeated(fixture: &dyn OperatorKeysFixture) {
    let keys = fixture.operator_keys();
    let canary = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE";
    for text in [
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{canary}\n-----END OPENSSH PRIVATE KEY-----\n"),
        format!("-----BEGIN OPENSSH PRIVATE KEY----- {canary}"),
        canary.to_owned(),
        format!("ssh-ed25519 {canary}"),
        format!("{} x\n{canary}", KEYS[1]),
        format!("command=\"{canary}\" {}", KEYS[0]),
        String::new(),
    ] {
        let failure = keys.add(&name("shop"), &text).await.expect_err("it is no key");
        assert_eq!(failure.kind, Kind::Invalid);
        let told = format!("{failure:?}");
        assert!(!told.contains(canary), "{told}");
        let failure = keys.remove(&name("shop"), &text).await.expect_err("it is not in");
        let told = format!("{failure:?}");
        assert!(!told.contains(canary), "{told}");
    }
    assert_eq!(comments(fixture, "shop").await, [""; 0]);
}
