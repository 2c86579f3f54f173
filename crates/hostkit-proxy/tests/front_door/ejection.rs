//! Backends that fail are left out while others are there, and come back slowly.

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hostkit_core::route::BackendId;
use hostkit_core::size::Span;
use hostkit_core::traits::traffic::Traffic;

use crate::support::*;

fn ejected(door: &Door) -> Vec<String> {
    door.status().ejected.into_iter().map(|id| id.0).collect()
}

/// An upstream that closes the connection in place of an answer while `broken` says so.
fn moody(name: &'static str, broken: &Arc<AtomicBool>) -> Upstream {
    let broken = Arc::clone(broken);
    Upstream::start(move |_, stream| !broken.load(Ordering::SeqCst) && answer_with(stream, name))
}

fn answer_with(stream: &mut std::net::TcpStream, text: &str) -> bool {
    use std::io::Write;
    let length = text.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{text}"
    )
    .is_ok()
}

fn post(door: &Door) -> Answer {
    door.send("POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 0\r\n\r\n")
}

#[test]
fn one_that_takes_no_connections_is_left_out_and_comes_back() {
    let good = Upstream::named("good");
    let port = free_port();
    let bad: SocketAddr = ([127, 0, 0, 1], port).into();
    let door = Door::start();
    door.apply(vec![to("shop", &[good.address, bad])]);
    for _ in 0..40 {
        let answer = door.get("shop.localhost", "/");
        assert_eq!((answer.status, answer.text().as_str()), (200, "good"));
    }
    until("it is shown as left out", || {
        door.get("shop.localhost", "/");
        ejected(&door) == ["shop.2"]
    });
    let text = block_on(door.client.metrics()).unwrap();
    assert!(
        text.contains("hostkit_proxy_ejected{instance=\"shop.2\"} 1"),
        "{text}"
    );
    assert!(
        text.contains("hostkit_proxy_ejections_total{instance=\"shop.2\"}"),
        "{text}"
    );

    let _back = Upstream::on(TcpListener::bind(bad).unwrap(), |_, stream| {
        answer_with(stream, "back")
    });
    until("it answers again", || {
        door.get("shop.localhost", "/").text() == "back"
    });
    until("it is left out no more", || ejected(&door).is_empty());
    until("it has its full share", || {
        let answers = (0..10).map(|_| door.get("shop.localhost", "/").text());
        answers.filter(|text| text == "back").count() >= 4
    });
}

#[test]
fn one_that_breaks_requests_off_is_left_out_after_a_few() {
    let broken = Arc::new(AtomicBool::new(true));
    let (good, bad) = (Upstream::named("good"), moody("bad", &broken));
    let door = Door::start();
    door.apply(vec![to("shop", &[good.address, bad.address])]);
    // Not repeated, as it may have been done: its client hears of it.
    let failures = (0..60).filter(|_| post(&door).status == 502).count();
    assert!((3..30).contains(&failures), "{failures}");
    assert!(bad.seen().len() < 20, "{}", bad.seen().len());
    broken.store(false, Ordering::SeqCst);
    until("it answers again", || post(&door).text() == "bad");
}

#[test]
fn requests_that_may_be_repeated_hide_a_backend_that_breaks_off() {
    let broken = Arc::new(AtomicBool::new(true));
    let (good, bad) = (Upstream::named("good"), moody("bad", &broken));
    let door = Door::start();
    door.apply(vec![to("shop", &[good.address, bad.address])]);
    for _ in 0..60 {
        assert_eq!(door.get("shop.localhost", "/").text(), "good");
    }
    assert!(bad.seen().len() < 20, "{}", bad.seen().len());
}

#[test]
fn one_that_does_not_answer_in_time_is_left_out() {
    let silent = Upstream::raw(TcpListener::bind("127.0.0.1:0").unwrap(), |stream, seen| {
        while !read_head(stream).is_empty() {
            seen.lock().unwrap().push(Seen::default());
        }
    });
    let good = Upstream::named("good");
    let door = Door::start();
    let mut route = to("shop", &[silent.address, good.address]);
    route.rules.timeout = Some(Span(Duration::from_millis(100)));
    door.apply(vec![route]);
    until("it is left out", || {
        door.get("shop.localhost", "/");
        ejected(&door) == ["shop.1"]
    });
    assert!(silent.seen().len() >= 3);
}

#[test]
fn the_last_one_is_asked_whatever_it_did() {
    let broken = Arc::new(AtomicBool::new(true));
    let (one, two) = (moody("one", &broken), moody("two", &broken));
    let door = Door::start();
    door.apply(vec![to("shop", &[one.address, two.address])]);
    until("both are left out", || {
        assert_eq!(post(&door).status, 502);
        ejected(&door) == ["shop.1", "shop.2"]
    });
    broken.store(false, Ordering::SeqCst);
    // At once, not when their time is over.
    assert_eq!(post(&door).status, 200);

    let only = moody("only", &Arc::new(AtomicBool::new(true)));
    door.apply(vec![to("shop", &[only.address])]);
    for asked in 1..10 {
        assert_eq!(post(&door).status, 502);
        assert_eq!(only.seen().len(), asked);
    }
}

#[test]
fn errors_of_the_application_and_of_clients_leave_nobody_out() {
    let failing = Upstream::start(|_, stream| {
        use std::io::Write;
        stream
            .write_all(b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n")
            .is_ok()
    });
    let other = Upstream::start(|_, stream| answer_with(stream, "other"));
    let door = Door::start();
    let mut route = to("shop", &[failing.address, other.address]);
    route.rules.timeout = Some(Span(Duration::from_millis(150)));
    door.apply(vec![route]);
    let failed = (0..40)
        .filter(|_| door.get("shop.localhost", "/").status == 500)
        .count();
    assert!((5..=35).contains(&failed), "{failed}");
    // Clients that send too slowly, and go away in the middle.
    for _ in 0..8 {
        use std::io::Write;
        let mut stream = door.connect();
        stream
            .write_all(b"POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 5\r\n\r\nab")
            .unwrap();
        assert_eq!(read_answer(&mut stream, false).status, 504);
        let mut stream = door.connect();
        stream
            .write_all(b"POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 5\r\n\r\nab")
            .unwrap();
    }
    assert_eq!(door.status().ejected, Vec::<BackendId>::new());
}

#[test]
fn one_whose_answers_break_off_after_their_heads_is_left_out_and_one_whose_streams_end_is_not() {
    use std::io::Write;
    for (kind, is_left_out) in [("text/plain", true), ("text/event-stream", false)] {
        let good = Upstream::named("good");
        let bad = Upstream::start(move |_, stream| {
            let head = format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: 100\r\n\r\nbegun");
            stream.write_all(head.as_bytes()).ok();
            false
        });
        let door = Door::start();
        door.apply(vec![to("shop", &[good.address, bad.address])]);
        for _ in 0..20 {
            let mut stream = door.connect();
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n")
                .unwrap();
            std::io::Read::read_to_end(&mut stream, &mut Vec::new()).ok();
        }
        let text = block_on(door.client.metrics()).unwrap();
        let ejections = "hostkit_proxy_ejections_total{instance=\"shop.2\"}";
        let was_left_out = text
            .lines()
            .any(|line| line.starts_with(ejections) && !line.ends_with(" 0"));
        assert_eq!(was_left_out, is_left_out, "{kind}");
    }
}
