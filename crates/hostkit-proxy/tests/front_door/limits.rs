//! Who stands still: a backend that takes a request and says nothing, a client that takes nothing of its answer, a
//! client whose request was refused and that stays.

use std::io::{Read, Write};
use std::time::Duration;

use crate::support::*;

const SHORT: Duration = Duration::from_millis(400);

/// A door that gives backends little time to begin an answer.
fn impatient() -> Door {
    Door::start_with(|config| config.limits.answer = SHORT)
}

#[test]
fn a_backend_that_says_nothing_is_given_up_and_hears_of_it() {
    let upstream = Upstream::start(|_, stream| {
        // Nothing comes: the read ends when the front door gives up.
        let ended = stream.read(&mut [0; 1]);
        assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        false
    });
    let door = impatient();
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut stream = door.connect();
    stream
        .write_all(b"GET /slow HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
        .unwrap();
    let answer = read_answer(&mut stream, false);
    assert_eq!(answer.status, 504, "{answer:?}");
    assert!(answer.text().contains("shop"), "{}", answer.text());
    // The client's connection is good for another request, and the first one was not sent twice.
    stream
        .write_all(b"GET /elsewhere HTTP/1.1\r\nHost: other.localhost\r\n\r\n")
        .unwrap();
    assert_eq!(read_answer(&mut stream, false).status, 404);
    assert_eq!(upstream.seen().len(), 1);
    until("nothing is left in flight", || door.in_flight("shop.1") == 0);
}

#[test]
fn a_slow_upload_and_a_slow_answer_are_not_late() {
    let upstream = Upstream::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\n")
            .unwrap();
        for _ in 0..8 {
            std::thread::sleep(SHORT / 4);
            stream.write_all(b"y").unwrap();
        }
        true
    });
    let door = Door::start_with(|config| config.limits.answer = SHORT * 2);
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut stream = door.connect();
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 16\r\n\r\n")
        .unwrap();
    for _ in 0..16 {
        std::thread::sleep(SHORT / 4);
        stream.write_all(b"x").unwrap();
    }
    let answer = read_answer(&mut stream, false);
    assert_eq!((answer.status, answer.text().as_str()), (200, "yyyyyyyy"));
}

#[test]
fn a_client_that_takes_nothing_is_let_go() {
    let upstream = Upstream::start(|_, stream| {
        let piece = vec![b'x'; 1 << 20];
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")
            .unwrap();
        while stream.write_all(&piece).is_ok() {}
        false
    });
    let door = Door::start_with(|config| config.limits.stall = SHORT);
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut stream = door.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
        .unwrap();
    until("it is asked", || door.in_flight("shop.1") == 1);
    until("it is let go", || door.in_flight("shop.1") == 0);
    let lines = || door.log_lines();
    until("it is noted", || !lines().is_empty());
    assert!(lines()[0]["bytes_out"].as_u64() < Some(1 << 30), "{:?}", lines());
}

#[test]
fn a_refused_request_ends_its_connection() {
    // Every limit is far away: only the refusal itself can close these.
    let door = Door::start();
    let upstream = Upstream::named("x");
    door.apply(vec![to("shop", &[upstream.address])]);
    for request in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop.localhost\r\nHost: other.localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
        "GET http://other.localhost/ HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
        "GET x HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: host\r\n\r\n",
        "CONNECT shop.localhost:80 HTTP/1.1\r\nHost: shop.localhost:80\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 1, 1\r\n\r\nx",
        "POST / HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n0x1\r\nx\r\n0\r\n\r\n",
    ] {
        let mut stream = door.connect();
        stream.write_all(request.as_bytes()).unwrap();
        stream
            .write_all(b"GET /second HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
            .ok();
        let mut answer = Vec::new();
        // An end of its own, not our patience running out.
        stream.read_to_end(&mut answer).unwrap();
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("HTTP/1.1 4"), "{request:?}: {answer}");
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{request:?}: {answer}");
    }
    assert!(upstream.seen().iter().all(|seen| !seen.line().contains("second")));
}
