//! Homes on the disk, with whoever runs the tests in the place of root and of the project.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::kind::Kind;
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::project::EnvironmentId;
use hostkit_host::accounts::Account;
use hostkit_host::homes::{DiskHomes, Homes, Owners};
use hostkit_testkit::conformance::homes::HomesFixture;
use hostkit_testkit::homes_tests;
use nix::unistd::{getegid, geteuid};

struct Fixture {
    root: tempfile::TempDir,
}

impl Fixture {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("home")).unwrap();
        fs::create_dir(root.path().join("log")).unwrap();
        Fixture { root }
    }

    fn home(&self) -> PathBuf {
        self.root.path().join("home/shop")
    }

    fn disk(&self) -> DiskHomes {
        let root = self.root.path();
        DiskHomes::below(
            root.join("home"),
            root.join("log/projects"),
            self.owners().project,
        )
    }
}

#[async_trait]
impl HomesFixture for Fixture {
    fn homes(&self) -> Arc<dyn Homes> {
        Arc::new(self.disk())
    }

    fn owners(&self) -> Owners {
        Owners {
            project: Account {
                uid: geteuid().as_raw(),
                gid: getegid().as_raw(),
            },
            front_door: 54_321,
            log_readers: getegid().as_raw(),
        }
    }

    async fn disturb(&self, project: &ProjectName) {
        let path = self
            .root
            .path()
            .join("home")
            .join(project.as_str())
            .join("shared");
        fs::set_permissions(path, Permissions::from_mode(0o744)).unwrap();
    }

    async fn live(&self, id: &EnvironmentId) -> Option<String> {
        let folder = match id.environment.is_production() {
            true => self.home(),
            false => self.home().join("environments").join(id.environment.as_str()),
        };
        let target = fs::read_link(folder.join("app")).ok()?;
        Some(target.to_string_lossy().into_owned())
    }
}

homes_tests!([cfg(test)], Fixture::new());

fn shop() -> ProjectName {
    ProjectName::parse("shop").unwrap()
}

#[tokio::test]
async fn every_place_has_the_mode_of_the_decision() {
    let fixture = Fixture::new();
    let (homes, owners) = (fixture.disk(), fixture.owners());
    let _ = homes.ensure(&shop(), &owners).await.unwrap();
    let staging = EnvironmentId::new(shop(), EnvironmentName::parse("staging").unwrap());
    let _ = homes.ensure_environment(&staging, &owners).await.unwrap();
    let expected = [
        ("home/shop", 0o750),
        ("home/shop/releases", 0o750),
        ("home/shop/shared", 0o700),
        ("home/shop/.cache", 0o700),
        ("home/shop/.ssh", 0o750),
        ("home/shop/build", 0o750),
        ("home/shop/environments", 0o750),
        ("home/shop/environments/staging", 0o750),
        ("home/shop/environments/staging/releases", 0o750),
        ("home/shop/environments/staging/shared", 0o700),
        ("log/projects", 0o755),
        ("log/projects/shop", 0o2750),
        ("log/projects/shop/environments/staging", 0o2750),
    ];
    for (path, mode) in expected {
        let found = fs::symlink_metadata(fixture.root.path().join(path))
            .unwrap()
            .mode()
            & 0o7777;
        assert_eq!(found, mode, "{path} has {found:o}");
    }
}

#[tokio::test]
async fn links_and_files_in_the_place_of_folders_are_told_and_not_followed() {
    for name in ["releases", "shared", ".ssh", "environments"] {
        let fixture = Fixture::new();
        let (homes, owners) = (fixture.disk(), fixture.owners());
        let outside = fixture.root.path().join("outside");
        fs::create_dir(&outside).unwrap();
        fs::set_permissions(&outside, Permissions::from_mode(0o711)).unwrap();
        let _ = homes.ensure(&shop(), &owners).await.unwrap();
        let path = fixture.home().join(name);
        fs::remove_dir_all(&path).unwrap();
        symlink(&outside, &path).unwrap();
        let failure = homes.ensure(&shop(), &owners).await.unwrap_err();
        assert_eq!(failure.kind, Kind::Conflict, "{failure}");
        let found = homes.observe(&shop(), &owners).await.unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].path, path);
        fs::remove_file(&path).unwrap();
        fs::write(&path, "").unwrap();
        assert_eq!(
            homes.ensure(&shop(), &owners).await.unwrap_err().kind,
            Kind::Conflict
        );
        assert_eq!(homes.observe(&shop(), &owners).await.unwrap().len(), 1);
        let _ = homes.remove(&shop()).await.unwrap();
        assert_eq!(fs::symlink_metadata(&outside).unwrap().mode() & 0o7777, 0o711);
        assert_eq!(fs::read_dir(&outside).unwrap().count(), 0);
    }
}

#[tokio::test]
async fn a_home_that_is_a_link_is_removed_without_its_target() {
    let fixture = Fixture::new();
    let outside = fixture.root.path().join("outside");
    fs::create_dir(&outside).unwrap();
    fs::write(outside.join("kept"), "").unwrap();
    symlink(&outside, fixture.home()).unwrap();
    let failure = fixture
        .disk()
        .ensure(&shop(), &fixture.owners())
        .await
        .unwrap_err();
    assert_eq!(failure.kind, Kind::Conflict);
    let _ = fixture.disk().remove(&shop()).await.unwrap();
    assert!(outside.join("kept").exists());
    assert!(fs::symlink_metadata(fixture.home()).is_err());
}
