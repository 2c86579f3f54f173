//! The front door over real sockets: answers.

use hostkit_core::route::{NothingReason, Target};

use crate::support::*;

#[test]
fn pages_name_the_project_and_what_to_do() {
    let door = Door::start();
    door.apply(vec![
        route(
            "fresh",
            Target::Nothing {
                reason: NothingReason::NeverDeployed,
            },
        ),
        route(
            "halted",
            Target::Nothing {
                reason: NothingReason::Stopped,
            },
        ),
        route(
            "worker-only",
            Target::Nothing {
                reason: NothingReason::NoPublicProcess,
            },
        ),
    ]);
    for (host, status, words) in [
        (
            "nobody.localhost",
            404,
            ["No project answers here", "nobody.localhost"],
        ),
        (
            "fresh.localhost",
            503,
            ["has not been deployed yet", "hostkit deploy --project fresh"],
        ),
        (
            "halted.localhost",
            503,
            ["stopped by its owner", "hostkit start --project halted"],
        ),
        (
            "worker-only.localhost",
            503,
            ["no process that answers", "hostkit ps --project worker-only"],
        ),
    ] {
        let page = door.get(host, "/");
        assert_eq!(page.status, status, "{host}");
        assert_eq!(page.header("content-type"), Some("text/html; charset=utf-8"));
        assert_eq!(page.header("cache-control"), Some("no-store"));
        let text = page.text();
        assert!(
            text.starts_with("<!doctype html>") && text.contains("width=device-width"),
            "{text}"
        );
        for word in words {
            assert!(text.contains(word), "{host}: {text}");
        }
        assert!(text.contains(page.header("x-request-id").unwrap()));
        let head = door.send(format!("HEAD / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(
            (head.status, head.header("content-length").is_some()),
            (status, true)
        );
    }
}

#[test]
fn a_domain_that_is_checked_is_proved_at_its_own_path_alone() {
    let door = Door::start();
    let site = Target::Nothing {
        reason: NothingReason::Stopped,
    };
    let mut proof = route(
        "known-to-nobody",
        Target::Nothing {
            reason: NothingReason::DomainCheck,
        },
    );
    proof.hosts = vec!["shop.localhost".parse().unwrap()];
    proof.path_prefix = "/.well-known/hostkit-check/word".into();
    door.apply(vec![route("shop", site), proof]);
    let page = door.get("shop.localhost", "/.well-known/hostkit-check/word");
    assert_eq!(page.status, 200);
    assert!(page.text().contains("known-to-nobody"), "{}", page.text());
    for (host, path) in [
        ("shop.localhost", "/"),
        ("shop.localhost", "/.well-known/hostkit-check/"),
        ("shop.localhost", "/.well-known/hostkit-check/words"),
        ("other.localhost", "/.well-known/hostkit-check/word"),
    ] {
        let page = door.get(host, path);
        assert!(page.status >= 400, "{host}{path}: {}", page.status);
        assert!(!page.text().contains("known-to-nobody"), "{host}{path}");
    }
}

#[test]
fn programs_get_json() {
    let door = Door::start();
    door.apply(vec![route(
        "halted",
        Target::Nothing {
            reason: NothingReason::Stopped,
        },
    )]);
    for (accept, json) in [
        ("application/json", true),
        ("application/json, text/html;q=0.5", true),
        ("application/problem+json", true),
        ("text/html,application/json", false),
        ("*/*", false),
    ] {
        let answer = door.send(format!(
            "GET / HTTP/1.1\r\nHost: halted.localhost\r\nAccept: {accept}\r\n\r\n"
        ));
        let kind = answer.header("content-type").unwrap();
        assert_eq!(kind == "application/json", json, "{accept}");
        if json {
            let read: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
            assert_eq!(read["error"]["code"], "stopped");
            assert_eq!(read["error"]["hint"], "hostkit start --project halted");
            assert!(read["error"]["message"].as_str().unwrap().contains("halted"));
        }
    }
}

#[test]
fn pages_carry_nothing_a_client_could_plant() {
    let door = Door::start();
    door.apply(vec![]);
    let page = door.send("GET /<script> HTTP/1.1\r\nHost: a_b\r\nX-Request-Id: <script>\r\n\r\n");
    assert!(!page.text().contains("<script>"), "{}", page.text());
}
