//! What a hostile client sends, byte for byte, and what of it reaches an application: nothing that could be read in
//! two ways.

use std::io::{Read, Write};
use std::time::Duration;

use crate::support::*;

/// A door that soon loses patience, so that every connection ends.
fn impatient() -> Door {
    Door::start_with(|config| {
        config.limits.headers = Duration::from_millis(500);
        config.limits.idle = Duration::from_millis(500);
        config.limits.body_pause = Duration::from_millis(500);
    })
}

/// Sends raw bytes and returns everything that comes back until the front door closes the connection. Our side stays
/// open: a client that closes it is gone, as far as the front door is concerned.
fn raw(door: &Door, bytes: &[u8]) -> String {
    let mut stream = door.connect();
    stream.write_all(bytes).ok();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    String::from_utf8_lossy(&answer).into_owned()
}

fn statuses(answers: &str) -> Vec<u16> {
    answers
        .match_indices("HTTP/1.")
        .filter_map(|(at, _)| answers.get(at + 9..at + 12)?.parse().ok())
        .collect()
}

#[test]
fn malformed_requests_are_refused_and_reach_nobody() {
    let upstream = Upstream::named("x");
    let door = impatient();
    door.apply(vec![to("shop", &[upstream.address])]);
    let host = "Host: shop.localhost\r\n";
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("no host", b"GET / HTTP/1.1\r\n\r\n".to_vec()),
        ("no host, 1.0", b"GET / HTTP/1.0\r\n\r\n".to_vec()),
        ("two hosts", format!("GET / HTTP/1.1\r\n{host}{host}\r\n").into()),
        ("two different hosts", format!("GET / HTTP/1.1\r\n{host}Host: other\r\n\r\n").into()),
        ("empty host", b"GET / HTTP/1.1\r\nHost:\r\n\r\n".to_vec()),
        ("host with path", b"GET / HTTP/1.1\r\nHost: shop.localhost/x\r\n\r\n".to_vec()),
        ("host with user", b"GET / HTTP/1.1\r\nHost: a@shop.localhost\r\n\r\n".to_vec()),
        ("host with space", b"GET / HTTP/1.1\r\nHost: shop.localhost x\r\n\r\n".to_vec()),
        ("host with bad port", b"GET / HTTP/1.1\r\nHost: shop.localhost:8x\r\n\r\n".to_vec()),
        ("host named by connection", format!("GET / HTTP/1.1\r\n{host}Connection: Host\r\n\r\n").into()),
        ("differing lengths", format!("POST / HTTP/1.1\r\n{host}Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd").into()),
        ("list of lengths", format!("POST / HTTP/1.1\r\n{host}Content-Length: 3, 3\r\n\r\nabc").into()),
        ("signed length", format!("POST / HTTP/1.1\r\n{host}Content-Length: +3\r\n\r\nabc").into()),
        ("negative length", format!("POST / HTTP/1.1\r\n{host}Content-Length: -3\r\n\r\nabc").into()),
        ("hex length", format!("POST / HTTP/1.1\r\n{host}Content-Length: 0x3\r\n\r\nabc").into()),
        ("huge length", format!("POST / HTTP/1.1\r\n{host}Content-Length: 99999999999999999999\r\n\r\n").into()),
        ("identity coding", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: identity\r\n\r\nabc").into()),
        ("gzip coding", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n").into()),
        ("chunked twice", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n").into()),
        ("chunked then identity", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n").into()),
        ("disguised chunked", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n").into()),
        ("vertical tab chunked", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding: \x0bchunked\r\n\r\n0\r\n\r\n").into()),
        ("chunked on 1.0", format!("POST / HTTP/1.0\r\n{host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n").into()),
        ("space before colon", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n").into()),
        ("folded header", format!("GET / HTTP/1.1\r\n{host}X-A: b\r\n c\r\n\r\n").into()),
        ("folded coding", format!("POST / HTTP/1.1\r\n{host}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n").into()),
        ("space before the first header", format!("GET / HTTP/1.1\r\n {host}\r\n").into()),
        ("nul in value", format!("GET / HTTP/1.1\r\n{host}X-A: b\0c\r\n\r\n").into()),
        ("nul in name", format!("GET / HTTP/1.1\r\n{host}X\0A: b\r\n\r\n").into()),
        ("bare cr in value", format!("GET / HTTP/1.1\r\n{host}X-A: b\rX-B: c\r\n\r\n").into()),
        ("nul in path", format!("GET /\0 HTTP/1.1\r\n{host}\r\n").into()),
        ("space in path", format!("GET /a b HTTP/1.1\r\n{host}\r\n").into()),
        ("unknown version", format!("GET / HTTP/3.7\r\n{host}\r\n").into()),
        ("no version", format!("GET /\r\n{host}\r\n").into()),
        ("http/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("no name", format!("GET / HTTP/1.1\r\n{host}: x\r\n\r\n").into()),
        ("no colon", format!("GET / HTTP/1.1\r\n{host}nonsense\r\n\r\n").into()),
        ("bracket method", format!("[GET] / HTTP/1.1\r\n{host}\r\n").into()),
        ("tls", vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, 0x0d, 0x0a, 0x0d, 0x0a]),
        ("relative target", format!("GET x HTTP/1.1\r\n{host}\r\n").into()),
        ("target and host differ", format!("GET http://evil/ HTTP/1.1\r\n{host}\r\n").into()),
        ("target with user", format!("GET http://a@shop.localhost/ HTTP/1.1\r\n{host}\r\n").into()),
        ("connect", format!("CONNECT shop.localhost:80 HTTP/1.1\r\n{host}\r\n").into()),
    ];
    for (name, bytes) in cases {
        let answer = raw(&door, &bytes);
        let got = statuses(&answer);
        assert!(
            got.len() <= 1
                && got
                    .iter()
                    .all(|status| matches!(status, 400 | 405 | 414 | 431 | 501)),
            "{name}: {answer}"
        );
        assert!(
            upstream.seen().is_empty(),
            "{name} reached the application: {:?}",
            upstream.seen()
        );
    }
    assert_eq!(door.get("shop.localhost", "/").status, 200);
}

#[test]
fn methods_that_are_never_passed_on_are_refused_with_what_is() {
    let upstream = Upstream::named("x");
    let door = impatient();
    door.apply(vec![to("shop", &[upstream.address])]);
    let long = "A".repeat(33);
    for (method, status, allows) in [("TRACE", 405, true), ("CONNECT", 405, true), (&long, 501, false)] {
        let answer = raw(
            &door,
            format!(
                "{method} / HTTP/1.1\r\nHost: shop.localhost\r\nCookie: a=secret\r\n\r\n\
                 GET /behind HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"
            )
            .as_bytes(),
        );
        assert_eq!(statuses(&answer), [status], "{method}: {answer}");
        let allow = answer.contains("\r\nallow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS\r\n");
        assert_eq!(allow, allows, "{method}: {answer}");
        assert!(!answer.contains("secret"), "{method}: {answer}");
    }
    assert!(upstream.seen().is_empty(), "{:?}", upstream.seen());
}

#[test]
fn methods_that_are_not_known_here_arrive_as_they_are() {
    let upstream = Upstream::named("x");
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    for method in [
        "PROPFIND",
        "PURGE",
        "QUERY",
        "M-SEARCH",
        "patch",
        "A",
        &"B".repeat(32),
    ] {
        let answer = door.send(format!(
            "{method} /thing HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 3\r\n\r\nabc"
        ));
        assert_eq!(answer.status, 200, "{method}: {answer:?}");
        assert_eq!(upstream.last().line(), format!("{method} /thing HTTP/1.1"));
        assert_eq!(upstream.last().body, b"abc", "{method}");
    }
    let logged = || {
        let lines = door.log_lines();
        lines.iter().any(|line| line["method"] == "M-SEARCH")
    };
    until("the log has them", logged);
}

#[test]
fn a_body_in_chunks_arrives_whatever_the_method() {
    let upstream = Upstream::named("x");
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    for method in ["GET", "DELETE", "POST", "QUERY", "OPTIONS"] {
        let answer = door.send(format!(
            "{method} / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: transfer-encoding\r\n\
             Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
        ));
        assert_eq!(answer.status, 200, "{method}: {answer:?}");
        assert_eq!(upstream.last().body, b"abc", "{method}");
        assert_eq!(
            upstream.last().headers("transfer-encoding"),
            ["chunked"],
            "{method}"
        );
    }
}

#[test]
fn a_length_next_to_chunks_is_not_passed_on_and_ends_the_connection() {
    let upstream = Upstream::named("x");
    let door = impatient();
    door.apply(vec![to("shop", &[upstream.address])]);
    for (first, second) in [
        ("Content-Length: 6", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: chunked", "Content-Length: 6"),
    ] {
        let answer = raw(
            &door,
            format!(
                "POST /outer HTTP/1.1\r\nHost: shop.localhost\r\n{first}\r\n{second}\r\n\r\n0\r\n\r\n\
                 GET /smuggled HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"
            )
            .as_bytes(),
        );
        assert_eq!(statuses(&answer), [200], "{answer}");
    }
    assert_eq!(upstream.seen().len(), 2);
    for seen in upstream.seen() {
        assert!(!seen.line().contains("smuggled"), "{seen:?}");
        assert_eq!(seen.header("content-length"), None, "{seen:?}");
        assert_eq!(seen.headers("transfer-encoding"), ["chunked"], "{seen:?}");
    }
}

#[test]
fn equal_lengths_arrive_as_one() {
    let upstream = Upstream::named("x");
    let door = impatient();
    door.apply(vec![to("shop", &[upstream.address])]);
    let answer = raw(
        &door,
        b"POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    );
    for seen in upstream.seen() {
        assert_eq!(seen.headers("content-length"), ["3"]);
    }
    assert_eq!(statuses(&answer), [200], "{answer}");
}

#[test]
fn bad_chunks_break_off_and_nothing_behind_them_is_a_request() {
    let upstream = Upstream::named("x");
    let door = impatient();
    door.apply(vec![to("shop", &[upstream.address])]);
    for chunks in [
        "zz\r\nabc\r\n0\r\n\r\n",
        "-3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3 4\r\nabc\r\n0\r\n\r\n",
        "ffffffffffffffffff\r\nabc\r\n0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3;a\nb\r\nabc\r\n0\r\n\r\n",
        "\r\n3\r\nabc\r\n0\r\n\r\n",
    ] {
        let request = format!(
            "POST /torn HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}\
             GET /smuggled HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"
        );
        let answer = raw(&door, request.as_bytes());
        assert!(
            statuses(&answer).iter().all(|status| *status >= 400),
            "{chunks:?}: {answer}"
        );
    }
    std::thread::sleep(Duration::from_millis(100));
    for seen in upstream.seen() {
        assert!(
            seen.head.starts_with("TORN"),
            "a torn body looked whole: {seen:?}"
        );
    }
    assert_eq!(door.get("shop.localhost", "/").status, 200);
}

#[test]
fn extensions_of_chunks_and_bare_line_feeds_arrive_in_plain_form() {
    let upstream = Upstream::named("x");
    let door = impatient();
    door.apply(vec![to("shop", &[upstream.address])]);
    raw(
        &door,
        b"POST / HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: Chunked\r\n\r\n3;x=\"y\"\r\nabc\r\n0\r\n\r\n",
    );
    until("it arrived", || !upstream.seen().is_empty());
    assert_eq!(upstream.last().body, b"abc");
    assert_eq!(upstream.last().headers("transfer-encoding"), ["chunked"]);
    raw(&door, b"GET /lf HTTP/1.1\nHost: shop.localhost\nX-A: 1\n\n");
    for seen in upstream.seen() {
        assert!(
            seen.head.split("\r\n").all(|line| !line.contains('\n')),
            "{seen:?}"
        );
    }
}

#[test]
fn what_is_too_large_is_refused() {
    let upstream = Upstream::named("x");
    let door = impatient();
    door.apply(vec![to("shop", &[upstream.address])]);
    let big = "a".repeat(70_000);
    let header = raw(
        &door,
        format!("GET / HTTP/1.1\r\nHost: shop.localhost\r\nX-Big: {big}\r\n\r\n").as_bytes(),
    );
    assert_eq!(statuses(&header), [431], "{header}");
    let line = raw(
        &door,
        format!("GET /{big} HTTP/1.1\r\nHost: shop.localhost\r\n\r\n").as_bytes(),
    );
    assert!(matches!(statuses(&line)[..], [414 | 431]), "{line}");
    let many = "X-A: b\r\n".repeat(500);
    let many = raw(
        &door,
        format!("GET / HTTP/1.1\r\nHost: shop.localhost\r\n{many}\r\n").as_bytes(),
    );
    assert_eq!(statuses(&many), [431]);
    assert!(upstream.seen().is_empty());
    let fine = "a".repeat(40_000);
    let fine = door.send(format!(
        "GET / HTTP/1.1\r\nHost: shop.localhost\r\nX-Big: {fine}\r\n\r\n"
    ));
    assert_eq!(fine.status, 200);
}

#[test]
fn slow_clients_lose_their_connection_and_nobody_else_does() {
    let upstream = Upstream::named("x");
    let door = Door::start_with(|config| {
        config.limits.headers = Duration::from_millis(400);
        config.limits.idle = Duration::from_millis(400);
        config.limits.body_pause = Duration::from_millis(400);
    });
    door.apply(vec![to("shop", &[upstream.address])]);
    let closes = |mut stream: std::net::TcpStream| {
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        String::from_utf8_lossy(&answer).into_owned()
    };
    // Says nothing.
    assert_eq!(closes(door.connect()), "");
    // Trickles its head: each byte alone must not buy more time.
    let mut trickle = door.connect();
    for byte in "GET / HTTP/1.1\r\nHost: shop.localhost\r\nX-A: bcdefghijklmnopqrstuvwxyz".bytes() {
        if trickle.write_all(&[byte]).is_err() {
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(matches!(statuses(&closes(trickle))[..], [] | [408]));
    // Keeps a connection and says nothing more.
    let mut kept = door.connect();
    kept.write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
        .unwrap();
    assert_eq!(statuses(&closes(kept)), [200]);
    // Pauses inside its body.
    let mut paused = door.connect();
    paused
        .write_all(b"POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 10\r\n\r\nabc")
        .unwrap();
    assert_eq!(statuses(&closes(paused)), [408]);
    assert_eq!(door.get("shop.localhost", "/").status, 200);
    until("nothing is left in flight", || door.in_flight("shop.1") == 0);
}

#[test]
fn more_connections_than_allowed_are_turned_away() {
    let upstream = Upstream::named("x");
    let door = Door::start_with(|config| config.limits.connections = 4);
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut kept: Vec<_> = (0..4).map(|_| door.connect()).collect();
    for stream in &mut kept {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
            .unwrap();
        assert_eq!(read_answer(stream, false).status, 200);
    }
    let mut over = door.connect();
    let mut answer = Vec::new();
    over.read_to_end(&mut answer).ok();
    assert_eq!(statuses(&String::from_utf8_lossy(&answer)), [503]);
    kept.clear();
    until("there is room again", || {
        let mut stream = door.connect();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
            .ok();
        read_answer(&mut stream, false).status == 200
    });
}

#[test]
fn answers_that_could_be_read_in_two_ways_are_not_passed_on() {
    for answer in [
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        "nonsense\r\n\r\n",
    ] {
        let upstream = Upstream::start(move |_, stream| {
            stream.write_all(answer.as_bytes()).ok();
            false
        });
        let door = Door::start();
        door.apply(vec![to("shop", &[upstream.address])]);
        let got = door.get("shop.localhost", "/");
        assert_eq!(got.status, 502, "{answer:?}: {got:?}");
    }
    let both = Upstream::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n")
            .is_ok()
    });
    let door = Door::start();
    door.apply(vec![to("shop", &[both.address])]);
    let got = door.get("shop.localhost", "/");
    assert_eq!((got.text().as_str(), got.header("content-length")), ("ok", None));
}
