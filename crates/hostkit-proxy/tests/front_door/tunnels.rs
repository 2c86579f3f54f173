//! The front door over real sockets: tunnels.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use crate::support::*;

/// Answers an upgrade and echoes what comes, byte for byte, until the other side is done.
pub(crate) fn echo() -> Upstream {
    Upstream::raw(TcpListener::bind("127.0.0.1:0").unwrap(), |stream, seen| {
        let head = read_head(stream);
        seen.lock().unwrap().push(Seen {
            head: head.clone(),
            body: Vec::new(),
        });
        if !head.to_lowercase().contains("\r\nupgrade: ") {
            // One that closes says so: a connection it keeps open to be used again may carry a POST at that moment.
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nplain")
                .ok();
            return;
        }
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\nX-Own: 1\r\n\r\nhi!")
            .ok();
        let mut buffer = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut buffer) {
            stream.write_all(&buffer[..read]).ok();
        }
    })
}

fn open(address: SocketAddr, host: &str) -> TcpStream {
    let mut stream = connect(address);
    upgrade(&mut stream, host);
    stream
}

/// Makes a tunnel of a connection.
pub(crate) fn upgrade(stream: &mut (impl Read + Write), host: &str) {
    write!(
        stream,
        "GET /ws HTTP/1.1\r\nHost: {host}\r\nConnection: keep-alive, Upgrade\r\nUpgrade: echo\r\n\r\nearly"
    )
    .unwrap();
    let answer = read_answer(stream, false);
    assert_eq!(answer.status, 101, "{answer:?}");
    assert_eq!(answer.header("upgrade"), Some("echo"));
    assert_eq!(
        answer.header("connection").map(str::to_lowercase).as_deref(),
        Some("upgrade")
    );
    assert_eq!(answer.header("x-own"), Some("1"));
    let mut first = [0; 8];
    stream.read_exact(&mut first).unwrap();
    assert_eq!(&first, b"hi!early");
}

pub(crate) fn echoes(stream: &mut (impl Read + Write)) -> bool {
    let mut answer = [0; 4];
    stream.write_all(b"ping").is_ok() && stream.read_exact(&mut answer).is_ok() && &answer == b"ping"
}

/// Nobody new is served while one that stops waits for what it has, and a tunnel has no end.
#[test]
fn a_stop_waits_for_requests_and_not_for_tunnels_and_streams_of_events() {
    let (echoing, slow) = (
        echo(),
        Upstream::start(|seen, stream| {
            if seen.line().contains("/events") {
                stream
                    .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\n\n")
                    .ok();
                std::thread::sleep(PATIENCE);
                return false;
            }
            std::thread::sleep(Duration::from_secs(3));
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nlate")
                .is_ok()
        }),
    );
    let mut door = Door::start_with(|config| config.limits.stop = 4 * PATIENCE);
    door.apply(vec![to("shop", &[echoing.address]), to("blog", &[slow.address])]);
    let mut tunnel = open(door.address, "shop.localhost");
    let (mut events, mut busy) = (door.connect(), door.connect());
    events
        .write_all(b"GET /events HTTP/1.1\r\nHost: blog.localhost\r\n\r\n")
        .unwrap();
    read_head(&mut events);
    busy.write_all(b"GET / HTTP/1.1\r\nHost: blog.localhost\r\n\r\n")
        .unwrap();
    until("all are in flight", || {
        (door.in_flight("shop.1"), door.in_flight("blog.1")) == (1, 2)
    });
    let handle = door.handle.take().unwrap();
    let stopping = std::thread::spawn(move || handle.stop());
    assert_eq!(read_answer(&mut busy, false).text(), "late");
    let mut rest = Vec::new();
    for stream in [&mut tunnel, &mut events] {
        let ended = stream.read_to_end(&mut rest);
        let is_over = ended
            .as_ref()
            .err()
            .is_none_or(|e| e.kind() == ErrorKind::ConnectionReset);
        assert!(is_over, "{ended:?}");
    }
    assert!(rest.windows(7).any(|window| window == b"data: 1"), "{rest:?}");
    stopping.join().unwrap();
}

#[test]
fn an_upgrade_is_a_tunnel_both_ways_until_one_side_ends() {
    let upstream = echo();
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut stream = open(door.address, "shop.localhost");
    for _ in 0..100 {
        assert!(echoes(&mut stream));
    }
    assert_eq!(door.in_flight("shop.1"), 1);
    let seen = upstream.last();
    assert_eq!(seen.header("upgrade"), Some("echo"));
    assert_eq!(seen.header("connection"), Some("upgrade"));
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    drop(stream);
    until("the tunnel is over", || door.in_flight("shop.1") == 0);
    until("it is in the log", || {
        door.log_lines().iter().any(|line| line["status"] == 101)
    });
    let line = door
        .log_lines()
        .into_iter()
        .find(|line| line["status"] == 101)
        .unwrap();
    assert_eq!(line["bytes_in"], 405);
    assert_eq!(line["bytes_out"], 408);
}

#[test]
fn upgrades_that_are_none_are_plain_requests() {
    let upstream = echo();
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    for request in [
        "GET / HTTP/1.1\r\nHost: shop.localhost\r\nUpgrade: echo\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: echo, h2c\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\nContent-Length: 0\r\n\r\n",
        "GET / HTTP/1.0\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n",
    ] {
        let answer = door.send(request);
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (200, "plain"),
            "{request}"
        );
        assert_eq!(upstream.last().header("upgrade"), None, "{request}");
    }
}

#[test]
fn a_tunnel_of_one_project_outlives_deploys_of_another_and_tables_without_end() {
    let (upstream, other) = (echo(), Upstream::named("v"));
    let door = Door::start();
    door.apply(vec![
        to("shop", &[upstream.address]),
        to("blog", &[other.address]),
    ]);
    let mut stream = open(door.address, "shop.localhost");
    for _ in 0..20 {
        let next = Upstream::named("w");
        door.apply(vec![to("shop", &[upstream.address]), to("blog", &[next.address])]);
        door.drain(&["blog.1"], Duration::from_secs(5));
        assert!(echoes(&mut stream));
    }
}

#[test]
fn a_drain_waits_for_tunnels_and_cuts_them_when_the_grace_is_over() {
    let upstream = echo();
    let next = Upstream::named("new");
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut stream = open(door.address, "shop.localhost");
    let mut route = to("shop", &[next.address]);
    if let hostkit_core::route::Target::Instances { backends } = &mut route.target {
        backends[0].id.0 = "shop.new".into();
    }
    door.apply(vec![route]);
    assert_eq!(door.get("shop.localhost", "/").text(), "new");
    assert!(echoes(&mut stream), "traffic moved, the tunnel stays");
    let drained = door.drain(&["shop.1"], Duration::from_millis(300));
    assert_eq!(drained.cut, 1);
    assert!(!echoes(&mut stream));
    assert_eq!(door.in_flight("shop.1"), 0);
}
