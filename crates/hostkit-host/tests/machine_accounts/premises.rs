//! Premises: the suite on a real machine, with all that a project has there.

use std::fs::{self, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::kind::Kind;
use hostkit_core::names::{EnvironmentName, ProjectName, ReleaseName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{Audience, Premises};
use hostkit_host::premises::LinuxPremises;
use hostkit_testkit::conformance::premises::PremisesFixture;
use hostkit_testkit::premises_tests;

struct Fixture;

const USED: [&str; 3] = ["suite-shop", "suite-shop2", "suite-taken"];

#[async_trait]
impl PremisesFixture for Fixture {
    fn premises(&self) -> Arc<dyn Premises> {
        Arc::new(LinuxPremises::of_this_machine().unwrap())
    }

    async fn disturb(&self, project: &ProjectName) {
        fs::remove_file(format!("/etc/sudoers.d/hostkit-{project}")).unwrap();
        fs::remove_dir(format!("/home/{project}/shared")).unwrap();
    }

    async fn taken(&self) -> ProjectName {
        let ended = Command::new("useradd").args(["--", "suite-taken"]).status();
        assert!(ended.unwrap().success());
        ProjectName::parse("suite-taken").unwrap()
    }

    async fn is_there(&self, project: &ProjectName) -> bool {
        let known = Command::new("getent")
            .args(["passwd", project.as_str()])
            .status()
            .unwrap()
            .success();
        let rule = format!("/etc/sudoers.d/hostkit-{project}");
        let (home, logs) = (format!("/home/{project}"), format!("/var/log/projects/{project}"));
        known || [rule, home, logs].iter().any(|place| Path::new(place).exists())
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        for name in USED.iter().chain(&["hostkit-proxy"]) {
            let _ = Command::new("userdel").args(["--", name]).output();
        }
        for name in USED {
            let _ = fs::remove_file(format!("/etc/sudoers.d/hostkit-{name}"));
            for place in ["/home", "/var/log/projects"] {
                let _ = fs::remove_dir_all(Path::new(place).join(name));
            }
        }
    }
}

premises_tests!([ignore = "lane host: runs on a machine of its own"], Fixture);

/// Root acts in a project's folders as the project: a link put in its way leads nowhere the project could not go.
#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn acts_on_a_projects_files_have_its_rights_and_no_others() {
    let premises = Fixture.premises();
    let shop = ProjectName::parse("suite-shop").unwrap();
    premises.ensure(&shop).await.unwrap();
    let files = premises.files(&shop).await.unwrap();
    // As root has it after a login.
    let groups = nix::unistd::getgroups().unwrap();
    let of_root = [nix::unistd::Gid::from_raw(0)];
    nix::unistd::setgroups(&of_root).unwrap();
    let shared = Path::new("/home/suite-shop/shared");
    let owner = fs::metadata(shared).unwrap().uid();
    files.create_folder(&shared.join("a/b")).unwrap();
    files.write_private(&shared.join("a/file"), b"x").unwrap();
    for made in ["a", "a/b", "a/file"] {
        assert_eq!(fs::metadata(shared.join(made)).unwrap().uid(), owner, "{made}");
    }

    let outside = tempfile::Builder::new().tempdir_in("/root").unwrap();
    let secret = outside.path().join("secret");
    fs::write(&secret, "s").unwrap();
    symlink(outside.path(), shared.join("out")).unwrap();
    // Readable for the group of root, in a folder for all: no group of root's is left either.
    let for_group = tempfile::tempdir().unwrap();
    fs::set_permissions(for_group.path(), Permissions::from_mode(0o755)).unwrap();
    fs::write(for_group.path().join("file"), "g").unwrap();
    fs::set_permissions(for_group.path().join("file"), Permissions::from_mode(0o640)).unwrap();
    let denied = [
        files.read_at(&shared.join("out/secret"), 0, 9).map(drop),
        files.read_at(&for_group.path().join("file"), 0, 9).map(drop),
        files.create_folder(&shared.join("out/made")),
        files.write_private(&shared.join("out/made"), b"x"),
        files.rename(&shared.join("a"), &shared.join("out/made")),
        files.point_link(&shared.join("out/made"), shared),
        files.clone_tree(&shared.join("out"), &shared.join("copy")),
        files.remove(&shared.join("out/secret")),
    ];
    for (number, act) in denied.into_iter().enumerate() {
        assert_eq!(
            act.unwrap_err().kind(),
            ErrorKind::PermissionDenied,
            "act {number}"
        );
    }
    // And this thread has its own rights again.
    assert_eq!(fs::read(&secret).unwrap(), b"s");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
    assert_eq!(nix::unistd::getgroups().unwrap(), of_root);
    nix::unistd::setgroups(&groups).unwrap();

    // A release that was exchanged for a link is none.
    let release = ReleaseName::parse("20250215-120000").unwrap();
    symlink(outside.path(), format!("/home/suite-shop/releases/{release}")).unwrap();
    let production = EnvironmentId::new(shop.clone(), EnvironmentName::production());
    let settled = premises.settle_release(&production, &release, Audience::Project);
    assert_eq!(settled.await.unwrap_err().kind, Kind::Conflict);
    assert_eq!(fs::metadata(outside.path()).unwrap().uid(), 0);
    premises.remove(&shop).await.unwrap();
    assert_eq!(fs::read(&secret).unwrap(), b"s");
}
