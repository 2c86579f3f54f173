//! The suite of [`Premises`].

use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::kind::Kind;
use hostkit_core::names::{EnvironmentName, ProjectName, RelativePath, ReleaseName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::traits::{Audience, Premises};

/// What tests of premises bring. At first nothing of ours is there; its drop leaves nothing.
#[async_trait]
pub trait PremisesFixture: Send + Sync {
    /// A new view of one and the same machine at every call.
    fn premises(&self) -> Arc<dyn Premises>;

    /// Takes one thing of a project away, as somebody at the machine may.
    async fn disturb(&self, project: &ProjectName);

    /// A name that already means something on the machine.
    async fn taken(&self) -> ProjectName;

    /// Whether anything of a project is on the machine.
    async fn is_there(&self, project: &ProjectName) -> bool;
}

/// Tests of premises.
#[macro_export]
macro_rules! premises_tests {
    ($attribute:tt, $fixture:expr) => {
        $crate::suite_tests!($attribute, $fixture, premises:
            ensuring_again_changes_nothing, what_was_taken_away_is_put_back, removal_leaves_nothing_and_others_alone,
            a_name_that_is_taken_is_left_alone, what_a_release_needs_can_be_asked_for_again);
    };
}

fn project(name: &str) -> ProjectName {
    ProjectName::parse(name).expect("a name")
}

/// A second time there is nothing to do, also for another view.
pub async fn ensuring_again_changes_nothing(fixture: &dyn PremisesFixture) {
    let shop = project("suite-shop");
    let first = fixture
        .premises()
        .ensure(&shop)
        .await
        .expect("nothing in its way");
    assert!(!first.is_empty());
    assert!(fixture.is_there(&shop).await);
    let second = fixture
        .premises()
        .ensure(&shop)
        .await
        .expect("nothing in its way");
    assert_eq!(second, [""; 0]);
    fixture
        .premises()
        .remove(&shop)
        .await
        .expect("nothing in its way");
}

/// Drift is mended, and told.
pub async fn what_was_taken_away_is_put_back(fixture: &dyn PremisesFixture) {
    let shop = project("suite-shop");
    fixture
        .premises()
        .ensure(&shop)
        .await
        .expect("nothing in its way");
    fixture.disturb(&shop).await;
    let mended = fixture
        .premises()
        .ensure(&shop)
        .await
        .expect("nothing in its way");
    assert!(!mended.is_empty());
    let again = fixture
        .premises()
        .ensure(&shop)
        .await
        .expect("nothing in its way");
    assert_eq!(again, [""; 0]);
    fixture
        .premises()
        .remove(&shop)
        .await
        .expect("nothing in its way");
}

/// Removal is complete, may be asked for twice and of what never was, and touches no name that begins alike.
pub async fn removal_leaves_nothing_and_others_alone(fixture: &dyn PremisesFixture) {
    let (shop, other) = (project("suite-shop"), project("suite-shop2"));
    for name in [&shop, &other] {
        fixture.premises().ensure(name).await.expect("nothing in its way");
    }
    for _ in 0..2 {
        fixture
            .premises()
            .remove(&shop)
            .await
            .expect("nothing in its way");
        assert!(!fixture.is_there(&shop).await);
    }
    assert!(fixture.is_there(&other).await);
    let untouched = fixture
        .premises()
        .ensure(&other)
        .await
        .expect("nothing in its way");
    assert_eq!(untouched, [""; 0]);
    fixture
        .premises()
        .remove(&other)
        .await
        .expect("nothing in its way");
    let never = project("suite-never");
    fixture
        .premises()
        .remove(&never)
        .await
        .expect("nothing in its way");
}

/// What HostKit did not make, it neither takes over nor removes.
pub async fn a_name_that_is_taken_is_left_alone(fixture: &dyn PremisesFixture) {
    let taken = fixture.taken().await;
    let refused = fixture.premises().ensure(&taken).await;
    assert_eq!(refused.expect_err("it is taken").kind, Kind::Conflict);
}

/// Environments, releases and what is live: each act may be repeated, and removal takes all of it.
pub async fn what_a_release_needs_can_be_asked_for_again(fixture: &dyn PremisesFixture) {
    const WORKS: &str = "nothing in its way";
    let (premises, shop) = (fixture.premises(), project("suite-shop"));
    let release = ReleaseName::parse("20250215-120000").expect("a name");
    premises.ensure(&shop).await.expect(WORKS);
    for environment in ["production", "staging"] {
        let environment = EnvironmentName::parse(environment).expect("a name");
        let id = EnvironmentId::new(shop.clone(), environment);
        let site = || Audience::FrontDoor(RelativePath::root());
        for audience in [Audience::Project, site(), site()] {
            premises.ensure_environment(&id).await.expect(WORKS);
            premises
                .settle_release(&id, &release, audience)
                .await
                .expect(WORKS);
        }
        for text in ["A=1\n", "A=2\n", "A=2\n"] {
            let variables = Secret::new(text);
            let live = Some((&release, &variables));
            premises.show_live(&id, live).await.expect(WORKS);
        }
        for _ in 0..2 {
            premises.show_live(&id, None).await.expect(WORKS);
        }
    }
    premises.remove(&shop).await.expect(WORKS);
    assert!(!fixture.is_there(&shop).await);
}
