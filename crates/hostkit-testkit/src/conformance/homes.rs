//! The suite of [`Homes`].

use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::kind::Kind;
use hostkit_core::names::{EnvironmentName, ProjectName, RelativePath, ReleaseName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_host::change::Change;
use hostkit_host::homes::{Audience, Homes, Owners};

/// What the tests of homes bring. At first there is none; its drop leaves none.
#[async_trait]
pub trait HomesFixture: Send + Sync {
    /// A new view of one and the same machine at every call.
    fn homes(&self) -> Arc<dyn Homes>;

    /// To whom the places belong.
    fn owners(&self) -> Owners;

    /// Gives everybody the right to read `shared` of a project.
    async fn disturb(&self, project: &ProjectName);

    /// Where the link `app` of an environment leads.
    async fn live(&self, id: &EnvironmentId) -> Option<String>;
}

/// Tests of homes.
#[macro_export]
macro_rules! homes_tests {
    ($attribute:tt, $fixture:expr) => {
        $crate::suite_tests!($attribute, $fixture, homes:
            a_home_is_made_once, drift_is_named_and_mended, environments_are_made_and_removed_apart,
            releases_are_made_published_and_pointed_at, variables_are_replaced_where_they_differ,
            a_removed_home_is_gone_and_others_stay);
    };
}

const WORKS: &str = "nothing stands in its way";

fn name(text: &str) -> ProjectName {
    ProjectName::parse(text).expect("the name is right")
}

fn environment(text: &str) -> EnvironmentId {
    let environment = EnvironmentName::parse(text).expect("the name is right");
    EnvironmentId::new(name("shop"), environment)
}

fn release(text: &str) -> ReleaseName {
    ReleaseName::parse(text).expect("the name is right")
}

/// All places are missing, then made, then as they should be.
pub async fn a_home_is_made_once(fixture: &dyn HomesFixture) {
    let (shop, owners) = (name("shop"), fixture.owners());
    assert!(
        !fixture
            .homes()
            .observe(&shop, &owners)
            .await
            .expect(WORKS)
            .is_empty()
    );
    for expected in [Change::Made, Change::Unneeded] {
        assert_eq!(
            fixture.homes().ensure(&shop, &owners).await.expect(WORKS),
            expected
        );
    }
    assert_eq!(fixture.homes().observe(&shop, &owners).await.expect(WORKS), []);
}

/// Rights that were changed are told by path, and put right.
pub async fn drift_is_named_and_mended(fixture: &dyn HomesFixture) {
    let (shop, owners, homes) = (name("shop"), fixture.owners(), fixture.homes());
    let _ = homes.ensure(&shop, &owners).await.expect(WORKS);
    fixture.disturb(&shop).await;
    let found = homes.observe(&shop, &owners).await.expect(WORKS);
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].path.ends_with("shop/shared"), "{found:?}");
    assert_eq!(homes.ensure(&shop, &owners).await.expect(WORKS), Change::Made);
    assert_eq!(homes.observe(&shop, &owners).await.expect(WORKS), []);
}

/// An environment comes and goes without the others.
pub async fn environments_are_made_and_removed_apart(fixture: &dyn HomesFixture) {
    let (owners, homes) = (fixture.owners(), fixture.homes());
    let (staging, preview) = (environment("staging"), environment("preview-1"));
    let failure = homes
        .ensure_environment(&staging, &owners)
        .await
        .expect_err("there is no home");
    assert_eq!(failure.kind, Kind::NotFound);
    let _ = homes.ensure(&name("shop"), &owners).await.expect(WORKS);
    for id in [&staging, &preview] {
        for expected in [Change::Made, Change::Unneeded] {
            assert_eq!(
                homes.ensure_environment(id, &owners).await.expect(WORKS),
                expected
            );
        }
    }
    for expected in [Change::Made, Change::Unneeded] {
        assert_eq!(homes.remove_environment(&staging).await.expect(WORKS), expected);
    }
    let made = homes.ensure_environment(&preview, &owners).await.expect(WORKS);
    assert_eq!(made, Change::Unneeded);
    assert_eq!(homes.observe(&name("shop"), &owners).await.expect(WORKS), []);
    let production = environment("production");
    assert_eq!(
        homes.remove_environment(&production).await.expect(WORKS),
        Change::Made
    );
    let made = homes.ensure_environment(&production, &owners).await.expect(WORKS);
    assert_eq!(made, Change::Made);
}

/// A release has a folder, may be published, and becomes the live one.
pub async fn releases_are_made_published_and_pointed_at(fixture: &dyn HomesFixture) {
    let (owners, homes) = (fixture.owners(), fixture.homes());
    let _ = homes.ensure(&name("shop"), &owners).await.expect(WORKS);
    let staging = environment("staging");
    let _ = homes.ensure_environment(&staging, &owners).await.expect(WORKS);
    for id in [&environment("production"), &staging] {
        for text in ["20250215-120000", "20250215-120000-2"] {
            for audience in [Audience::Project, Audience::FrontDoor(RelativePath::root())] {
                for expected in [Change::Made, Change::Unneeded] {
                    let made = homes
                        .ensure_release(id, &release(text), audience.clone(), &owners)
                        .await
                        .expect(WORKS);
                    assert_eq!(made, expected, "{id} {text} {audience:?}");
                }
            }
            for expected in [Change::Made, Change::Unneeded] {
                let made = homes.point_release(id, &release(text)).await.expect(WORKS);
                assert_eq!(made, expected);
            }
            assert_eq!(fixture.live(id).await, Some(format!("releases/{text}")));
        }
        for expected in [Change::Made, Change::Unneeded] {
            assert_eq!(homes.hide_live(id).await.expect(WORKS), expected);
            assert_eq!(fixture.live(id).await, None);
        }
    }
}

/// The file of variables is written where it says something else.
pub async fn variables_are_replaced_where_they_differ(fixture: &dyn HomesFixture) {
    let (owners, homes) = (fixture.owners(), fixture.homes());
    let _ = homes.ensure(&name("shop"), &owners).await.expect(WORKS);
    for text in ["A=1\n", "A=2\n", "B=2\n", ""] {
        for expected in [Change::Made, Change::Unneeded] {
            let written = homes
                .write_variables(&environment("production"), &Secret::new(text), &owners)
                .await
                .expect(WORKS);
            assert_eq!(written, expected, "{text:?}");
        }
    }
}

/// Removal takes everything of one project and nothing of one whose name begins alike.
pub async fn a_removed_home_is_gone_and_others_stay(fixture: &dyn HomesFixture) {
    let (owners, homes) = (fixture.owners(), fixture.homes());
    for project in ["shop", "shop-2"] {
        let _ = homes.ensure(&name(project), &owners).await.expect(WORKS);
    }
    let _ = homes
        .ensure_environment(&environment("staging"), &owners)
        .await
        .expect(WORKS);
    for expected in [Change::Made, Change::Unneeded] {
        assert_eq!(homes.remove(&name("shop")).await.expect(WORKS), expected);
    }
    assert!(
        !homes
            .observe(&name("shop"), &owners)
            .await
            .expect(WORKS)
            .is_empty()
    );
    assert_eq!(homes.observe(&name("shop-2"), &owners).await.expect(WORKS), []);
    let failure = homes
        .point_release(&environment("production"), &release("20250215-120000"))
        .await
        .expect_err("there is no home");
    assert_eq!(failure.kind, Kind::NotFound);
}
