//! The front door over real sockets: lifecycle.

use std::io::{Read, Write};
use std::time::Duration;

use hostkit_core::kind::Kind;
use hostkit_core::traits::traffic::Traffic;
use hostkit_proxy::inherited_listeners;

use crate::support::*;

#[test]
fn stopping_finishes_what_is_in_flight_and_takes_nothing_new() {
    let upstream = Upstream::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            .ok();
        std::thread::sleep(Duration::from_millis(700));
        stream.write_all(b"half").is_ok()
    });
    let mut door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut idle = door.connect();
    let mut busy = door.connect();
    busy.write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
        .unwrap();
    until("it is in flight", || door.in_flight("shop.1") == 1);
    let handle = door.handle.take().unwrap();
    let stopping = std::thread::spawn(move || handle.stop());
    assert_eq!(read_answer(&mut busy, false).text(), "halfhalf");
    assert_eq!(
        idle.read(&mut [0]).unwrap_or(0),
        0,
        "an idle connection is closed"
    );
    assert_eq!(
        busy.read(&mut [0]).unwrap_or(0),
        0,
        "a busy one is closed after its answer"
    );
    stopping.join().unwrap();
    assert!(std::net::TcpStream::connect(door.address).is_err());
    // Nothing was lost of the log.
    assert!(
        door.log_lines()
            .iter()
            .any(|line| line["status"] == 200 && line["bytes_out"] == 8)
    );
    let failure = block_on(door.client.status()).unwrap_err();
    assert_eq!(failure.kind, Kind::Unavailable);
}

/// A client cannot know that the connection it sends on is about to be closed.
#[test]
fn a_request_that_comes_just_after_the_stop_is_still_answered() {
    let upstream = Upstream::named("late");
    let mut door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let ask = |stream: &mut std::net::TcpStream| {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
            .unwrap();
        read_answer(stream, false)
    };
    let (mut fresh, mut kept) = (door.connect(), door.connect());
    let before = ask(&mut kept);
    assert_eq!(
        (before.text().as_str(), before.header("connection")),
        ("late", None)
    );
    // The busy one keeps the front door from being gone before the others have sent anything.
    let mut busy = door.connect();
    busy.write_all(b"GET / HT").unwrap();
    let handle = door.handle.take().unwrap();
    let stopping = std::thread::spawn(move || handle.stop());
    until("nothing is accepted any more", || {
        std::net::TcpStream::connect(door.address).is_err()
    });
    for stream in [&mut fresh, &mut kept] {
        let answer = ask(stream);
        assert_eq!(answer.text(), "late");
        assert_eq!(answer.header("connection"), Some("close"));
        assert_eq!(stream.read(&mut [0]).unwrap_or(0), 0);
    }
    drop(busy);
    stopping.join().unwrap();
}

#[test]
fn a_stop_has_an_end() {
    let upstream = Upstream::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf")
            .ok();
        std::thread::sleep(PATIENCE);
        false
    });
    let mut door = Door::start_with(|config| config.limits.stop = Duration::from_millis(300));
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut busy = door.connect();
    busy.write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
        .unwrap();
    read_head(&mut busy);
    door.handle.take().unwrap().stop();
    let mut rest = Vec::new();
    busy.read_to_end(&mut rest).ok();
    assert_eq!(rest, b"half");
}

#[test]
fn sockets_that_outlive_the_front_door_lose_no_connection() {
    let upstream = Upstream::named("back");
    let listeners = hostkit_proxy::bind_public(([127, 0, 0, 1], 0).into(), 2).unwrap();
    let copies = || {
        listeners
            .iter()
            .map(|listener| listener.try_clone().unwrap())
            .collect::<Vec<_>>()
    };
    let mut door = Door::start_with(|config| config.listeners = copies());
    door.apply(vec![to("shop", &[upstream.address])]);
    let folder = std::sync::Arc::clone(&door.folder);
    drop(door.handle.take());
    // Nobody accepts now, and still nobody is refused.
    let mut waiting: Vec<_> = (0..20)
        .map(|_| {
            let mut stream = door.connect();
            stream
                .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
                .unwrap();
            stream
        })
        .collect();
    let taken = inherited_listeners(copies().into_iter().map(std::os::fd::OwnedFd::from).collect()).unwrap();
    let _door = Door::start_in(folder, |config| config.listeners = taken);
    for stream in &mut waiting {
        assert_eq!(read_answer(stream, false).text(), "back");
    }
}

#[test]
fn only_listening_sockets_are_taken_over() {
    let file = std::fs::File::open("/dev/null").unwrap();
    let failure = inherited_listeners(vec![file.into()]).unwrap_err();
    assert!(
        failure.message.starts_with("cannot take over listening socket 0"),
        "{failure}"
    );
    let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    assert!(inherited_listeners(vec![socket.into()]).is_err());
}
