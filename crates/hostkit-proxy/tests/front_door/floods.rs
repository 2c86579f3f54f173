//! Clients that mean harm, frame by frame over TLS: each is ended or bounded, and another one is answered meanwhile.

use std::io::Write;
use std::time::Duration;

use crate::frames::*;
use crate::support::*;

const SHOP: &str = "shop.localhost";

fn secured(upstream: &Upstream) -> Door {
    let door = Door::secure(|config| {
        config.limits.headers = Duration::from_secs(2);
        config.limits.idle = Duration::from_secs(2);
        config.limits.stall = Duration::from_secs(2);
    });
    door.apply(vec![to("shop", &[upstream.address])]);
    door
}

/// Another client is answered, and soon nothing is left of what the first one did.
fn nobody_else_is_hurt(door: &Door) {
    let mut other = door.connect_tls(SHOP);
    write!(other, "GET /other HTTP/1.1\r\nHost: {SHOP}\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut other, false).status, 200);
    until("nothing is in flight", || door.in_flight("shop.1") == 0);
}

#[test]
fn requests_that_are_taken_back_at_once_end_the_connection() {
    let upstream = Upstream::named("x");
    let door = secured(&upstream);
    let mut frames = Frames::open(&door, SHOP);
    let request = get(SHOP, "/", &[]);
    let ended = frames.flood(|turn| {
        let mut piece = Vec::new();
        for at in 0..100 {
            let stream = (turn * 100 + at) * 2 + 1;
            piece.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, &request));
            piece.extend(frame(RESET, 0, stream, &[0, 0, 0, 8]));
        }
        piece
    });
    assert!(ended);
    nobody_else_is_hurt(&door);
    // They are refused before they are work: what reaches the application is what was read before.
    assert!(upstream.seen().len() < 5_000, "{}", upstream.seen().len());
}

#[test]
fn headers_without_end_end_the_connection() {
    let upstream = Upstream::named("x");
    let door = secured(&upstream);
    let mut frames = Frames::open(&door, SHOP);
    assert!(frames.send(HEADERS, END_STREAM, 1, &get(SHOP, "/", &[])));
    let more = headers(&[("x-more", &"a".repeat(8000))]);
    let ended = frames.flood(|_| frame(CONTINUATION, 0, 1, &more));
    assert!(ended);
    nobody_else_is_hurt(&door);
    // The same with nothing in them.
    let mut frames = Frames::open(&door, SHOP);
    assert!(frames.send(HEADERS, END_STREAM, 1, &get(SHOP, "/", &[])));
    assert!(frames.flood(|_| frame(CONTINUATION, 0, 1, &[]).repeat(100)));
    nobody_else_is_hurt(&door);
    assert_eq!(upstream.seen().len(), 2);
}

#[test]
fn questions_whose_answers_are_not_read_are_bounded() {
    let upstream = Upstream::named("x");
    let door = Door::secure(|config| config.limits.stall = Duration::from_secs(1));
    door.apply(vec![to("shop", &[upstream.address])]);
    for piece in [
        frame(PING, 0, 0, &[7; 8]).repeat(500),
        frame(SETTINGS, 0, 0, &[0, 3, 0, 0, 0, 100]).repeat(500),
    ] {
        // Sent as fast as they are taken, and nothing is read: the front door stops taking them, then ends it.
        let mut frames = Frames::open(&door, SHOP);
        assert!(frames.flood(|_| piece.clone()));
        nobody_else_is_hurt(&door);
    }
}

#[test]
fn empty_pieces_of_a_body_without_end_are_bounded() {
    let upstream = Upstream::named("x");
    let door = Door::secure(|config| config.limits.body_pause = Duration::from_secs(1));
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut frames = Frames::open(&door, SHOP);
    let request = headers(&[
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", SHOP),
        (":path", "/"),
    ]);
    assert!(frames.send(HEADERS, END_HEADERS, 1, &request));
    assert!(frames.flood(|_| frame(DATA, 0, 1, &[]).repeat(500)));
    nobody_else_is_hurt(&door);
}

#[test]
fn more_requests_at_once_than_allowed_are_refused_alone() {
    let upstream = Upstream::start(|seen, stream| {
        if seen.line().contains("/slow") {
            std::thread::sleep(Duration::from_secs(2));
        }
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_ok()
    });
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut frames = Frames::open(&door, SHOP);
    // With the settings known, so that nothing is forgiven.
    assert!(frames.read_kind(SETTINGS).is_some());
    assert!(frames.send(SETTINGS, 1, 0, &[]));
    let request = get(SHOP, "/slow", &[]);
    for at in 0..300 {
        assert!(frames.send(HEADERS, END_HEADERS | END_STREAM, at * 2 + 1, &request));
    }
    let (mut answered, mut refused) = (0, 0);
    while answered + refused < 300 {
        match frames.read() {
            Some((HEADERS, _, _, _)) => answered += 1,
            Some((RESET, _, _, reason)) => {
                // REFUSED_STREAM: it may be sent again.
                assert_eq!(reason, [0, 0, 0, 7]);
                refused += 1;
            }
            Some((GO_AWAY, _, _, content)) => panic!("{content:?}"),
            Some(_) => {}
            None => panic!("it ended after {answered} and {refused}"),
        }
    }
    assert_eq!((answered, refused), (256, 44));
    nobody_else_is_hurt(&door);
}

#[test]
fn lists_of_headers_that_are_too_large_reach_nobody() {
    let upstream = Upstream::named("x");
    let door = secured(&upstream);
    let mut frames = Frames::open(&door, SHOP);
    let big = "a".repeat(12_000);
    let block = get(
        SHOP,
        "/",
        &[
            ("x-a", &big),
            ("x-b", &big),
            ("x-c", &big),
            ("x-d", &big),
            ("x-e", &big),
            ("x-f", &big),
        ],
    );
    let mut pieces = block.chunks(16_000);
    assert!(frames.send(HEADERS, END_STREAM, 1, pieces.next().unwrap()));
    let rest: Vec<_> = pieces.collect();
    for (at, piece) in rest.iter().enumerate() {
        let flags = if at + 1 == rest.len() { END_HEADERS } else { 0 };
        frames.send(CONTINUATION, flags, 1, piece);
    }
    // An answer (431), a reset, or the end of the connection.
    let told = loop {
        match frames.read() {
            Some((HEADERS | RESET | GO_AWAY, ..)) | None => break true,
            Some(_) => {}
        }
    };
    assert!(told && upstream.seen().is_empty());
    nobody_else_is_hurt(&door);
}

#[test]
fn headers_about_connections_and_false_lengths_are_refused() {
    let upstream = Upstream::named("x");
    let door = secured(&upstream);
    let cases: [(&str, &str); 9] = [
        ("connection", "close"),
        ("keep-alive", "timeout=5"),
        ("proxy-connection", "close"),
        ("transfer-encoding", "chunked"),
        ("upgrade", "websocket"),
        ("te", "gzip"),
        ("X-Upper", "1"),
        ("content-length", "5"),
        ("x-line", "a\r\nx-smuggled: 1"),
    ];
    for (name, value) in cases {
        let mut frames = Frames::open(&door, SHOP);
        frames.send(
            HEADERS,
            END_HEADERS | END_STREAM,
            1,
            &get(SHOP, "/", &[(name, value)]),
        );
        let refused = loop {
            match frames.read() {
                Some((RESET | GO_AWAY, ..)) | None => break true,
                Some((HEADERS, ..)) => break false,
                Some(_) => {}
            }
        };
        assert!(
            refused && upstream.seen().is_empty(),
            "{name}: {:?}",
            upstream.seen()
        );
    }
    for (name, value) in [
        (":path", "/b"),
        (":authority", "blog.localhost"),
        (":strange", "1"),
    ] {
        let mut frames = Frames::open(&door, SHOP);
        frames.send(
            HEADERS,
            END_HEADERS | END_STREAM,
            1,
            &get(SHOP, "/a", &[(name, value)]),
        );
        assert!(matches!(frames.read_kind(RESET), Some(_) | None));
        assert!(upstream.seen().is_empty(), "{name}");
    }
    nobody_else_is_hurt(&door);
}

#[test]
fn a_client_that_dribbles_or_says_nothing_is_ended() {
    let upstream = Upstream::named("x");
    let door = secured(&upstream);
    // Nothing after the preface.
    let mut silent = Frames::open(&door, SHOP);
    while silent.read().is_some() {}
    // Half a head, byte for byte.
    let mut slow = Frames::open(&door, SHOP);
    let head = frame(HEADERS, END_STREAM | END_HEADERS, 1, &get(SHOP, "/", &[]));
    assert!(slow.send_all(&head[..20]));
    let mut ended = false;
    for _ in 0..600 {
        if !slow.send_all(&[0]) {
            ended = true;
            break;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    assert!(ended);
    // Questions alone keep no connection.
    let mut asking = Frames::open(&door, SHOP);
    assert!(asking.send(HEADERS, END_HEADERS | END_STREAM, 1, &get(SHOP, "/", &[])));
    assert!(asking.read_kind(HEADERS).is_some());
    let mut ended = false;
    for _ in 0..600 {
        if !asking.send(PING, 0, 0, &[1; 8]) {
            ended = true;
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    assert!(ended);
    nobody_else_is_hurt(&door);
}

#[test]
fn what_is_no_http2_ends_the_connection() {
    let upstream = Upstream::named("x");
    let door = secured(&upstream);
    for bytes in [
        // A stream of the server's, one for nobody, one below the last.
        frame(HEADERS, END_HEADERS | END_STREAM, 2, &get(SHOP, "/", &[])),
        frame(DATA, 0, 1, b"early"),
        frame(HEADERS, END_HEADERS | END_STREAM, 1, &[0xff; 30]),
        frame(SETTINGS, 0, 0, &[1, 2, 3]),
        frame(PING, 0, 0, &[1]),
        b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n".to_vec(),
    ] {
        let mut frames = Frames::open(&door, SHOP);
        frames.send_all(&bytes);
        while frames.read().is_some() {}
    }
    assert!(upstream.seen().is_empty());
    nobody_else_is_hurt(&door);
}
