//! Deployments that are cancelled while their build runs, also with control killed in the middle.

use serde_json::Value;

use crate::harness::{Installation, projects, wait_until};

/// A build that says that it runs, and never ends.
fn endless(host: &Installation) -> std::path::PathBuf {
    let package =
        r#"{"name":"a","version":"1.0.0","scripts":{"build":"node build.js","start":"node server.js"}}"#;
    let build = "console.log('it builds'); setInterval(() => {}, 1000)";
    let files = [("package.json", package), ("build.js", build), ("server.js", "")];
    projects::folder(&host.sources(), "endless", &files)
}

/// Begins a deployment whose build does not end; returns its number.
fn building(host: &Installation) -> u64 {
    let folder = endless(host);
    let folder = folder.to_str().unwrap();
    let said = host
        .run(&["deploy", folder, "--project", "shop", "--detach", "--json"])
        .ok();
    let id = said.json()["deployment"]["id"].as_u64().unwrap();
    wait_until("it builds", || log(host, id).contains("it builds"));
    id
}

fn log(host: &Installation, id: u64) -> String {
    host.run(&["deployments", "--project", "shop", "log", &id.to_string()])
        .out
}

fn state(host: &Installation, id: u64) -> Value {
    let said = host
        .run(&[
            "deployments",
            "--project",
            "shop",
            "show",
            &id.to_string(),
            "--json",
        ])
        .ok();
    said.json()["state"].clone()
}

/// Nothing of the cancelled deployment is left, and what was live still is.
#[track_caller]
fn assert_undone(host: &Installation, id: u64) {
    assert_eq!(state(host, id), "cancelled");
    assert!(log(host, id).contains("cancelled it"), "{}", log(host, id));
    let events = host.run(&["events", "--project", "shop"]).ok().out;
    assert!(events.contains("cancelled it"), "{events}");
    assert_eq!(host.get("shop", "/").body, "good");
    let builds = host.data().join("projects/shop/environments/production/build");
    wait_until("no scratch is left", || {
        std::fs::read_dir(&builds).map_or(0, Iterator::count) == 0
    });
    wait_until("the build is gone", || {
        let runs_build = |pid: &u32| {
            let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&line).contains("build.js")
        };
        !host.processes().iter().any(runs_build)
    });
}

#[test]
fn a_build_is_cancelled_and_leaves_nothing() {
    let host = Installation::start();
    let good = projects::node(&host.sources(), "good", "good");
    host.deploy("shop", &good).ok();
    let id = building(&host);
    // Another one waits behind it, and is taken out first.
    let waiting = host
        .run(&["restart", "--project", "shop", "--detach", "--json"])
        .ok();
    let waiting = waiting.json()["deployment"]["id"].as_u64().unwrap();
    let said = host.run(&["cancel", "--project", "shop"]).failed();
    assert!(
        said.err.contains(&format!("{id} runs, {waiting} waits")),
        "{}",
        said.err
    );
    host.run(&["cancel", &waiting.to_string(), "--project", "shop"])
        .ok();
    assert_eq!(state(&host, waiting), "cancelled");
    let said = host.run(&["cancel", "--project", "shop"]).ok();
    assert!(said.err.contains("is live as before"), "{}", said.err);
    assert_undone(&host, id);
    host.deploy("shop", &projects::node(&host.sources(), "next", "next"))
        .ok();
    let late = host.run(&["cancel", "--project", "shop"]).failed();
    assert!(late.err.contains("hostkit rollback"), "{}", late.err);
}

#[test]
fn control_killed_while_it_undoes_goes_on_with_it() {
    let host = Installation::start();
    let good = projects::node(&host.sources(), "good", "good");
    host.deploy("shop", &good).ok();
    let id = building(&host);
    let control = host.pid("control");
    host.plant("kill:failed:build");
    // The command sees it through, whatever happens to control.
    host.run(&["cancel", &id.to_string(), "--project", "shop"]).ok();
    assert_ne!(host.pid("control"), control, "control was not killed");
    assert_undone(&host, id);
    host.deploy("shop", &projects::node(&host.sources(), "next", "next"))
        .ok();
}

#[test]
fn control_killed_after_it_asked_for_a_rollback_asks_for_no_second_one() {
    let host = Installation::start();
    let good = projects::node(&host.sources(), "good", "good");
    host.deploy("shop", &good).ok();
    let control = host.pid("control");
    host.plant("fail:before:confirm,kill:failed:confirm");
    let bad = projects::node(&host.sources(), "bad", "bad");
    host.deploy("shop", &bad).failed();
    assert_ne!(host.pid("control"), control, "control was not killed");
    host.wait_for_text("shop", "/", "good");
    let mut states = Vec::new();
    wait_until("every deployment is final", || {
        let list = host
            .run(&["deployments", "--project", "shop", "--json"])
            .ok()
            .json();
        let all = list.as_array().unwrap().iter();
        states = all.map(|d| d["state"].as_str().unwrap().to_owned()).collect();
        states.iter().all(|s| s != "queued" && s != "running")
    });
    assert_eq!(states, ["succeeded", "failed", "succeeded"]);
}
