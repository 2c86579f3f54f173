//! Figures of control groups: those of a unit that systemd runs.

use std::process::Command;
use std::time::{Duration, Instant};

use hostkit_core::size::ByteSize;
use hostkit_host::cgroup::{ControlGroups, Figures};

const UNIT: &str = "hostkit-figures.service";

fn systemctl(arguments: &[&str]) -> String {
    let ended = Command::new("systemctl").args(arguments).output().unwrap();
    String::from_utf8(ended.stdout).unwrap().trim().to_owned()
}

struct Unit;

impl Drop for Unit {
    fn drop(&mut self) {
        systemctl(&["stop", UNIT]);
        systemctl(&["reset-failed", UNIT]);
    }
}

#[test]
#[ignore = "lane host: runs on a machine of its own"]
fn figures_are_those_of_the_unit() {
    let unit = Unit;
    let line = "x=$(head -c 20000000 /dev/zero | tr '\\0' x); i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; sleep 1000 & sleep 1000";
    let started = Command::new("systemd-run")
        .args([
            "--quiet",
            "--unit",
            UNIT,
            "--property=MemoryMax=256M",
            "--property=TasksMax=50",
            "--property=MemoryAccounting=yes",
        ])
        .args([
            "--property=CPUAccounting=yes",
            "--property=TasksAccounting=yes",
            "/bin/sh",
            "-c",
            line,
        ])
        .status()
        .unwrap();
    assert!(started.success());
    let group = systemctl(&["show", "--value", "--property=ControlGroup", UNIT]);
    let pid: u32 = systemctl(&["show", "--value", "--property=MainPID", UNIT])
        .parse()
        .unwrap();
    let deadline = Instant::now() + Duration::from_secs(60);
    let found: Figures = loop {
        let found = ControlGroups::default().figures(&group).unwrap().unwrap();
        if found.processes.len() == 3 && found.processor > Some(Duration::from_millis(50)) {
            break found;
        }
        assert!(Instant::now() < deadline, "{found:?}");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert_eq!(found.memory_limit, Some(ByteSize(256 << 20)));
    assert!(found.memory > Some(ByteSize(10 << 20)), "{found:?}");
    assert!(found.memory < Some(ByteSize(256 << 20)), "{found:?}");
    assert!(found.processes.contains(&pid), "{found:?}");
    assert_eq!(found.tasks, Some(3));
    assert_eq!(found.memory_kills, Some(0));
    assert!(
        found.memory_peak.is_none_or(|peak| Some(peak) >= found.memory),
        "{found:?}"
    );
    drop(unit);
    assert_eq!(ControlGroups::default().figures(&group).unwrap(), None);
}

#[test]
#[ignore = "lane host: runs on a machine of its own"]
fn what_was_killed_for_its_memory_is_counted() {
    let _unit = Unit;
    let line = "sh -c 'x=$(head -c 400000000 /dev/zero | tr \"\\0\" x)'; sleep 1000";
    let started = Command::new("systemd-run")
        .args([
            "--quiet",
            "--unit",
            UNIT,
            "--property=MemoryMax=32M",
            "--property=OOMPolicy=continue",
        ])
        .args(["/bin/sh", "-c", line])
        .status()
        .unwrap();
    assert!(started.success());
    let group = systemctl(&["show", "--value", "--property=ControlGroup", UNIT]);
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let found = ControlGroups::default().figures(&group).unwrap().unwrap();
        if found.memory_kills >= Some(1) {
            assert!(
                found.memory_peak.is_none_or(|peak| peak <= ByteSize(32 << 20)),
                "{found:?}"
            );
            return;
        }
        assert!(Instant::now() < deadline, "{found:?}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
