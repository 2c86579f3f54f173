//! What keeps a project fit for production: the scan of its source, and the checklist of the doctor.

use serde_json::Value;

use crate::harness::{Installation, projects};

/// Something that looks like a key; put together here so that this file has none.
fn key() -> String {
    format!("sk_{}_{}", "live", "4eC39HqLyjWDarjtT1zdp7dc")
}

#[test]
fn a_secret_in_the_source_is_told_or_stops_it_and_is_never_shown() {
    let host = Installation::start();
    let page = format!("<script>pay('{}')</script>", key());
    let folder = projects::folder(&host.sources(), "shop", &[("index.html", &page)]);
    let said = host.deploy("shop", &folder).ok();
    let log = host.run(&["deployments", "log", "1", "-p", "shop"]).ok();
    assert!(
        log.all().contains("index.html:1: Stripe live key"),
        "{}",
        log.all()
    );
    let rule = "[scan]\nsecrets = \"stop\"\n";
    let files = [("index.html", page.as_str()), ("hostkit.toml", rule)];
    let folder = projects::folder(&host.sources(), "stopped", &files);
    let refused = host.deploy("shop", &folder).failed();
    assert!(
        refused.all().contains("there is a secret in the source"),
        "{}",
        refused.all()
    );
    let events = host.run(&["events", "--project", "shop"]).ok();
    assert!(
        events.out.contains("1 secret in its source, which stopped it"),
        "{}",
        events.out
    );
    assert_eq!(host.get("shop", "/").status, 200);
    for said in [said, refused, events, log] {
        assert!(!said.all().contains("4eC39HqLyjWDarjtT1zdp7dc"), "{}", said.all());
    }
}

#[test]
fn the_doctor_goes_through_the_checklist_of_a_project() {
    let host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "one"))
        .ok();
    host.run(&["env", "set", "-p", "shop", "JWT_SECRET=short", "LOG_LEVEL=debug"])
        .ok();
    let said = host.run(&["doctor", "shop", "--json"]).failed();
    let findings = said.json();
    let outcome = |check: &str| -> Value {
        let all = findings.as_array().unwrap();
        let found = all.iter().find(|finding| finding["check"] == check);
        found.map_or(Value::Null, |finding| finding["outcome"].clone())
    };
    for (check, expected) in [
        ("release", "fine"),
        ("instances of web", "fine"),
        ("health of web", "fine"),
        ("rollback", "warning"),
        ("variables", "warning"),
        ("secret JWT_SECRET", "problem"),
        ("debugging LOG_LEVEL", "warning"),
        ("NODE_ENV", "fine"),
    ] {
        assert_eq!(outcome(check), expected, "{check}: {findings:#}");
    }
    let text = host.run(&["doctor", "shop"]).failed().all();
    assert!(
        text.contains("openssl rand -hex 32 | hostkit env set JWT_SECRET - --apply -p shop"),
        "{text}"
    );
}
