//! No request is lost while anything is changed (ACCEPTANCE A1, A3, A6; REQUIREMENTS D4).

use std::time::Duration;

use crate::harness::load::{Load, Lost, Report};
use crate::harness::socket::Socket;
use crate::harness::{Installation, projects};

#[track_caller]
pub(crate) fn assert_nothing_lost(report: &Report) {
    assert!(report.requests > 100, "the load hardly ran: {}", report.requests);
    let shown: Vec<&Lost> = report.failures.iter().take(5).collect();
    assert!(
        report.failures.is_empty(),
        "{} of {} requests failed: {shown:#?}",
        report.failures.len(),
        report.requests
    );
    // Nobody had to ask twice either.
    assert_eq!(report.resent, 0);
}

#[test]
fn twenty_deploys_five_rollbacks_scale_and_restart_lose_no_request() {
    let host = Installation::start();
    let other = projects::node(&host.sources(), "other", "other");
    host.deploy("other", &other).ok();
    let socket = Socket::open(host.http, "other.localhost");
    host.deploy("shop", &projects::node(&host.sources(), "shop", "version 0"))
        .ok();
    let load = Load::start(host.http, "shop.localhost", "/", 200);
    for version in 1..=20 {
        let text = format!("version {version}");
        host.deploy("shop", &projects::node(&host.sources(), "shop", &text))
            .ok();
        assert_eq!(host.get("shop", "/").body, text);
    }
    for _ in 0..5 {
        host.run(&["rollback", "--project", "shop"]).ok();
    }
    host.run(&["scale", "web=3", "--project", "shop"]).ok();
    host.run(&["restart", "--project", "shop"]).ok();
    host.run(&["scale", "web=1", "--project", "shop"]).ok();
    let report = load.finish();
    assert_nothing_lost(&report);
    assert!(report.releases.len() >= 20, "{:?}", report.releases);
    socket.finish();
    let instances = host.run(&["ps", "--project", "shop", "--json"]).ok().json();
    assert_eq!(instances.as_array().unwrap().len(), 1, "{instances}");
}

#[test]
fn requests_in_flight_finish_on_the_old_release() {
    let host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "old"))
        .ok();
    let port = host.http;
    let slow = std::thread::spawn(move || crate::harness::http::get(port, "shop.localhost", "/slow?ms=3000"));
    std::thread::sleep(Duration::from_millis(300));
    host.deploy("shop", &projects::node(&host.sources(), "shop", "new"))
        .ok();
    assert_eq!(slow.join().unwrap().body, "slow old");
    assert_eq!(host.get("shop", "/").body, "new");
}

#[test]
fn a_static_site_changes_without_a_lost_request() {
    let host = Installation::start();
    host.deploy("site", &projects::site(&host.sources(), "site", "version 0"))
        .ok();
    let load = Load::start(host.http, "site.localhost", "/", 200);
    for version in 1..=20 {
        let text = format!("version {version}");
        std::thread::sleep(Duration::from_millis(50));
        host.deploy("site", &projects::site(&host.sources(), "site", &text))
            .ok();
        assert!(host.get("site", "/").body.contains(&text));
    }
    assert_nothing_lost(&load.finish());
}

#[test]
fn the_front_door_killed_under_load_is_back_at_once_and_refuses_no_connection() {
    let host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "here"))
        .ok();
    let load = Load::start(host.http, "shop.localhost", "/", 200);
    std::thread::sleep(Duration::from_secs(1));
    let old = host.pid("proxy");
    let death = host.kill("proxy");
    crate::harness::wait_until("another front door runs", || host.pid("proxy") != old);
    std::thread::sleep(Duration::from_secs(2));
    println!("{}", load.finish().assert_lost_only_in_flight(&[death]));
}

#[test]
fn control_killed_under_load_is_not_noticed() {
    let host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "here"))
        .ok();
    let pid = host.get("shop", "/pid").body;
    let load = Load::start(host.http, "shop.localhost", "/", 200);
    for _ in 0..3 {
        host.kill("control");
        host.wait_for_control();
    }
    assert_nothing_lost(&load.finish());
    assert_eq!(
        host.get("shop", "/pid").body,
        pid,
        "the program was started again"
    );
}

#[test]
fn control_and_the_front_door_killed_together_come_back_without_touching_a_program() {
    let host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "here"))
        .ok();
    let pid = host.get("shop", "/pid").body;
    let load = Load::start(host.http, "shop.localhost", "/", 100);
    let mut deaths = Vec::new();
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(500));
        let old = (host.pid("control"), host.pid("proxy"));
        host.kill("control");
        deaths.push(host.kill("proxy"));
        crate::harness::wait_until("both run again", || {
            host.pid("control") != old.0 && host.pid("proxy") != old.1
        });
        host.wait_for_control();
    }
    println!("{}", load.finish().assert_lost_only_in_flight(&deaths));
    assert_eq!(
        host.get("shop", "/pid").body,
        pid,
        "the program was started again"
    );
}
