//! What needs no systemd: unit files in a folder, and a bus that is not there.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};

use hostkit_core::kind::Kind;

use super::*;
use crate::systemd::unit_file::{Section, UnitFile};
use crate::systemd::{UnitFiles, UnitName, Units};

struct Machine {
    folder: tempfile::TempDir,
    bus: Bus,
}

/// A folder for unit files, and nobody at the address of the bus.
fn machine() -> Machine {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("unix:path={}", folder.path().join("no-bus").display());
    Machine {
        bus: Bus {
            link: Arc::new(Link::new(Some(address))),
            folder: folder.path().to_owned(),
        },
        folder,
    }
}

fn name(part: &str) -> UnitName {
    UnitName::service(part).unwrap()
}

fn file(folder: &str) -> UnitFile {
    UnitFile::new()
        .section(Section::Service)
        .text("WorkingDirectory", folder)
}

#[tokio::test]
async fn a_file_has_its_mode_and_replaces_what_was_there() {
    let machine = machine();
    let path = machine.folder.path().join("hostkit-shop.service");
    assert!(
        machine
            .bus
            .ensure_file(&name("shop"), &file("/srv"))
            .await
            .unwrap()
    );
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
    assert!(
        !machine
            .bus
            .ensure_file(&name("shop"), &file("/srv"))
            .await
            .unwrap()
    );
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(
        machine
            .bus
            .ensure_file(&name("shop"), &file("/srv"))
            .await
            .unwrap()
    );
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o644);
    // A link is replaced, and what it leads to is left alone.
    let elsewhere = machine.folder.path().join("elsewhere");
    fs::rename(&path, &elsewhere).unwrap();
    symlink(&elsewhere, &path).unwrap();
    assert!(
        machine
            .bus
            .ensure_file(&name("shop"), &file("/srv/b"))
            .await
            .unwrap()
    );
    assert!(fs::symlink_metadata(&path).unwrap().is_file());
    assert!(!fs::read_to_string(&elsewhere).unwrap().contains("/srv/b"));
    let names = fs::read_dir(machine.folder.path()).unwrap().count();
    assert_eq!(names, 2, "nothing else is left in the folder");
}

#[tokio::test]
async fn a_foreign_link_is_no_alias_and_is_not_followed() {
    let machine = machine();
    let link = machine.folder.path().join("hostkit-shop.service");
    for target in ["/etc/passwd", "../ssh.service", "/dev/null"] {
        symlink(target, &link).unwrap();
        assert_eq!(machine.bus.alias_target(&name("shop")).await.unwrap(), None);
        assert!(
            machine
                .bus
                .point_alias(&name("shop"), &name("live"))
                .await
                .unwrap()
        );
        let found = fs::read_link(&link).unwrap();
        assert_eq!(found.to_str(), Some("hostkit-live.service"));
        assert!(machine.bus.remove_alias(&name("shop")).await.unwrap());
    }
}

#[tokio::test]
async fn a_folder_that_is_not_there_has_no_files_and_takes_none() {
    let mut machine = machine();
    machine.bus.folder = machine.folder.path().join("missing");
    assert!(machine.bus.files("hostkit-").unwrap().is_empty());
    assert!(!machine.bus.remove_file(&name("shop")).await.unwrap());
    let failure = machine
        .bus
        .ensure_file(&name("shop"), &file("/srv"))
        .await
        .unwrap_err();
    assert_eq!(failure.kind, Kind::Internal);
    assert!(failure.message.starts_with("cannot write `"), "{failure}");
}

#[tokio::test]
async fn strange_names_in_the_folder_are_passed_over() {
    let machine = machine();
    for name in [
        "hostkit-a b.service",
        "ssh.service",
        "hostkit-a@1.service",
        "hostkit-b.mount",
    ] {
        fs::write(machine.folder.path().join(name), "").unwrap();
    }
    fs::create_dir(machine.folder.path().join("hostkit-c.service")).unwrap();
    fs::write(machine.folder.path().join("hostkit-d.service"), "").unwrap();
    let found = machine.bus.files("hostkit-").unwrap();
    assert_eq!(found.into_iter().collect::<Vec<_>>(), [name("d")]);
}

#[tokio::test]
async fn without_a_bus_every_call_says_so() {
    let machine = machine();
    for failure in [
        machine.bus.start(&name("shop")).await.unwrap_err(),
        machine.bus.status(&name("shop")).await.unwrap_err(),
        machine.bus.list("hostkit-").await.unwrap_err(),
        machine.bus.reload().await.unwrap_err(),
        machine.bus.enable(&name("shop")).await.unwrap_err(),
        machine.bus.changes("hostkit-").await.err().unwrap(),
    ] {
        assert_eq!(failure.kind, Kind::Unavailable, "{failure}");
        assert!(failure.message.contains("systemd cannot be reached"), "{failure}");
        assert!(failure.hint.is_some());
    }
}
