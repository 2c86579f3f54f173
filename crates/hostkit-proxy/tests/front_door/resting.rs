//! Connections that are idle give their memory back, and nobody who has one notices.

use std::io::{ErrorKind, Read, Write};
use std::time::Duration;

use crate::support::*;

const SHOP: &str = "shop.localhost";
/// Longer than a connection of these doors is idle before it rests.
const REST: Duration = Duration::from_millis(500);

/// Answers with the target of the request.
fn telling() -> Upstream {
    Upstream::start(|seen, stream| {
        let target = seen.line().split(' ').nth(1).unwrap_or_default().to_owned();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{target}",
            target.len()
        )
        .is_ok()
    })
}

fn restless(config: &mut hostkit_proxy::ProxyConfig) {
    // How often the front door looks at its connections follows from the shortest of its times.
    config.limits.upstream_idle = Duration::from_millis(200);
}

fn ask(stream: &mut (impl Read + Write), target: &str) -> String {
    write!(stream, "GET {target} HTTP/1.1\r\nHost: {SHOP}\r\n\r\n").unwrap();
    read_answer(stream, false).text()
}

/// A request that comes in halves, one of them together with the request before.
fn goes_on(mut stream: impl Read + Write) {
    for turn in 0..3 {
        assert_eq!(
            ask(&mut stream, &format!("/first/{turn}")),
            format!("/first/{turn}")
        );
        std::thread::sleep(REST);
        write!(
            stream,
            "GET /second/{turn} HTTP/1.1\r\nHost: {SHOP}\r\n\r\nGET /third/{turn} HT"
        )
        .unwrap();
        assert_eq!(read_answer(&mut stream, false).text(), format!("/second/{turn}"));
        std::thread::sleep(REST);
        write!(stream, "TP/1.1\r\nHost: {SHOP}\r\n\r\n").unwrap();
        assert_eq!(read_answer(&mut stream, false).text(), format!("/third/{turn}"));
        std::thread::sleep(REST);
        write!(
            stream,
            "POST /fourth/{turn} HTTP/1.1\r\nHost: {SHOP}\r\nContent-Length: 4\r\n\r\nab"
        )
        .unwrap();
        std::thread::sleep(REST);
        write!(stream, "cd").unwrap();
        assert_eq!(read_answer(&mut stream, false).text(), format!("/fourth/{turn}"));
        std::thread::sleep(REST);
    }
}

#[test]
fn a_connection_that_rested_goes_on_where_it_was() {
    let upstream = telling();
    let door = Door::secure(restless);
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut silent = door.connect();
    std::thread::scope(|scope| {
        scope.spawn(|| goes_on(door.connect()));
        scope.spawn(|| goes_on(door.connect_tls(SHOP)));
    });
    // One that never said anything.
    assert_eq!(ask(&mut silent, "/late"), "/late");
}

#[test]
fn a_connection_that_rests_is_closed_when_its_time_is_over_and_when_the_door_stops() {
    let upstream = telling();
    let door = Door::secure(|config| {
        restless(config);
        config.limits.idle = Duration::from_secs(2);
    });
    door.apply(vec![to("shop", &[upstream.address])]);
    let is_closed = |stream: &mut dyn Read| match stream.read(&mut [0; 16]) {
        Ok(0) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset || error.kind() == ErrorKind::UnexpectedEof,
        Ok(_) => false,
    };
    let (mut plain, mut tls) = (door.connect(), door.connect_tls(SHOP));
    assert_eq!(
        (ask(&mut plain, "/a"), ask(&mut tls, "/b")),
        ("/a".into(), "/b".into())
    );
    assert!(is_closed(&mut plain) && is_closed(&mut tls));
    let (mut plain, mut tls) = (door.connect(), door.connect_tls(SHOP));
    assert_eq!(
        (ask(&mut plain, "/a"), ask(&mut tls, "/b")),
        ("/a".into(), "/b".into())
    );
    std::thread::sleep(REST);
    let stopping = std::thread::spawn(move || drop(door));
    assert!(is_closed(&mut plain) && is_closed(&mut tls));
    stopping.join().unwrap();
}

#[test]
fn a_crowd_rests_at_once_and_is_answered_all_the_same() {
    let upstream = telling();
    let door = Door::start_with(|config| config.threads = 1);
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut crowd: Vec<_> = (0..600).map(|_| door.connect()).collect();
    for turn in 0..3 {
        for (at, stream) in crowd.iter_mut().enumerate() {
            let target = format!("/{turn}/{at}");
            assert_eq!(ask(stream, &target), target);
        }
    }
}

#[test]
fn a_connection_that_rested_can_become_a_tunnel() {
    let upstream = Upstream::raw(
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        |stream, _| {
            let head = read_head(stream);
            if !head.to_lowercase().contains("\r\nupgrade: ") {
                let plain = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 5\r\n\r\nplain";
                stream.write_all(plain.as_bytes()).ok();
                return;
            }
            let switched = "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n";
            stream.write_all(switched.as_bytes()).ok();
            let mut buffer = [0; 4096];
            while let Ok(read @ 1..) = stream.read(&mut buffer) {
                stream.write_all(&buffer[..read]).ok();
            }
        },
    );
    let door = Door::start_with(restless);
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut stream = door.connect();
    assert_eq!(ask(&mut stream, "/"), "plain");
    std::thread::sleep(REST);
    write!(
        stream,
        "GET /ws HTTP/1.1\r\nHost: {SHOP}\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nearly"
    )
    .unwrap();
    assert!(read_head(&mut stream).starts_with("HTTP/1.1 101 "));
    for _ in 0..2 {
        let mut echoed = [0; 5];
        stream.read_exact(&mut echoed).unwrap();
        assert_eq!(&echoed, b"early");
        std::thread::sleep(REST);
        stream.write_all(b"early").unwrap();
    }
}
