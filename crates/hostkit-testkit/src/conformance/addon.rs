//! The suite of [`Addon`].

use async_trait::async_trait;
use hostkit_core::addon::{AddonHealth, AddonOrder, Credential};
use hostkit_core::secret::Secret;
use hostkit_core::traits::Addon;

/// What tests of an add-on bring: a driver whose programs, if it has any, run for as long as the fixture is there.
#[async_trait]
pub trait AddonFixture: Send + Sync {
    /// The driver.
    fn addon(&self) -> &dyn Addon;

    /// An order of an environment that no other call has had, with one credential. Nothing is there of it yet.
    fn order(&self) -> AddonOrder;

    /// Whether a program gets in with a credential.
    async fn lets_in(&self, order: &AddonOrder, credential: &Credential) -> bool;
}

/// Tests of an add-on.
#[macro_export]
macro_rules! addon_tests {
    ($attribute:tt, $fixture:expr) => {
        $crate::suite_tests!($attribute, $fixture, addon:
            ensured_it_is_ready_and_again_too, a_binding_gives_what_was_announced,
            a_rotation_lets_both_in_and_then_the_new_one_alone, removed_it_lets_nobody_in_and_can_be_made_anew,
            environments_are_apart, settled_is_only_what_was_ensured_just_so);
    };
}

async fn ensure(fixture: &dyn AddonFixture, order: &AddonOrder) {
    fixture.addon().ensure(order).await.expect("nothing in its way");
}

async fn assert_ready(fixture: &dyn AddonFixture, order: &AddonOrder) {
    let state = fixture.addon().observe(order).await.expect("a look");
    assert_eq!(state.health, AddonHealth::Ready, "{}", order.id);
}

async fn is_settled(fixture: &dyn AddonFixture, order: &AddonOrder) -> bool {
    let settled = fixture.addon().settled(&[order]).await.expect("a look");
    settled.contains(&order.id)
}

/// Another credential, the newest. That of a fixture is no palindrome.
fn rotated(order: &AddonOrder) -> AddonOrder {
    let mut both = order.clone();
    let newest = &order.credentials[0];
    let credential = Credential {
        number: newest.number + 1,
        // As long as the first: some kinds use parts of it.
        secret: Secret::new(newest.secret.reveal().chars().rev().collect::<String>()),
    };
    both.credentials.insert(0, credential);
    both
}

/// It is ready when `ensure` returns, and stays so when it is called again.
pub async fn ensured_it_is_ready_and_again_too(fixture: &dyn AddonFixture) {
    let order = fixture.order();
    assert!(!fixture.lets_in(&order, &order.credentials[0]).await);
    for _ in 0..2 {
        ensure(fixture, &order).await;
        assert_ready(fixture, &order).await;
        assert!(fixture.lets_in(&order, &order.credentials[0]).await);
    }
}

/// Exactly the variables that were announced, each with a value, and no secret of HostKit's own among them.
pub async fn a_binding_gives_what_was_announced(fixture: &dyn AddonFixture) {
    let order = fixture.order();
    ensure(fixture, &order).await;
    let mut announced = fixture.addon().variable_names();
    announced.sort();
    let variables = fixture.addon().variables(&order);
    let given: Vec<_> = variables.keys().cloned().collect();
    assert_eq!(given, announced);
    for (name, value) in &variables {
        assert!(!value.reveal().is_empty(), "{name}");
        assert!(!value.reveal().contains(order.operator.reveal()), "{name}");
    }
}

/// Nobody is locked out by a rotation, and who was let in by the old credential alone is at its end.
pub async fn a_rotation_lets_both_in_and_then_the_new_one_alone(fixture: &dyn AddonFixture) {
    let old = fixture.order();
    ensure(fixture, &old).await;
    let both = rotated(&old);
    ensure(fixture, &both).await;
    for credential in &both.credentials {
        assert!(fixture.lets_in(&both, credential).await, "{}", credential.number);
    }
    let mut new = both.clone();
    new.credentials.truncate(1);
    ensure(fixture, &new).await;
    assert!(fixture.lets_in(&new, &new.credentials[0]).await);
    assert!(!fixture.lets_in(&new, &old.credentials[0]).await);
}

/// Removal can be asked for twice, and for what never was; afterwards a new one is made.
pub async fn removed_it_lets_nobody_in_and_can_be_made_anew(fixture: &dyn AddonFixture) {
    let order = fixture.order();
    fixture
        .addon()
        .remove(&order.id)
        .await
        .expect("nothing to remove");
    ensure(fixture, &order).await;
    for _ in 0..2 {
        fixture.addon().remove(&order.id).await.expect("a removal");
        assert!(!fixture.lets_in(&order, &order.credentials[0]).await);
    }
    ensure(fixture, &order).await;
    assert!(fixture.lets_in(&order, &order.credentials[0]).await);
}

/// What one environment gets in with is of no use at another's, and the end of one is not the other's.
pub async fn environments_are_apart(fixture: &dyn AddonFixture) {
    let (mine, mut other) = (fixture.order(), fixture.order());
    other.credentials[0].secret = rotated(&other).credentials[0].secret.clone();
    ensure(fixture, &mine).await;
    ensure(fixture, &other).await;
    assert!(!fixture.lets_in(&other, &mine.credentials[0]).await);
    fixture.addon().remove(&mine.id).await.expect("a removal");
    assert!(fixture.lets_in(&other, &other.credentials[0]).await);
    assert_ready(fixture, &other).await;
}

/// What was never ensured, was ensured otherwise, or is gone is not settled.
pub async fn settled_is_only_what_was_ensured_just_so(fixture: &dyn AddonFixture) {
    let order = fixture.order();
    assert!(!is_settled(fixture, &order).await);
    ensure(fixture, &order).await;
    // It may be; if it is, it is ready.
    if is_settled(fixture, &order).await {
        assert_ready(fixture, &order).await;
    }
    assert!(!is_settled(fixture, &rotated(&order)).await);
    fixture.addon().remove(&order.id).await.expect("a removal");
    assert!(!is_settled(fixture, &order).await);
}
