//! Limits of bodies, times and heads.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use hostkit_core::route::rules::Rules;
use hostkit_core::size::{ByteSize, Span};

use super::*;

fn small() -> Rules {
    Rules {
        body_limit: Some(ByteSize(1000)),
        ..Rules::default()
    }
}

#[test]
fn a_body_that_says_how_large_it_is_is_refused_before_it_comes() {
    let (door, upstream) = shop(small());
    let answer = door.send(
        "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 1001\r\nExpect: 100-continue\r\n\r\n",
    );
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    assert!(upstream.seen().is_empty());
    let body = "x".repeat(1000);
    let request = format!("POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 1000\r\n\r\n{body}");
    assert_eq!(door.send(request).status, 200);
    assert_eq!(upstream.last().body.len(), 1000);
}

#[test]
fn a_body_that_does_not_say_is_cut_off_when_it_passes_the_limit() {
    let upstream = Upstream::raw(TcpListener::bind("127.0.0.1:0").unwrap(), |stream, _| {
        let mut read = Vec::new();
        // Ends when the front door gives the request up; it never sees the end of the body.
        stream.read_to_end(&mut read).ok();
        assert!(!read.ends_with(b"0\r\n\r\n"), "the body has an end");
    });
    let door = Door::start();
    let mut route = to("shop", &[upstream.address]);
    route.rules = small();
    door.apply(vec![route]);
    let mut stream = door.connect();
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    for _ in 0..6 {
        stream
            .write_all(format!("c8\r\n{}\r\n", "y".repeat(200)).as_bytes())
            .ok();
    }
    let answer = read_answer(&mut stream, false);
    assert_eq!((answer.status, answer.header("connection")), (413, Some("close")));
    assert_eq!(stream.read(&mut [0; 1]).unwrap_or(0), 0, "the connection ends");
    until("nothing is left in flight", || door.in_flight("shop.1") == 0);
    // Short of the limit all is well.
    let (door, upstream) = shop(small());
    let answer = door.send(
        "POST / HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    );
    assert_eq!((answer.status, &upstream.last().body[..]), (200, &b"hi"[..]));
}

#[test]
fn a_route_has_its_own_time_for_an_answer() {
    let upstream = Upstream::start(|_, stream| {
        let ended = stream.read(&mut [0; 1]);
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        false
    });
    let door = Door::start();
    let mut route = to("shop", &[upstream.address]);
    route.rules.timeout = Some(Span(Duration::from_millis(200)));
    door.apply(vec![route]);
    let answer = get(&door, "/slow", "");
    assert_eq!(answer.status, 504);
    // The long way as well.
    let answer = door.send("POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(answer.status, 504);
    until("nothing is left in flight", || door.in_flight("shop.1") == 0);
}

#[test]
fn a_path_that_is_too_long_for_rules_is_refused_and_not_let_through() {
    let (door, upstream) = shop(Rules {
        redirects: vec![redirect("/a(a*)", "https://example.com/")],
        ..Rules::default()
    });
    let answer = get(&door, &format!("/{}", "a".repeat(9000)), "");
    assert_eq!(answer.status, 414);
    assert!(upstream.seen().is_empty());
}

#[test]
fn a_head_that_is_too_large_is_refused_and_in_the_log() {
    let (door, upstream) = shop(Rules::default());
    let answer = get(&door, "/", &format!("X-Large: {}\r\n", "x".repeat(70_000)));
    assert_eq!(answer.status, 431);
    assert!(upstream.seen().is_empty());
    until("the log has it", || {
        door.log_lines()
            .iter()
            .any(|line| line["status"] == 431 && line["method"] == "-")
    });
}
