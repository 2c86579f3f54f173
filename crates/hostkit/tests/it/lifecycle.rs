//! `up`, `down`, `status`; being killed; being started again.

use std::os::unix::fs::PermissionsExt;

use crate::harness::{Installation, kill, projects, wait_until};

#[test]
fn a_new_installation_is_private_and_says_where_it_is() {
    let host = Installation::start();
    let mode = |path: &str| {
        std::fs::metadata(host.data().join(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    for path in ["token", "key", "hostkit.db", "run/control.sock", "run/proxy.sock"] {
        assert_eq!(mode(path), 0o600, "{path}");
    }
    for path in ["", "run", "proxy"] {
        assert_eq!(mode(path), 0o700, "{path}");
    }
    let status = host.run(&["status", "--json"]).ok().json();
    assert!(
        status.to_string().contains(&format!(":{}", host.http)),
        "{status}"
    );
    let second = Installation::start();
    assert_ne!(
        std::fs::read(host.data().join("token")).unwrap(),
        std::fs::read(second.data().join("token")).unwrap(),
        "two installations have the same token"
    );
}

#[test]
fn a_second_up_on_the_same_data_changes_nothing() {
    let host = Installation::start();
    let before = host.run_state();
    let said = host.run(&["up", "--detach", "--http-port", "0"]).ok();
    assert!(said.all().contains("already"), "{}", said.all());
    assert_eq!(host.run_state(), before);
    assert_eq!(host.run(&["status"]).code, 0);
}

#[test]
fn a_taken_port_is_refused_with_the_way_out() {
    let host = Installation::start();
    let mut other = host.prepared(&["up", "--detach", "--http-port", &host.http.to_string()]);
    let folder = tempfile::tempdir().unwrap();
    let said = other.env("HOSTKIT_DATA", folder.path()).output().unwrap();
    assert!(!said.status.success());
    let text = String::from_utf8_lossy(&said.stderr).into_owned();
    assert!(text.contains("--http-port 0"), "{text}");
}

#[test]
fn down_stops_everything_and_up_brings_it_back() {
    let mut host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "here"))
        .ok();
    host.run(&["down"]).ok();
    wait_until("nothing runs", || host.processes().is_empty());
    let said = host.run(&["status"]).failed();
    assert!(said.err.contains("hostkit up"), "{}", said.err);
    assert!(host.run(&["down"]).all().contains("not up"));
    host.up();
    host.wait_for_text("shop", "/", "here");
}

#[test]
fn after_a_power_cut_the_right_release_serves_again() {
    let mut host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "one"))
        .ok();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "two"))
        .ok();
    host.deploy("site", &projects::site(&host.sources(), "site", "pages"))
        .ok();
    host.run(&["rollback", "--project", "shop"]).ok();
    while let Some(pid) = host.processes().first() {
        kill(*pid);
    }
    host.up();
    host.wait_for_text("shop", "/", "one");
    host.wait_for_text("site", "/", "pages");
    let instances = host.run(&["ps", "--project", "shop", "--json"]).ok().json();
    assert_eq!(instances.as_array().unwrap().len(), 1, "{instances}");
}

#[test]
fn instances_survive_the_supervisor_and_are_adopted() {
    let mut host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "here"))
        .ok();
    let pid = host.get("shop", "/pid").body;
    for role in ["supervisor", "control", "proxy"] {
        host.kill(role);
    }
    host.up();
    host.wait_for_text("shop", "/pid", &pid);
    assert!(
        host.run(&["logs", "--project", "shop"])
            .ok()
            .out
            .contains("listening with here")
    );
}

#[test]
fn a_crashed_program_is_started_again_and_its_log_kept() {
    let host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "here"))
        .ok();
    let pid = host.get("shop", "/pid").body;
    host.get("shop", "/exit");
    wait_until("another program answers", || {
        let answer = host.get("shop", "/pid");
        answer.status == 200 && answer.body != pid
    });
    let logs = host.run(&["logs", "--project", "shop"]).ok().out;
    assert_eq!(logs.matches("listening with here").count(), 2, "{logs}");
}

#[test]
fn a_newer_database_is_refused_in_plain_words() {
    let mut host = Installation::start();
    host.run(&["down"]).ok();
    let path = host.data().join("hostkit.db");
    let mut bytes = std::fs::read(&path).unwrap();
    // The schema's number lies at offset 60 of an SQLite file (https://www.sqlite.org/fileformat.html, 1.3.14).
    bytes[60..64].copy_from_slice(&9999u32.to_be_bytes());
    let good = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let said = host.run(&["up", "--detach", "--http-port", "0"]).failed();
    assert!(said.all().contains("newer"), "{}", said.all());
    std::fs::write(&path, &good).unwrap();
    host.up();
}

#[test]
fn no_log_line_is_lost_while_control_is_killed_again_and_again() {
    let host = Installation::start();
    let worker = "let n = 0; setInterval(() => console.log('line ' + n++), 2)";
    let files = [
        ("worker.js", worker),
        ("Procfile", "worker: node worker.js\n"),
        ("package.json", "{}"),
    ];
    host.deploy("shop", &projects::folder(&host.sources(), "shop", &files))
        .ok();
    for _ in 0..4 {
        host.kill("control");
        host.wait_for_control();
    }
    let logs = host
        .run(&["logs", "--project", "shop", "-n", "1000000", "--json"])
        .ok()
        .out;
    let numbers: Vec<usize> = logs
        .lines()
        .map(|line| serde_json::from_str::<serde_json::Value>(line).unwrap())
        .filter_map(|line| line["text"].as_str()?.strip_prefix("line ")?.parse().ok())
        .collect();
    assert!(numbers.len() > 200, "{}", numbers.len());
    assert!(
        numbers.iter().copied().eq(0..numbers.len()),
        "lines are missing, doubled or out of order"
    );
}

#[test]
fn a_deleted_project_leaves_nothing_and_its_neighbour_alone() {
    let host = Installation::start();
    host.deploy("api", &projects::node(&host.sources(), "api", "one"))
        .ok();
    host.deploy("api2", &projects::node(&host.sources(), "api2", "two"))
        .ok();
    let pid = host.get("api2", "/pid").body;
    host.run(&["project", "delete", "api", "--yes"]).ok();
    assert_eq!(host.get("api", "/").status, 404);
    assert!(!host.data().join("projects/api").exists());
    assert_eq!(host.get("api2", "/pid").body, pid, "the neighbour was touched");
    let list = host.run(&["project", "list", "--json"]).ok().json();
    assert_eq!(list.as_array().unwrap().len(), 1, "{list}");
}
