//! The front door over real sockets: answers.

use std::io::{Read, Write};

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

#[test]
fn a_client_that_waits_with_a_body_nobody_asked_for_is_not_taken_at_its_next_word() {
    let door = Door::start();
    let shop = Upstream::named("shop");
    door.apply(vec![to("shop", &[shop.address])]);
    let waiting = |host: &str| {
        format!("POST / HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\nContent-Length: 40\r\n\r\n")
    };
    for _ in 0..50 {
        let mut stream = door.connect();
        // The next request comes at once: its first 40 bytes are no body of the first.
        let next = "GET /a-path-that-is-longer-than-the-body HTTP/1.1\r\nHost: shop.localhost\r\n\r\n";
        stream.write_all(waiting("nobody.localhost").as_bytes()).unwrap();
        let refused = read_answer(&mut stream, false);
        assert_eq!(
            (refused.status, refused.header("connection")),
            (404, Some("close"))
        );
        // It may be closed already.
        let _ = stream.write_all(next.as_bytes());
        assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0);
    }
    assert!(shop.seen().is_empty());

    let mut stream = door.connect();
    stream.write_all(waiting("shop.localhost").as_bytes()).unwrap();
    assert_eq!(
        read_head(&mut stream).lines().next(),
        Some("HTTP/1.1 100 Continue")
    );
    stream.write_all(&[b'x'; 40]).unwrap();
    let answer = read_answer(&mut stream, false);
    assert_eq!((answer.status, answer.header("connection")), (200, None));
}
