use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::Path;

use hostkit_core::kind::Kind;
use nix::unistd::{getegid, geteuid};

use super::*;
use crate::accounts::Account;
use crate::system_program::SystemProgram;

fn folder(path: &Path, check: &'static str) -> SudoersFolder {
    let root = Account {
        uid: geteuid().as_raw(),
        gid: getegid().as_raw(),
    };
    SudoersFolder::below(path, root, SystemProgram::new(check, "sudo"))
}

fn shop() -> ProjectName {
    ProjectName::parse("shop").unwrap()
}

#[test]
fn the_rule_names_one_program_and_nobody_but_the_account() {
    let text = rule(&shop());
    let acts: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(
        acts,
        [
            "Defaults:shop env_reset, !setenv, runas_default=shop",
            "shop ALL=(shop) NOPASSWD: /usr/bin/hostkit"
        ]
    );
    assert!(!text.contains(['*', '?', '[', '\\']));
}

#[tokio::test]
async fn a_rule_is_put_in_place_with_its_mode() {
    let kept = tempfile::tempdir().unwrap();
    let rules = folder(kept.path(), "true");
    assert_eq!(rules.observe(&shop()).await.unwrap(), Rule::Missing);
    assert_eq!(rules.ensure(&shop()).await.unwrap(), Change::Made);
    assert_eq!(rules.ensure(&shop()).await.unwrap(), Change::Unneeded);
    let path = kept.path().join("hostkit-shop");
    assert_eq!(fs::metadata(&path).unwrap().mode() & 0o7777, 0o440);
    assert_eq!(fs::read_dir(kept.path()).unwrap().count(), 1);

    fs::set_permissions(&path, Permissions::from_mode(0o640)).unwrap();
    assert_eq!(rules.observe(&shop()).await.unwrap(), Rule::Drifted);
    assert_eq!(rules.ensure(&shop()).await.unwrap(), Change::Made);
    fs::remove_file(&path).unwrap();
    fs::write(&path, "shop ALL=(ALL) NOPASSWD: ALL\n").unwrap();
    assert_eq!(rules.ensure(&shop()).await.unwrap(), Change::Made);
    assert_eq!(fs::read_to_string(&path).unwrap(), rule(&shop()));
    assert_eq!(rules.remove(&shop()).await.unwrap(), Change::Made);
    assert_eq!(rules.remove(&shop()).await.unwrap(), Change::Unneeded);
}

#[tokio::test]
async fn a_rule_that_the_check_refuses_never_gets_into_its_place() {
    let kept = tempfile::tempdir().unwrap();
    let _ = folder(kept.path(), "true").ensure(&shop()).await.unwrap();
    let path = kept.path().join("hostkit-shop");
    fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
    let failure = folder(kept.path(), "false").ensure(&shop()).await.unwrap_err();
    assert!(failure.message.contains("visudo"), "{failure}");
    assert_eq!(
        fs::metadata(&path).unwrap().mode() & 0o7777,
        0o400,
        "it is the one from before"
    );
    assert_eq!(fs::read_dir(kept.path()).unwrap().count(), 1);
    let failure = folder(kept.path(), "no-such-check")
        .ensure(&shop())
        .await
        .unwrap_err();
    assert_eq!(failure.kind, Kind::Unavailable);
    assert_eq!(failure.hint.as_deref(), Some("apt install sudo"));
    assert_eq!(fs::read_dir(kept.path()).unwrap().count(), 1);
}

#[tokio::test]
async fn a_link_in_its_place_is_replaced_and_not_followed() {
    let kept = tempfile::tempdir().unwrap();
    let target = kept.path().join("of-others");
    fs::write(&target, "theirs").unwrap();
    symlink(&target, kept.path().join("hostkit-shop")).unwrap();
    let rules = folder(kept.path(), "true");
    assert_eq!(rules.observe(&shop()).await.unwrap(), Rule::Drifted);
    assert_eq!(rules.ensure(&shop()).await.unwrap(), Change::Made);
    assert_eq!(rules.observe(&shop()).await.unwrap(), Rule::InPlace);
    assert_eq!(fs::read_to_string(&target).unwrap(), "theirs");
}

#[tokio::test]
async fn without_sudo_the_failure_says_what_to_install() {
    let rules = folder(Path::new("/nonexistent/sudoers.d"), "true");
    let failure = rules.ensure(&shop()).await.unwrap_err();
    assert_eq!(failure.hint.as_deref(), Some("apt install sudo"));
    assert_eq!(rules.remove(&shop()).await.unwrap(), Change::Unneeded);
}
