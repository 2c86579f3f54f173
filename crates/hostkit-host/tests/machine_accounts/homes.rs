//! Homes as root with real accounts: what the kernel lets each of them do.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};
use std::path::Path;
use std::process::Command;

use hostkit_core::names::{EnvironmentName, ProjectName, RelativePath, ReleaseName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_host::accounts::{Accounts, LinuxAccounts};
use hostkit_host::homes::{Audience, DiskHomes, Homes, Owners};
use nix::unistd::{Gid, Group, Uid, setfsgid, setfsuid};

/// Two projects with their homes.
struct Fixture {
    owners: Owners,
    other: Owners,
}

fn name(text: &str) -> ProjectName {
    ProjectName::parse(text).unwrap()
}

fn production() -> EnvironmentId {
    EnvironmentId::new(name("shop"), EnvironmentName::production())
}

fn release() -> ReleaseName {
    ReleaseName::parse("20250215-120000").unwrap()
}

impl Fixture {
    async fn new() -> Self {
        let front_door = LinuxAccounts.ensure_front_door().await.unwrap().0.uid;
        let log_readers = Group::from_name("adm").unwrap().unwrap().gid.as_raw();
        let mut made = Vec::new();
        for project in ["shop", "blog"] {
            let (project_account, _) = LinuxAccounts.ensure(&name(project)).await.unwrap();
            let owners = Owners {
                project: project_account,
                front_door,
                log_readers,
            };
            let _ = DiskHomes::default()
                .ensure(&name(project), &owners)
                .await
                .unwrap();
            made.push(owners);
        }
        Fixture {
            owners: made[0],
            other: made[1],
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        for project in ["shop", "blog"] {
            let _ = Command::new("userdel").args(["--", project]).output();
            for place in ["/home", "/var/log/projects"] {
                let _ = fs::remove_dir_all(Path::new(place).join(project));
            }
        }
        let _ = Command::new("userdel").args(["--", "hostkit-proxy"]).output();
    }
}

/// Does something with files as an account with one group and no further rights.
fn as_account<T: Send + 'static>(uid: u32, gid: u32, act: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(move || {
        nix::unistd::setgroups(&[]).ok();
        setfsgid(Gid::from_raw(gid));
        setfsuid(Uid::from_raw(uid));
        act()
    });
    thread.join().unwrap()
}

fn can_read(uid: u32, gid: u32, path: &str) -> bool {
    let path = path.to_owned();
    as_account(uid, gid, move || fs::read(path).is_ok())
}

fn can_write(uid: u32, gid: u32, path: &str) -> bool {
    let path = path.to_owned();
    as_account(uid, gid, move || fs::write(path, "x").is_ok())
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn a_project_writes_to_its_own_places_and_to_no_other() {
    let fixture = Fixture::new().await;
    let homes = DiskHomes::default();
    let _ = homes
        .ensure_release(&production(), &release(), Audience::Project, &fixture.owners)
        .await
        .unwrap();
    let _ = homes
        .write_variables(&production(), &Secret::new("A=1\n"), &fixture.owners)
        .await
        .unwrap();
    let (own, other) = (fixture.owners.project, fixture.other.project);
    let its = [
        "/home/shop/shared/x",
        "/home/shop/.cache/x",
        "/home/shop/releases/20250215-120000/x",
        "/var/log/projects/shop/x",
    ];
    for path in its {
        assert!(can_write(own.uid, own.gid, path), "{path}");
        assert!(can_read(own.uid, own.gid, path), "{path}");
        assert!(!can_write(other.uid, other.gid, path), "{path}");
        assert!(!can_read(other.uid, other.gid, path), "{path}");
    }
    assert!(can_read(own.uid, own.gid, "/home/shop/.env"));
    assert!(!can_read(other.uid, other.gid, "/home/shop/.env"));
    for path in [
        "/home/shop/x",
        "/home/shop/releases/x",
        "/home/shop/.ssh/authorized_keys",
        "/home/shop/environments/x",
        "/home/shop/build/x",
        "/var/log/projects/x",
        "/home/x",
    ] {
        assert!(!can_write(own.uid, own.gid, path), "{path}");
    }
    // A log is for those who may read logs, whoever of the project made it.
    let log = fs::symlink_metadata("/var/log/projects/shop/x").unwrap();
    assert_eq!(log.gid(), fixture.owners.log_readers);
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn the_front_door_reads_a_published_site_and_nothing_else() {
    let fixture = Fixture::new().await;
    let homes = DiskHomes::default();
    let (own, front_door) = (fixture.owners.project, fixture.owners.front_door);
    let (id, release) = (production(), release());
    let make = |audience| homes.ensure_release(&id, &release, audience, &fixture.owners);
    let _ = make(Audience::Project).await.unwrap();
    as_account(own.uid, own.gid, || {
        let folder = Path::new("/home/shop/releases/20250215-120000");
        fs::create_dir(folder.join("css")).unwrap();
        fs::write(folder.join("css/a.css"), "a").unwrap();
        fs::set_permissions(folder.join("css"), Permissions::from_mode(0o700)).unwrap();
        fs::create_dir_all(folder.join("web/dist")).unwrap();
        for file in ["web/dist/page", "web/source"] {
            fs::write(folder.join(file), "p").unwrap();
            fs::set_permissions(folder.join(file), Permissions::from_mode(0o600)).unwrap();
        }
        // Traps: links to what only root reads.
        symlink("/etc/shadow", folder.join("shadow")).unwrap();
        symlink("/etc", folder.join("etc")).unwrap();
    });
    // A second name of a foreign file, as a machine without that protection of the kernel allows.
    fs::write("/home/secret", "s").unwrap();
    fs::hard_link("/home/secret", "/home/shop/releases/20250215-120000/secret").unwrap();
    chown("/home/secret", Some(fixture.other.project.uid), None).unwrap();
    fs::set_permissions("/home/secret", Permissions::from_mode(0o600)).unwrap();
    let file = "/home/shop/releases/20250215-120000/css/a.css";
    assert!(!can_read(front_door, front_door, file), "not published yet");
    let of_site = |site: &str| Audience::FrontDoor(RelativePath::parse(site).unwrap());
    let _ = make(of_site("web/dist")).await.unwrap();
    let release_folder = "/home/shop/releases/20250215-120000";
    assert!(can_read(
        front_door,
        front_door,
        &format!("{release_folder}/web/dist/page")
    ));
    assert!(!can_read(
        front_door,
        front_door,
        &format!("{release_folder}/web/source")
    ));
    assert!(
        !can_read(front_door, front_door, file),
        "it is not part of the site"
    );
    let _ = make(Audience::FrontDoor(RelativePath::root())).await.unwrap();
    assert!(can_read(front_door, front_door, file));
    assert!(!can_write(front_door, front_door, file));
    for path in [
        "/home/shop/releases/20250215-120000/shadow",
        "/home/shop/releases/20250215-120000/secret",
        "/home/secret",
        "/etc/shadow",
    ] {
        assert!(!can_read(front_door, front_door, path), "{path}");
    }
    let names = as_account(front_door, front_door, || {
        fs::read_dir("/home/shop/shared").is_ok()
    });
    assert!(!names);
    assert!(!as_account(front_door, front_door, || fs::read_dir("/home/shop").is_ok()));
    let listed = Command::new("getfacl")
        .args(["--omit-header", "--numeric", "/home/shop"])
        .output()
        .unwrap();
    let listed = String::from_utf8_lossy(&listed.stdout).replace('\n', " ");
    assert_eq!(
        listed.trim(),
        format!("user::rwx user:{front_door}:--x group::r-x mask::r-x other::---")
    );
    fs::remove_file("/home/secret").unwrap();
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn a_home_with_a_foreign_file_system_in_it_is_removed_around_it() {
    let _fixture = Fixture::new().await;
    fs::create_dir_all("/home/shop/shared/data").unwrap();
    fs::create_dir_all("/home/shop/shared/of-root").unwrap();
    let mounted = Command::new("mount")
        .args(["-t", "tmpfs", "tmpfs", "/home/shop/shared/data"])
        .status();
    assert!(mounted.unwrap().success());
    fs::write("/home/shop/shared/data/kept", "").unwrap();
    // The same file system, seen from another place.
    fs::create_dir_all("/srv/kept").unwrap();
    fs::write("/srv/kept/kept", "").unwrap();
    let bound = Command::new("mount")
        .args(["--bind", "/srv/kept", "/home/shop/shared/of-root"])
        .status();
    assert!(bound.unwrap().success());
    let homes = DiskHomes::default();
    let failure = homes.remove(&name("shop")).await.unwrap_err();
    assert!(failure.message.contains("another file system"), "{failure}");
    assert!(
        failure
            .hint
            .as_ref()
            .unwrap()
            .starts_with("umount /home/shop/shared/"),
        "{failure:?}"
    );
    assert!(Path::new("/home/shop/shared/data/kept").exists());
    assert!(Path::new("/srv/kept/kept").exists());
    assert!(
        !Path::new("/home/shop/releases").exists(),
        "everything else is gone"
    );
    for place in ["data", "of-root"] {
        let path = format!("/home/shop/shared/{place}");
        assert!(Command::new("umount").arg(path).status().unwrap().success());
    }
    let _ = homes.remove(&name("shop")).await.unwrap();
    assert!(!Path::new("/home/shop").exists());
    assert!(Path::new("/srv/kept/kept").exists());
    fs::remove_dir_all("/srv/kept").unwrap();
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn a_home_of_a_third_account_is_not_taken() {
    let fixture = Fixture::new().await;
    let homes = DiskHomes::default();
    let _ = homes.remove(&name("shop")).await.unwrap();
    fs::create_dir("/home/shop").unwrap();
    chown("/home/shop", Some(fixture.other.project.uid), None).unwrap();
    let failure = homes.ensure(&name("shop"), &fixture.owners).await.unwrap_err();
    assert_eq!(failure.kind, hostkit_core::kind::Kind::Conflict);
    // One that the project got in some way is root's again.
    chown("/home/shop", Some(fixture.owners.project.uid), None).unwrap();
    assert!(
        homes
            .ensure(&name("shop"), &fixture.owners)
            .await
            .unwrap()
            .is_made()
    );
    assert_eq!(homes.observe(&name("shop"), &fixture.owners).await.unwrap(), []);
}
