//! Who may come, and how often.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hostkit_core::route::access::BasicAuth;
use hostkit_core::route::limits::{Counted, RateLimit};
use hostkit_core::route::rules::Rules;

use super::*;

#[test]
fn a_password_is_asked_for_and_kept_from_the_application() {
    let (door, upstream) = shop(Rules {
        basic_auth: Some(BasicAuth::new("ada", "a:b ü", "salt")),
        ..Rules::default()
    });
    let with = |credentials: &str| {
        let line = format!("Authorization: Basic {}\r\n", STANDARD.encode(credentials));
        get(&door, "/", &line)
    };
    let answer = get(&door, "/", "");
    assert_eq!(answer.status, 401);
    let challenge = answer.header("www-authenticate").unwrap();
    assert!(challenge.starts_with("Basic realm=\"shop\""), "{challenge}");
    assert_eq!(answer.header("x-hostkit-release"), Some("20260101-120000"));
    for wrong in [
        "ada:a:b",
        "ada:",
        ":a:b ü",
        "eve:a:b ü",
        "ada",
        "ada:a:b ü ",
        "ADA:a:b ü",
    ] {
        assert_eq!(with(wrong).status, 401, "{wrong}");
    }
    for line in [
        "Authorization: Bearer x\r\n",
        "Authorization: Basic\r\n",
        "Authorization: Basic !!!\r\n",
        "Authorization: \u{ff}\r\n",
        &format!("Authorization: Basic {}\r\n", "A".repeat(5000)),
    ] {
        assert_eq!(get(&door, "/", line).status, 401, "{line}");
    }
    assert!(upstream.seen().is_empty());
    for _ in 0..2 {
        assert_eq!(with("ada:a:b ü").status, 200);
        assert_eq!(upstream.last().header("authorization"), None);
    }
    assert_eq!(with("ada:a:b").status, 401);
}

#[test]
fn addresses_that_are_not_named_are_turned_away() {
    let allow = |ranges: &[&str]| Rules {
        allow: ranges.iter().map(|range| range.parse().unwrap()).collect(),
        ..Rules::default()
    };
    let (door, _upstream) = shop(allow(&["10.0.0.0/8", "127.0.0.0/8"]));
    assert_eq!(get(&door, "/", "").status, 200);
    let (door, upstream) = shop(allow(&["10.0.0.0/8", "::1"]));
    let answer = get(
        &door,
        "/",
        "X-Forwarded-For: 10.0.0.1\r\nX-Real-IP: 10.0.0.1\r\nAccept: application/json\r\n",
    );
    assert_eq!(answer.status, 403);
    assert!(answer.text().contains("address_not_allowed"));
    assert!(upstream.seen().is_empty());
}

#[test]
fn maintenance_is_shown_to_all_but_those_who_work_on_it() {
    let maintenance = |allow: &str| Rules {
        maintenance: true,
        allow: vec![allow.parse().unwrap()],
        ..Rules::default()
    };
    let (door, _upstream) = shop(maintenance("10.0.0.0/8"));
    let answer = get(&door, "/", "Accept: text/html\r\n");
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("300")));
    assert!(answer.text().contains("Back soon") && answer.text().contains("shop"));
    let answer = get(&door, "/", "Accept: application/json\r\n");
    assert!(answer.text().contains("\"maintenance\""), "{}", answer.text());
    let (door, _upstream) = shop(maintenance("127.0.0.1"));
    assert_eq!(get(&door, "/", "").status, 200);
}

#[test]
fn a_limit_goes_on_counting_when_routes_change() {
    let rules = |rate: &str| Rules {
        limits: vec![RateLimit {
            path: pattern("/(.*)"),
            rate: rate.parse().unwrap(),
            burst: None,
            per: Counted::Client,
        }],
        ..Rules::default()
    };
    let (door, upstream) = shop(rules("2/h"));
    let apply = |rules: Rules| {
        let mut route = to("shop", &[upstream.address]);
        route.rules = rules;
        door.apply(vec![route, to("blog", &[upstream.address])]);
    };
    assert_eq!(get(&door, "/", "").status, 200);
    apply(rules("2/h"));
    assert_eq!(get(&door, "/", "").status, 200);
    apply(rules("2/h"));
    assert_eq!(get(&door, "/", "").status, 429);
    // Another limit is another count.
    apply(rules("3/h"));
    assert_eq!(get(&door, "/", "").status, 200);
}

#[test]
fn more_requests_than_are_taken_are_told_when_to_come_again() {
    let (door, upstream) = shop(Rules {
        limits: vec![RateLimit {
            path: pattern("/api/(.*)"),
            rate: "2/h".parse().unwrap(),
            burst: Some(3),
            per: Counted::Client,
        }],
        ..Rules::default()
    });
    for path in ["/api/a", "/api/b", "/%61pi/c"] {
        assert_eq!(get(&door, path, "").status, 200);
    }
    // On any connection and thread, and whoever the client says it is.
    for _ in 0..8 {
        let answer = get(&door, "/api/d", "X-Forwarded-For: 192.0.2.1\r\n");
        assert_eq!(answer.status, 429);
        let seconds: u64 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1700..=1800).contains(&seconds), "{seconds}");
        assert_eq!(answer.header("ratelimit-limit"), Some("3"));
        assert_eq!(answer.header("ratelimit-remaining"), Some("0"));
        assert_eq!(answer.header("ratelimit-reset"), answer.header("retry-after"));
    }
    for path in ["//api/e", "/x/../api/e", "/x/%2e%2e/api/e", "/api/./e"] {
        assert_eq!(get(&door, path, "").status, 429, "{path}");
    }
    assert_eq!(get(&door, "/elsewhere", "").status, 200);
    assert_eq!(upstream.seen().len(), 4);
}
