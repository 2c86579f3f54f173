//! The suite of [`Sudoers`].

use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::names::ProjectName;
use hostkit_host::change::Change;
use hostkit_host::sudoers::{Rule, Sudoers};

/// What the tests of sudo's rules bring. At first there is none of ours; its drop leaves none.
#[async_trait]
pub trait SudoersFixture: Send + Sync {
    /// A new view of one and the same machine at every call.
    fn sudoers(&self) -> Arc<dyn Sudoers>;

    /// Writes something else into the rule of a project.
    async fn disturb(&self, project: &ProjectName);
}

/// Tests of sudo's rules.
#[macro_export]
macro_rules! sudoers_tests {
    ($attribute:tt, $fixture:expr) => {
        $crate::suite_tests!($attribute, $fixture, sudoers:
            a_rule_is_put_in_place_once, a_changed_rule_is_put_right, a_removed_rule_is_gone_and_others_stay);
    };
}

const WORKS: &str = "nothing stands in its way";

fn name(text: &str) -> ProjectName {
    ProjectName::parse(text).expect("the name is right")
}

/// Missing, made, and left alone from then on.
pub async fn a_rule_is_put_in_place_once(fixture: &dyn SudoersFixture) {
    let shop = name("shop");
    assert_eq!(
        fixture.sudoers().observe(&shop).await.expect(WORKS),
        Rule::Missing
    );
    for expected in [Change::Made, Change::Unneeded] {
        assert_eq!(fixture.sudoers().ensure(&shop).await.expect(WORKS), expected);
        assert_eq!(
            fixture.sudoers().observe(&shop).await.expect(WORKS),
            Rule::InPlace
        );
    }
}

/// Another text in its place does not stay.
pub async fn a_changed_rule_is_put_right(fixture: &dyn SudoersFixture) {
    let (shop, sudoers) = (name("shop"), fixture.sudoers());
    let _ = sudoers.ensure(&shop).await.expect(WORKS);
    fixture.disturb(&shop).await;
    assert_eq!(sudoers.observe(&shop).await.expect(WORKS), Rule::Drifted);
    assert_eq!(sudoers.ensure(&shop).await.expect(WORKS), Change::Made);
    assert_eq!(sudoers.observe(&shop).await.expect(WORKS), Rule::InPlace);
}

/// Removal takes one rule and is done again without effect.
pub async fn a_removed_rule_is_gone_and_others_stay(fixture: &dyn SudoersFixture) {
    let (shop, other, sudoers) = (name("shop"), name("shop-2"), fixture.sudoers());
    let _ = sudoers.ensure(&shop).await.expect(WORKS);
    let _ = sudoers.ensure(&other).await.expect(WORKS);
    for expected in [Change::Made, Change::Unneeded] {
        assert_eq!(sudoers.remove(&shop).await.expect(WORKS), expected);
    }
    assert_eq!(sudoers.observe(&shop).await.expect(WORKS), Rule::Missing);
    assert_eq!(sudoers.observe(&other).await.expect(WORKS), Rule::InPlace);
}
