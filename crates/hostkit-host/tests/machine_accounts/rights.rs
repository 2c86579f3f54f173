//! Rules of sudo, and keys: what the real `sudo` and the real `sshd` make of them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use async_trait::async_trait;
use hostkit_core::names::ProjectName;
use hostkit_host::accounts::{Accounts, LinuxAccounts};
use hostkit_host::change::Change;
use hostkit_host::homes::{DiskHomes, Homes, Owners};
use hostkit_host::ssh_keys::{AuthorizedKeys, PublicKey, SshKeys};
use hostkit_host::sudoers::{PROGRAM, Sudoers, SudoersFolder};
use hostkit_testkit::conformance::sudoers::SudoersFixture;
use hostkit_testkit::sudoers_tests;

struct Fixture;

#[async_trait]
impl SudoersFixture for Fixture {
    fn sudoers(&self) -> Arc<dyn Sudoers> {
        Arc::new(SudoersFolder::default())
    }

    async fn disturb(&self, project: &ProjectName) {
        let path = format!("/etc/sudoers.d/hostkit-{project}");
        fs::remove_file(&path).unwrap();
        fs::write(&path, format!("{project} ALL=(ALL) NOPASSWD: ALL\n")).unwrap();
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        for project in ["shop", "shop-2"] {
            let _ = fs::remove_file(format!("/etc/sudoers.d/hostkit-{project}"));
            let _ = Command::new("userdel").args(["--", project]).output();
            for place in ["/home", "/var/log/projects"] {
                let _ = fs::remove_dir_all(Path::new(place).join(project));
            }
        }
    }
}

sudoers_tests!([ignore = "lane host: runs on a machine of its own"], Fixture);

fn name(text: &str) -> ProjectName {
    ProjectName::parse(text).unwrap()
}

/// Runs something as an account, as a login would.
fn as_account(account: &str, line: &[&str]) -> Output {
    let mut arguments = vec!["--user", account, "--"];
    arguments.extend(line);
    Command::new("runuser")
        .args(arguments)
        .current_dir("/")
        .output()
        .unwrap()
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn sudo_lets_a_project_run_the_program_as_itself_and_nothing_else() {
    let fixture = Fixture;
    for project in ["shop", "shop-2"] {
        let _ = LinuxAccounts.ensure(&name(project)).await.unwrap();
    }
    let there_before = fs::read(PROGRAM).ok();
    fs::write(PROGRAM, "#!/bin/sh\nid -un\nprintf '%s\\n' \"$@\"\nenv\n").unwrap();
    fs::set_permissions(PROGRAM, fs::Permissions::from_mode(0o755)).unwrap();
    let run = |line: &[&str]| as_account("shop", &[&["sudo", "-n"][..], line].concat());

    assert!(!run(&[PROGRAM]).status.success(), "without the rule");
    let _ = fixture.sudoers().ensure(&name("shop")).await.unwrap();
    let checked = Command::new("visudo").arg("-c").output().unwrap();
    assert!(
        checked.status.success(),
        "{}",
        String::from_utf8_lossy(&checked.stderr)
    );
    for line in [
        &["hostkit", "deploy", "--now"][..],
        &[PROGRAM, "deploy", "--now"],
        &["-u", "shop", PROGRAM, "deploy", "--now"],
    ] {
        let ended = run(line);
        let said = String::from_utf8_lossy(&ended.stdout).into_owned();
        assert!(
            said.starts_with("shop\ndeploy\n--now\n"),
            "{line:?}: {said} {ended:?}"
        );
    }
    let refused: [&[&str]; 14] = [
        &["-u", "root", PROGRAM],
        &["-u", "#0", PROGRAM],
        &["-u", "#-1", PROGRAM],
        &["-u", "shop-2", PROGRAM],
        &["-g", "root", PROGRAM],
        &["-g", "adm", PROGRAM],
        &["id"],
        &["-u", "shop", "id"],
        &["-u", "root", "id"],
        &["-i"],
        &["-s"],
        &["systemctl", "restart", "hostkit-shop"],
        &["/usr/bin/../bin/hostkit2"],
        &["-E", "LD_PRELOAD=/tmp/x", PROGRAM],
    ];
    for line in refused {
        let ended = run(line);
        assert!(
            !ended.status.success(),
            "{line:?}: {}",
            String::from_utf8_lossy(&ended.stdout)
        );
    }
    let edited = as_account("shop", &["sudoedit", "-n", "/etc/passwd"]);
    assert!(!edited.status.success());
    let other = as_account("shop-2", &["sudo", "-n", "-u", "shop", PROGRAM]);
    assert!(!other.status.success(), "the rule is one project's");
    assert_eq!(
        fixture.sudoers().remove(&name("shop")).await.unwrap(),
        Change::Made
    );
    assert!(!run(&[PROGRAM]).status.success(), "after removal");
    match there_before {
        Some(bytes) => fs::write(PROGRAM, bytes).unwrap(),
        None => fs::remove_file(PROGRAM).unwrap(),
    }
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn a_key_logs_in_while_it_is_let_in_and_the_project_cannot_let_in_others() {
    let _fixture = Fixture;
    let (project, _) = LinuxAccounts.ensure(&name("shop")).await.unwrap();
    let owners = Owners {
        project,
        front_door: 54_321,
        log_readers: 4,
    };
    let _ = DiskHomes::default().ensure(&name("shop"), &owners).await.unwrap();
    let kept = tempfile::tempdir().unwrap();
    let private = kept.path().join("key");
    let private = private.to_str().unwrap();
    let made = Command::new("ssh-keygen")
        .args([
            "-q",
            "-t",
            "ed25519",
            "-N",
            "",
            "-C",
            "ci@example.com",
            "-f",
            private,
        ])
        .status()
        .unwrap();
    assert!(made.success());
    let key = PublicKey::parse(&fs::read_to_string(format!("{private}.pub")).unwrap()).unwrap();
    let printed = Command::new("ssh-keygen")
        .args(["-l", "-f", private])
        .output()
        .unwrap();
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    assert_eq!(printed.split(' ').nth(1), Some(key.fingerprint().as_str()));

    let login = || {
        let ended = Command::new("ssh")
            .args([
                "-i",
                private,
                "-o",
                "BatchMode=yes",
                "-o",
                "StrictHostKeyChecking=no",
            ])
            .args([
                "-o",
                "UserKnownHostsFile=/dev/null",
                "-o",
                "ConnectTimeout=30",
                "shop@127.0.0.1",
                "id",
                "-un",
            ])
            .output()
            .unwrap();
        String::from_utf8_lossy(&ended.stdout).trim().to_owned()
    };
    assert_eq!(login(), "");
    let keys = AuthorizedKeys::default();
    assert_eq!(keys.add(&name("shop"), &key).await.unwrap(), Change::Made);
    assert_eq!(login(), "shop");
    for line in [
        &["sh", "-c", "echo x >> ~/.ssh/authorized_keys"][..],
        &["rm", "-f", "/home/shop/.ssh/authorized_keys"],
        &["mv", "/home/shop/.ssh", "/home/shop/shared/"],
        &["touch", "/home/shop/.ssh/rc"],
        &["touch", "/home/shop/.ssh/environment"],
    ] {
        assert!(!as_account("shop", line).status.success(), "{line:?}");
    }
    assert_eq!(
        keys.remove(&name("shop"), &key.fingerprint()).await.unwrap(),
        Change::Made
    );
    assert_eq!(login(), "");
}
