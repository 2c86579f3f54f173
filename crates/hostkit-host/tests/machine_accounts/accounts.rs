//! Accounts: the suite on the machine's own, and what removal leaves of a project's programs and files.

use std::fs;
use std::os::unix::fs::{MetadataExt, chown};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use hostkit_core::names::ProjectName;
use hostkit_host::accounts::{Account, Accounts, LinuxAccounts};
use hostkit_host::change::Change;
use hostkit_testkit::accounts_tests;
use hostkit_testkit::conformance::accounts::AccountsFixture;

/// Removes every account that a test made.
struct Fixture;

const USED: [&str; 3] = ["shop", "shop-2", "theirs"];

fn system(program: &str, arguments: &[&str]) {
    let ended = Command::new(program).args(arguments).output().unwrap();
    let errors = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success(), "{program} {arguments:?}: {errors}");
}

#[async_trait]
impl AccountsFixture for Fixture {
    fn accounts(&self) -> Arc<dyn Accounts> {
        Arc::new(LinuxAccounts)
    }

    async fn plant(&self, name: &str) {
        system("useradd", &["--comment", "HostKit project other", "--", name]);
    }

    async fn plant_group(&self, name: &str) {
        system("groupadd", &["--", name]);
    }

    async fn disturb(&self, name: &str) {
        system(
            "usermod",
            &["--password", "$6$x$y", "--shell", "/bin/sh", "--", name],
        );
        system("usermod", &["--expiredate", "1", "--", name]);
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        for name in USED.iter().chain(&["hostkit-proxy"]) {
            let _ = Command::new("userdel").args(["--", name]).output();
        }
        let _ = Command::new("groupdel").args(["--", "their-group"]).output();
    }
}

accounts_tests!([ignore = "lane host: runs on a machine of its own"], Fixture);

fn shop() -> ProjectName {
    ProjectName::parse("shop").unwrap()
}

async fn account() -> Account {
    LinuxAccounts.ensure(&shop()).await.unwrap().0
}

fn line_of(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).unwrap();
    let start = format!("{name}:");
    text.lines()
        .find(|line| line.starts_with(&start))
        .map(str::to_owned)
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn the_account_is_what_the_decision_says() {
    let _fixture = Fixture;
    let Account { uid, gid } = account().await;
    assert_eq!(
        line_of("/etc/passwd", "shop").unwrap(),
        format!("shop:x:{uid}:{gid}:HostKit project shop:/home/shop:/bin/bash")
    );
    assert_eq!(line_of("/etc/group", "shop").unwrap(), format!("shop:x:{gid}:"));
    assert!(line_of("/etc/shadow", "shop").unwrap().starts_with("shop:*:"));
    assert_eq!(line_of("/etc/subuid", "shop"), None);
    assert!(
        !Path::new("/home/shop").exists(),
        "its home is made by nobody yet"
    );
    let status = Command::new("passwd")
        .args(["--status", "shop"])
        .output()
        .unwrap();
    assert!(String::from_utf8_lossy(&status.stdout).starts_with("shop L "));
    assert_eq!(LinuxAccounts.remove(&shop()).await.unwrap(), Change::Made);
    for file in ["/etc/passwd", "/etc/group", "/etc/shadow", "/etc/gshadow"] {
        assert_eq!(line_of(file, "shop"), None, "{file}");
    }
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn a_group_that_was_not_made_any_more_is_made_with_its_number() {
    let _fixture = Fixture;
    let Account { gid, .. } = account().await;
    system("groupdel", &["--force", "--", "shop"]);
    assert_eq!(LinuxAccounts.ensure(&shop()).await.unwrap().1, Change::Made);
    assert_eq!(line_of("/etc/group", "shop").unwrap(), format!("shop:x:{gid}:"));
    // A removal that was cut off after its first act is undone by the next wish for the account.
    system("usermod", &["--expiredate", "1", "--", "shop"]);
    assert_eq!(LinuxAccounts.ensure(&shop()).await.unwrap().1, Change::Made);
    assert_eq!(LinuxAccounts.ensure(&shop()).await.unwrap().1, Change::Unneeded);
    let _ = LinuxAccounts.remove(&shop()).await.unwrap();
}

fn processes_of(uid: u32) -> usize {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    entries
        .filter(|entry| {
            entry
                .file_name()
                .to_str()
                .is_some_and(|name| name.parse::<u32>().is_ok())
                && entry.metadata().is_ok_and(|meta| meta.uid() == uid)
        })
        .count()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "lane host: runs on a machine of its own"]
async fn programs_that_start_others_without_end_are_ended() {
    let _fixture = Fixture;
    let Account { uid, gid } = account().await;
    // Each starts the next in a session of its own and ends: no list of processes is ever right.
    let restless = "trap '' HUP TERM; f() { setsid sh -c \"$1\" sh \"$1\" & }; f \"$1\"; sleep 0.01; exit";
    let line = format!("{restless}\n");
    for _ in 0..5 {
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &line, "sh", &line]).uid(uid).gid(gid);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        command.spawn().unwrap().wait().unwrap();
    }
    let mut still = Command::new("/bin/sleep")
        .arg("1000")
        .uid(uid)
        .gid(gid)
        .spawn()
        .unwrap();
    let mut foreign = Command::new("/bin/sleep")
        .arg("1000")
        .uid(uid + 1)
        .gid(gid + 1)
        .spawn()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while processes_of(uid) < 3 {
        assert!(Instant::now() < deadline, "the programs did not start");
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(LinuxAccounts.remove(&shop()).await.unwrap(), Change::Made);
    still.wait().unwrap();
    assert_eq!(processes_of(uid), 0);
    assert!(
        foreign.try_wait().unwrap().is_none(),
        "a program of somebody else runs on"
    );
    foreign.kill().unwrap();
    foreign.wait().unwrap();
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn what_lies_in_places_for_everybody_goes_and_what_is_others_stays() {
    let _fixture = Fixture;
    let Account { uid, .. } = account().await;
    for folder in [
        "/var/mail",
        "/var/spool/cron/crontabs",
        "/var/spool/cron/atspool",
        "/var/lib/systemd/linger",
    ] {
        fs::create_dir_all(folder).unwrap();
    }
    fs::create_dir_all("/tmp/of-shop/inner").unwrap();
    std::os::unix::fs::symlink("/etc", "/tmp/of-shop/inner/etc").unwrap();
    let its = [
        "/var/mail/shop",
        "/var/spool/cron/crontabs/shop",
        "/var/spool/cron/atspool/a00001",
        "/run/lock/file-of-shop",
        "/tmp/file-of-shop",
        "/var/tmp/file-of-shop",
        "/dev/shm/file-of-shop",
    ];
    let others = [
        "/var/mail/other",
        "/var/spool/cron/crontabs/other",
        "/tmp/file-of-other",
    ];
    for path in its.iter().chain(&others) {
        fs::write(path, "x").unwrap();
        let owner = if others.contains(path) { uid + 1 } else { uid };
        chown(path, Some(owner), None).unwrap();
    }
    chown("/tmp/of-shop", Some(uid), None).unwrap();
    fs::write("/var/lib/systemd/linger/shop", "").unwrap();
    let queues = || fs::read_to_string("/proc/sysvipc/msg").unwrap().lines().count() - 1;
    let before = queues();
    for account in ["shop", "root"] {
        let made = Command::new("runuser")
            .args(["-u", account, "--", "ipcmk", "--queue", "--shmem", "4096"])
            .args(["--semaphore", "1"])
            .status()
            .unwrap();
        assert!(made.success());
    }
    assert_eq!(queues(), before + 2);
    let _ = LinuxAccounts.remove(&shop()).await.unwrap();
    for path in its
        .iter()
        .chain(&["/tmp/of-shop", "/var/lib/systemd/linger/shop"])
    {
        assert!(fs::symlink_metadata(path).is_err(), "{path} is still there");
    }
    assert!(Path::new("/etc/passwd").exists());
    assert_eq!(queues(), before + 1, "only what root made is still there");
    for list in ["shm", "msg", "sem"] {
        let text = fs::read_to_string(format!("/proc/sysvipc/{list}")).unwrap();
        assert!(
            !text.split_whitespace().any(|field| field == uid.to_string()),
            "{text}"
        );
    }
    assert!(Command::new("ipcrm").arg("--all").status().unwrap().success());
    for path in others {
        assert!(Path::new(path).exists(), "{path} is gone");
        fs::remove_file(path).unwrap();
    }
}
