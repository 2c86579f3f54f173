//! Units as people and systemd see them.

use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use hostkit_core::log::{LogQuery, LogStream};
use hostkit_core::traits::Runtime;
use hostkit_core::workload::{InstanceState, Scope};
use hostkit_testkit::conformance::runtime::RuntimeFixture;

use crate::house::{House, environment, eventually, run, shell, unit_of};

fn printed(words: &[&str]) -> String {
    String::from_utf8_lossy(&run(words).stdout).into_owned()
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn a_unit_is_well_shut_in_and_valid() {
    let house = House::new();
    let runtime = house.systemd();
    let instance = runtime.ensure(&shell("exec sleep 600")).await.unwrap().remove(0);
    let exposure = runtime.exposure(&instance.id).await.unwrap().unwrap();
    assert!(exposure <= 2.5, "{exposure}");
    let file = format!("/etc/systemd/system/{}", unit_of(&instance));
    let verified = run(&["systemd-analyze", "verify", "--man=no", &file]);
    assert!(
        verified.status.success() && verified.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&verified.stderr)
    );
    // Nothing was dropped with no more than a line in a log.
    let said = printed(&[
        "journalctl",
        "-b",
        "--no-pager",
        "_PID=1",
        "-u",
        &unit_of(&instance),
    ]);
    assert!(!said.contains("Unknown") && !said.contains("ignoring"), "{said}");
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn secrets_are_not_where_other_accounts_look() {
    let house = House::new();
    let runtime = house.runtime();
    let instance = runtime.ensure(&shell("exec sleep 600")).await.unwrap().remove(0);
    let unit = unit_of(&instance);
    let line = std::fs::read_to_string(format!("/proc/{}/cmdline", instance.pid.unwrap())).unwrap();
    assert!(!line.contains("canary"));
    for words in [
        &["systemctl", "show", "--all", &unit][..],
        &["systemctl", "cat", &unit],
        &["systemctl", "status", "--no-pager", &unit],
    ] {
        assert!(!printed(words).contains("canary"), "{words:?}");
    }
    let folder = house
        .layout
        .instances(&environment("shop"))
        .join(instance.id.to_string());
    let meta = std::fs::metadata(&folder).unwrap();
    assert_eq!((meta.uid(), meta.mode() & 0o077), (0, 0));
    // Where they are, the program finds them.
    let environ = std::fs::read(format!("/proc/{}/environ", instance.pid.unwrap())).unwrap();
    assert!(String::from_utf8_lossy(&environ).contains("SECRET=canary-7c1f"));
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn a_unit_that_lost_its_file_or_its_folder_is_found_and_removed() {
    let house = House::new();
    let runtime = house.runtime();
    let wanted = shell("exec sleep 600");
    let instance = runtime.ensure(&wanted).await.unwrap().remove(0);
    std::fs::remove_file(format!("/etc/systemd/system/{}", unit_of(&instance))).unwrap();
    std::fs::remove_dir_all(house.layout.instances(&environment("shop"))).unwrap();
    assert!(run(&["systemctl", "daemon-reload"]).status.success());
    let found = house.runtime().observe(&Scope::default()).await.unwrap();
    assert_eq!(found.len(), 1);
    assert_eq!((&found[0].id, found[0].pid), (&instance.id, instance.pid));
    // What is left of it is not taken for the whole.
    let again = house.runtime().ensure(&wanted).await.unwrap().remove(0);
    assert_eq!(again.state, InstanceState::Running);
    assert_ne!(again.pid, instance.pid);
    house.runtime().remove(&wanted.id).await.unwrap();
    assert!(
        house
            .runtime()
            .observe(&Scope::default())
            .await
            .unwrap()
            .is_empty()
    );
    assert_eq!(
        printed(&[
            "systemctl",
            "list-units",
            "--all",
            "--no-legend",
            "hostkit-shop.*"
        ]),
        ""
    );
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn nothing_of_an_instance_is_left_but_its_lines() {
    let house = House::new();
    let runtime = house.runtime();
    let wanted = shell("echo hello; exec sleep 600");
    let instance = runtime.ensure(&wanted).await.unwrap().remove(0);
    runtime.remove(&wanted.id).await.unwrap();
    for path in [
        format!("/etc/systemd/system/{}", unit_of(&instance)),
        format!(
            "/etc/systemd/system/multi-user.target.wants/{}",
            unit_of(&instance)
        ),
        format!("/run/hostkit/instances/{}", instance.id),
        format!("/run/hostkit/asked/{}", instance.id),
    ] {
        assert!(std::fs::symlink_metadata(&path).is_err(), "{path}");
    }
    let folder = house.layout.instances(&environment("shop"));
    assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
    assert_eq!(
        std::fs::read_dir(house.layout.data().join("ports"))
            .unwrap()
            .count(),
        0
    );
    let log = house.layout.logs(&environment("shop")).join("app.log");
    let text = std::fs::read_to_string(&log).unwrap();
    assert!(text.trim_end().ends_with(" out web.1.1 hello"), "{text}");
    let (file, folder) = (
        std::fs::metadata(&log).unwrap(),
        std::fs::metadata(log.parent().unwrap()).unwrap(),
    );
    assert_eq!((file.mode() & 0o7777, folder.mode() & 0o7777), (0o640, 0o2750));
    assert_eq!((file.uid(), file.gid()), (folder.uid(), folder.gid()));
    assert_eq!(
        printed(&["stat", "-c", "%U:%G", &log.display().to_string()]),
        "shop:adm\n"
    );
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn an_operators_stop_and_start_are_no_crash_and_are_seen() {
    let house = House::new();
    let runtime = house.runtime();
    let wanted = shell("exec sleep 600");
    let instance = runtime.ensure(&wanted).await.unwrap().remove(0);
    assert!(run(&["systemctl", "stop", &unit_of(&instance)]).status.success());
    let stopped = runtime.observe(&Scope::default()).await.unwrap().remove(0);
    assert_eq!((stopped.state, stopped.pid), (InstanceState::Stopped, None));
    let again = runtime.ensure(&wanted).await.unwrap().remove(0);
    assert_eq!(
        (again.state, again.address),
        (InstanceState::Running, instance.address)
    );
    assert_eq!(again.restarts, 0);
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn the_projects_own_unit_name_moves() {
    let house = House::new();
    let runtime = house.systemd();
    let (old, mut new) = (shell("exec sleep 600"), shell("exec sleep 600"));
    new.id.deployment = 2;
    let old = runtime.ensure(&old).await.unwrap().remove(0);
    let new = runtime.ensure(&new).await.unwrap().remove(0);
    let of = environment("shop");
    for instance in [&old, &new, &old] {
        runtime.name_live(&of, Some(&instance.id)).await.unwrap();
        let id = printed(&[
            "systemctl",
            "show",
            "--property=Id",
            "--value",
            "hostkit-shop.service",
        ]);
        assert_eq!(id.trim(), unit_of(instance));
    }
    runtime.name_live(&of, None).await.unwrap();
    let load = printed(&[
        "systemctl",
        "show",
        "--property=LoadState",
        "--value",
        "hostkit-shop.service",
    ]);
    assert_eq!(load.trim(), "not-found");
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn a_crash_is_told_and_quiet_instances_are_not() {
    let house = House::new();
    let runtime = house.runtime();
    let started = runtime.ensure(&shell("exec sleep 600")).await.unwrap();
    let changes = runtime.changes().unwrap();
    let short = Duration::from_millis(700);
    while tokio::time::timeout(short, changes.wait()).await.is_ok() {}
    let pid = started[0].pid.unwrap();
    hostkit_host::processes::signal(pid, hostkit_host::systemd::Signal::SIGKILL);
    loop {
        tokio::time::timeout(Duration::from_secs(30), changes.wait())
            .await
            .unwrap();
        let now = runtime.observe(&Scope::default()).await.unwrap().remove(0);
        if now.restarts == 1 && now.state == InstanceState::Running {
            break;
        }
    }
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn two_callers_at_once_start_one_instance() {
    let house = House::new();
    let (one, two) = (house.runtime(), house.runtime());
    let wanted = shell("exec sleep 600");
    for _ in 0..5 {
        let (a, b) = tokio::join!(one.ensure(&wanted), two.ensure(&wanted));
        assert_eq!(a.unwrap()[0].pid, b.unwrap()[0].pid);
        one.remove(&wanted.id).await.unwrap();
    }
}

#[tokio::test]
#[ignore = "lane host: runs on a machine of its own"]
async fn a_program_that_ends_others_and_lies_about_itself_harms_only_itself() {
    let house = House::new();
    let runtime = house.runtime();
    let mut quiet = shell("exec sleep 600");
    quiet.id.environment = environment("blog");
    let quiet = runtime.ensure(&quiet).await.unwrap().remove(0);
    let line = "echo '{\"crashes\":1}' > /run/hostkit/instances/shop.production.web.1.1/runs.json; \
                ln -sf /etc/shadow /var/log/projects/shop/app.log; \
                mkfifo /var/log/projects/shop/error.log.1; \
                kill -9 -1; exec sleep 600";
    let wanted = shell(line);
    let instance = runtime.ensure(&wanted).await.unwrap().remove(0);
    eventually("it ran", || {
        std::fs::symlink_metadata("/var/log/projects/shop/error.log.1").ok()
    });
    let query = LogQuery {
        last: Some(1000),
        ..LogQuery::default()
    };
    let lines = runtime.logs(&environment("shop"), &query).await.unwrap();
    use futures_util::StreamExt;
    let lines: Vec<_> = lines.collect().await;
    assert!(
        lines.iter().all(|line| line.stream == LogStream::Hostkit),
        "{lines:?}"
    );
    let found = runtime.observe(&Scope::of(&environment("shop"))).await.unwrap();
    assert_eq!(found[0].id, instance.id);
    runtime.remove(&wanted.id).await.unwrap();
    let still = runtime.observe(&Scope::of(&environment("blog"))).await.unwrap();
    assert_eq!(
        (still[0].pid, still[0].state),
        (quiet.pid, InstanceState::Running)
    );
}
