//! What browsers are told: security headers, and which other sites may read answers.

use std::io::Write;

use hostkit_core::route::headers::{Cors, SecurityHeader};
use hostkit_core::route::rules::Rules;
use hostkit_core::size::Span;

use super::*;

const STANDARD: [(&str, &str); 4] = [
    ("x-frame-options", "SAMEORIGIN"),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "strict-origin-when-cross-origin"),
    (
        "permissions-policy",
        "camera=(self), geolocation=(self), microphone=(self)",
    ),
];

#[test]
fn answers_protect_visitors_where_the_application_says_nothing() {
    let (door, _upstream) = shop(Rules::default());
    let answer = get(&door, "/", "");
    for (name, value) in STANDARD {
        assert_eq!(answer.header(name), Some(value));
    }
    assert_eq!(
        answer.header("strict-transport-security"),
        None,
        "not without TLS"
    );
    assert_eq!(answer.header("content-security-policy"), None);
    let own = Upstream::start(|_, stream| {
        let answer = b"HTTP/1.1 200 OK\r\nX-Frame-Options: DENY\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).is_ok()
    });
    door.apply(vec![to("shop", &[own.address])]);
    let answer = get(&door, "/", "");
    assert_eq!(answer.head.to_lowercase().matches("x-frame-options").count(), 1);
    assert_eq!(answer.header("x-frame-options"), Some("DENY"));
}

#[test]
fn each_of_them_can_be_changed_or_turned_off() {
    let mut rules = Rules::default();
    rules.security_headers.frame_options = SecurityHeader::Off;
    rules.security_headers.referrer_policy = SecurityHeader::Value("no-referrer".into());
    rules.security_headers.content_security_policy = SecurityHeader::Value("default-src 'self'".into());
    let (door, _upstream) = shop(rules);
    let answer = get(&door, "/", "");
    assert_eq!(answer.header("x-frame-options"), None);
    assert_eq!(answer.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(
        answer.header("content-security-policy"),
        Some("default-src 'self'")
    );
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn over_tls_browsers_are_told_to_stay_there() {
    let upstream = Upstream::named("shop");
    let door = Door::secure(|_| ());
    let mut shop = to("shop", &[upstream.address]);
    shop.hosts = vec!["shop.example.com".parse().unwrap()];
    door.apply(vec![shop, to("blog", &[upstream.address])]);
    let told = |host: &str| {
        let mut stream = door.connect_tls(host);
        stream
            .write_all(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes())
            .unwrap();
        let answer = read_answer(&mut stream, false);
        answer.header("strict-transport-security").map(str::to_owned)
    };
    assert_eq!(told("shop.example.com").as_deref(), Some("max-age=31536000"));
    assert_eq!(
        told("blog.localhost"),
        None,
        "a browser would believe it of every port"
    );
}

fn cors(origins: &[&str], credentials: bool) -> Rules {
    Rules {
        cors: Some(Cors {
            origins: origins.iter().map(|origin| (*origin).to_owned()).collect(),
            expose: vec!["x-total".into()],
            headers: vec!["content-type".into(), "x-own".into()],
            max_age: Span::secs(60),
            credentials,
            ..Cors::default()
        }),
        ..Rules::default()
    }
}

fn preflight(door: &Door, origin: &str, method: &str) -> Answer {
    door.send(format!(
        "OPTIONS /api HTTP/1.1\r\nHost: shop.localhost\r\nOrigin: {origin}\r\n\
         Access-Control-Request-Method: {method}\r\nAccess-Control-Request-Headers: x-own\r\n\r\n"
    ))
}

#[test]
fn other_sites_may_read_answers_where_they_are_named() {
    let (door, upstream) = shop(cors(&["https://a.example"], true));
    let answer = preflight(&door, "https://a.example", "PUT");
    assert_eq!(answer.status, 204);
    for (name, value) in [
        ("access-control-allow-origin", "https://a.example"),
        ("access-control-allow-credentials", "true"),
        (
            "access-control-allow-methods",
            "GET, HEAD, POST, PUT, PATCH, DELETE",
        ),
        ("access-control-allow-headers", "content-type, x-own"),
        ("access-control-max-age", "60"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    assert!(
        answer.head.to_lowercase().contains("vary: origin"),
        "{}",
        answer.head
    );
    for (origin, method) in [("https://b.example", "PUT"), ("null", "PUT")] {
        let answer = preflight(&door, origin, method);
        assert_eq!(
            (answer.status, answer.header("access-control-allow-origin")),
            (204, None)
        );
    }
    let answer = preflight(&door, "https://a.example", "BREW");
    assert_eq!(answer.header("access-control-allow-methods"), None);
    assert!(upstream.seen().is_empty(), "the application is not asked");

    let answer = get(&door, "/", "Origin: https://a.example\r\n");
    assert_eq!(
        answer.header("access-control-allow-origin"),
        Some("https://a.example")
    );
    assert_eq!(answer.header("access-control-expose-headers"), Some("x-total"));
    for lines in ["Origin: https://b.example\r\n", ""] {
        let answer = get(&door, "/", lines);
        assert_eq!(answer.header("access-control-allow-origin"), None);
        assert_eq!(answer.header("vary"), Some("origin"));
    }
    // A method that only looks like a question goes to the application.
    let answer = door.send("OPTIONS / HTTP/1.1\r\nHost: shop.localhost\r\nOrigin: https://a.example\r\n\r\n");
    assert_eq!(answer.status, 200);
}

#[test]
fn everybody_may_read_what_is_open_to_all() {
    let (door, _upstream) = shop(cors(&["*"], false));
    let answer = get(&door, "/", "Origin: https://b.example\r\n");
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(answer.header("vary"), None);
}
