//! The front door over real sockets: holding.

use std::io::Write;
use std::net::TcpListener;
use std::time::{Duration, Instant};

use hostkit_core::route::{NothingReason, Target};
use hostkit_core::size::Span;

use crate::support::*;

fn ask(door: &Door, path: &'static str) -> std::thread::JoinHandle<Answer> {
    let address = door.address;
    std::thread::spawn(move || {
        send(
            address,
            format!("GET {path} HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"),
        )
    })
}

#[test]
fn requests_wait_for_the_first_instance() {
    let upstream = Upstream::named("ready");
    let door = Door::start();
    door.apply(vec![to("shop", &[])]);
    let waiting: Vec<_> = (0..10).map(|_| ask(&door, "/")).collect();
    let address = door.address;
    let upload = std::thread::spawn(move || {
        send(
            address,
            "POST /up HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 4\r\n\r\nbody",
        )
    });
    until("all are held", || door.status().held == 11);
    door.apply(vec![to("shop", &[upstream.address])]);
    for request in waiting {
        assert_eq!(request.join().unwrap().text(), "ready");
    }
    assert_eq!(upload.join().unwrap().text(), "ready");
    assert!(upstream.seen().iter().any(|seen| seen.body == b"body"));
    assert_eq!(door.status().held, 0);
}

#[test]
fn requests_wait_for_an_instance_that_comes_back() {
    let door = Door::start();
    let port = free_port();
    door.apply(vec![to("shop", &[([127, 0, 0, 1], port).into()])]);
    let waiting = ask(&door, "/");
    until("it is held", || door.status().held == 1);
    let _back = Upstream::on(TcpListener::bind(("127.0.0.1", port)).unwrap(), |_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nback")
            .is_ok()
    });
    assert_eq!(waiting.join().unwrap().text(), "back");
}

#[test]
fn holding_is_bounded_in_time_and_number() {
    let door = Door::start();
    let mut route = to("shop", &[]);
    route.hold.time = Span(Duration::from_millis(300));
    door.apply(vec![route.clone()]);
    let began = Instant::now();
    let answer = door.get("shop.localhost", "/");
    assert_eq!(answer.status, 503);
    assert!(answer.header("retry-after").is_some());
    assert!(began.elapsed() >= Duration::from_millis(300));
    assert!(
        answer.text().contains("hostkit logs --project shop"),
        "{}",
        answer.text()
    );

    let mut refused = to("shop", &[([127, 0, 0, 1], free_port()).into()]);
    refused.hold.time = Span(Duration::from_millis(300));
    door.apply(vec![refused]);
    let answer = door.get("shop.localhost", "/");
    assert_eq!(answer.status, 503);
    assert!(
        answer.text().contains("none of its instances took a connection"),
        "{}",
        answer.text()
    );

    route.hold.time = Span::secs(60);
    route.hold.requests = 2;
    door.apply(vec![route]);
    let waiting: Vec<_> = (0..2).map(|_| ask(&door, "/")).collect();
    until("two are held", || door.status().held == 2);
    let third = door.get("shop.localhost", "/");
    assert_eq!((third.status, third.header("retry-after")), (503, Some("1")));
    door.apply(vec![route_to_nothing()]);
    for request in waiting {
        let answer = request.join().unwrap();
        assert!(
            answer.status == 503 && answer.text().contains("stopped by its owner"),
            "{answer:?}"
        );
    }
}

fn route_to_nothing() -> hostkit_core::route::Route {
    route(
        "shop",
        Target::Nothing {
            reason: NothingReason::Stopped,
        },
    )
}

#[test]
fn a_client_that_stops_waiting_is_forgotten() {
    let door = Door::start();
    door.apply(vec![to("shop", &[])]);
    let mut stream = door.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
        .unwrap();
    until("it is held", || door.status().held == 1);
    drop(stream);
    until("it is forgotten", || door.status().held == 0);
    until("it is in the log", || {
        door.log_lines().iter().any(|line| line["status"] == 499)
    });
}

#[test]
fn an_instance_that_refuses_is_passed_over() {
    let upstream = Upstream::named("alive");
    let door = Door::start();
    door.apply(vec![to(
        "shop",
        &[([127, 0, 0, 1], free_port()).into(), upstream.address],
    )]);
    for _ in 0..20 {
        assert_eq!(door.get("shop.localhost", "/").text(), "alive");
        let upload = door.send("POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 2\r\n\r\nab");
        assert_eq!(upload.text(), "alive");
    }
}

#[test]
fn connections_the_instance_closed_are_no_failure() {
    // Closes every connection after its first answer without saying so, as servers do after their idle time.
    let upstream = Upstream::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .ok();
        false
    });
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut stream = door.connect();
    for _ in 0..100 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
            .unwrap();
        assert_eq!(read_answer(&mut stream, false).status, 200);
    }
}

#[test]
fn only_what_may_be_sent_twice_is_sent_twice() {
    let upstream = Upstream::start(|_, _| false);
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let got = door.get("shop.localhost", "/");
    assert_eq!(got.status, 502);
    assert!(
        got.text().contains("closed the connection before it answered"),
        "{}",
        got.text()
    );
    assert_eq!(upstream.seen().len(), 2);
    let posted = door.send("POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 2\r\n\r\nab");
    assert_eq!(posted.status, 502);
    assert_eq!(upstream.seen().len(), 3);
}
