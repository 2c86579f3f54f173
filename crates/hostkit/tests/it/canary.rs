//! A release for some of the visitors, under load: brought, given to more, promoted, ended, and all of it over kills.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::harness::load::Load;
use crate::harness::{Installation, http, projects, wait_until};
use crate::no_downtime::assert_nothing_lost;

fn promote(host: &Installation, more: &[&str]) {
    host.run(&[&["promote", "shop"], more].concat()).ok();
}

fn canary(host: &Installation, text: &str, percent: &str) {
    let folder = projects::node(&host.sources(), "shop", text);
    let folder = folder.to_str().unwrap();
    host.run(&["deploy", folder, "--project", "shop", "--canary", percent])
        .ok();
}

/// What a hundred visitors without cookies got.
fn hundred(host: &Installation) -> BTreeMap<String, usize> {
    let mut texts = BTreeMap::new();
    for _ in 0..100 {
        *texts.entry(host.get("shop", "/").body).or_default() += 1;
    }
    texts
}

fn shares(host: &Installation, old: &str, new: &str) -> (usize, usize) {
    let texts = hundred(host);
    let of = |text: &str| texts.get(text).copied().unwrap_or(0);
    assert_eq!(of(old) + of(new), 100, "{texts:?}");
    (of(old), of(new))
}

/// The text and, where it gave one, the cookie.
fn visit(host: &Installation, cookie: &str) -> (String, Option<String>) {
    let request =
        format!("GET / HTTP/1.1\r\nHost: shop.localhost\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
    let answer = http::raw(host.http, request.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    let set = answer
        .header("set-cookie")
        .map(|set| set.split(';').next().unwrap().to_owned());
    (answer.body, set)
}

#[test]
fn a_canary_promoted_and_another_ended_lose_no_request() {
    let host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "one"))
        .ok();
    let load = Load::start(host.http, "shop.localhost", "/", 200);
    canary(&host, "two", "10");
    std::thread::sleep(Duration::from_secs(1));
    promote(&host, &["--percent", "50"]);
    std::thread::sleep(Duration::from_secs(1));
    promote(&host, &[]);
    canary(&host, "three", "10");
    canary(&host, "four", "30");
    host.run(&["rollback", "--project", "shop"]).ok();
    let report = load.finish();
    assert_nothing_lost(&report);
    assert!(report.releases.len() >= 3, "{:?}", report.releases);
    assert_eq!(hundred(&host), BTreeMap::from([("two".to_owned(), 100)]));
    let instances = host.run(&["ps", "--project", "shop", "--json"]).ok().json();
    assert_eq!(instances.as_array().unwrap().len(), 1, "{instances}");
}

#[test]
fn as_many_visitors_as_asked_for_get_a_canary_and_it_stands_over_kills() {
    let host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "old"))
        .ok();
    canary(&host, "new", "10");
    assert_eq!(shares(&host, "old", "new"), (90, 10));
    let said = host.run(&["status"]).ok();
    assert!(said.out.contains("canary 10 %: release "), "{}", said.out);
    let releases = host.run(&["releases", "--project", "shop", "--json"]).ok().json();
    assert_eq!(
        (releases[0]["canary"].as_u64(), releases[0]["live"].as_bool()),
        (Some(10), Some(false))
    );
    let refused = host.run(&[
        "deploy",
        host.sources().join("shop").to_str().unwrap(),
        "--project",
        "shop",
    ]);
    assert_eq!(refused.code, 1, "{}", refused.err);
    assert!(refused.err.contains("hostkit promote -p shop"), "{}", refused.err);

    let mut visitors: Vec<(String, String)> = Vec::new();
    wait_until("a visitor of each", || {
        let (text, cookie) = visit(&host, "");
        visitors.push((text, cookie.unwrap()));
        visitors.iter().any(|(text, _)| text == "new") && visitors.iter().any(|(text, _)| text == "old")
    });
    for role in ["control", "proxy"] {
        let old = host.pid(role);
        host.kill(role);
        wait_until("another one runs", || host.pid(role) != old);
        host.wait_for_control();
        wait_until("the front door answers", || host.get("shop", "/").status == 200);
        for (text, cookie) in &visitors {
            assert_eq!(
                visit(&host, cookie),
                (text.clone(), None),
                "after {role} was killed"
            );
        }
    }
    promote(&host, &["--percent", "50"]);
    assert_eq!(shares(&host, "old", "new"), (50, 50));
    let kept = visitors.iter().filter(|(text, _)| text == "new");
    kept.for_each(|(_, cookie)| assert_eq!(visit(&host, cookie).0, "new"));
    promote(&host, &[]);
    assert_eq!(hundred(&host), BTreeMap::from([("new".to_owned(), 100)]));
}

#[test]
fn an_environment_beside_production_has_a_canary_of_its_own() {
    let host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "production"))
        .ok();
    let staging = |arguments: &[&str]| {
        let folder = host.sources().join("shop");
        let all = ["--project", "shop", "--env", "staging"];
        let arguments: Vec<&str> = arguments.iter().copied().chain(all).collect();
        match arguments[0] {
            "deploy" => host.run(&[&["deploy", folder.to_str().unwrap()], &arguments[1..]].concat()),
            _ => host.run(&arguments),
        }
        .ok()
    };
    let texts = || {
        let answers = (0..100).map(|_| host.get("shop--staging", "/").body);
        answers.collect::<std::collections::BTreeSet<String>>()
    };
    let of = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    projects::node(&host.sources(), "shop", "old");
    staging(&["deploy"]);
    projects::node(&host.sources(), "shop", "new");
    staging(&["deploy", "--canary", "10"]);
    assert_eq!(texts(), of(&["new", "old"]));
    assert_eq!(hundred(&host), BTreeMap::from([("production".to_owned(), 100)]));
    staging(&["rollback"]);
    assert_eq!(texts(), of(&["old"]));
    staging(&["deploy", "--canary", "10"]);
    staging(&["promote"]);
    assert_eq!(texts(), of(&["new"]));
    assert_eq!(hundred(&host), BTreeMap::from([("production".to_owned(), 100)]));
    host.run(&["promote", "--project", "shop"]).failed();
}

#[test]
fn a_canary_that_crashes_again_and_again_costs_no_request_and_doctor_says_so() {
    let host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "old"))
        .ok();
    canary(&host, "new", "50");
    let instances = host.run(&["ps", "--project", "shop", "--json"]).ok().json();
    let releases = host.run(&["releases", "--project", "shop", "--json"]).ok().json();
    let of_canary = instances
        .as_array()
        .unwrap()
        .iter()
        .find(|i| i["release"] == releases[0]["name"])
        .unwrap();
    let pid = u32::try_from(of_canary["pid"].as_u64().unwrap()).unwrap();
    let load = Load::start(host.http, "shop.localhost", "/", 100);
    std::thread::sleep(Duration::from_millis(500));
    let death = std::time::Instant::now();
    crate::harness::kill(pid);
    // It comes back by itself, and has its visitors again.
    wait_until("it is back", || hundred(&host).get("new").copied() == Some(50));
    println!("{:?} until it was back", death.elapsed());
    let report = load.finish();
    // Those that were in the program when it was killed may be lost, and nobody else.
    assert!(report.failures.len() <= 4, "{:?}", report.failures);
}
