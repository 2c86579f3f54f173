//! The suite of [`Archives`].

use std::sync::Arc;

use hostkit_core::names::ProjectName;
use hostkit_core::traits::Archives;
use jiff::{SignedDuration, Timestamp};

/// What the tests bring: a machine where `shop` has a home, and no archive of it.
pub trait ArchivesFixture: Send + Sync {
    /// A new view of one and the same machine at every call.
    fn archives(&self) -> Arc<dyn Archives>;
}

/// Tests of archives.
#[macro_export]
macro_rules! archives_tests {
    ($attribute:tt, $fixture:expr) => {
        $crate::suite_tests!($attribute, $fixture, archives:
            an_archive_is_made_once_for_a_deletion, another_project_of_the_name_has_an_archive_of_its_own);
    };
}

const WORKS: &str = "nothing stands in its way";

fn shop() -> ProjectName {
    ProjectName::parse("shop").expect("the name is right")
}

/// Asked for again, also by another view, the same one is answered.
pub async fn an_archive_is_made_once_for_a_deletion(fixture: &dyn ArchivesFixture) {
    let created = Timestamp::now() - SignedDuration::from_hours(1);
    fixture.archives().check(&shop()).await.expect(WORKS);
    let first = fixture.archives().keep(&shop(), created).await.expect(WORKS);
    assert!(first.as_ref().is_some_and(|archive| archive.bytes > 0));
    let again = fixture.archives().keep(&shop(), created).await.expect(WORKS);
    assert_eq!(again, first);
}

/// What was archived before a project was created is none of it.
pub async fn another_project_of_the_name_has_an_archive_of_its_own(fixture: &dyn ArchivesFixture) {
    let created = Timestamp::now() - SignedDuration::from_hours(1);
    let old = fixture.archives().keep(&shop(), created).await.expect(WORKS);
    // Times in names are whole seconds.
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    let new = fixture.archives().keep(&shop(), Timestamp::now()).await;
    match new {
        Ok(new) => assert_ne!(new, old),
        Err(failure) => panic!("{failure}"),
    }
}
