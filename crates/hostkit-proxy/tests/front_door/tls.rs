//! TLS as clients meet it: versions, names, resumption, endings, and what is refused.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};

use crate::secure::*;
use crate::support::*;
use crate::tunnels;

fn get(stream: &mut impl ReadWrite, host: &str, path: &str) -> Answer {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    read_answer(stream, false)
}

trait ReadWrite: Read + Write {}
impl<T: Read + Write> ReadWrite for T {}

#[test]
fn applications_hear_that_a_request_came_over_tls() {
    let upstream = Upstream::named("safe");
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut stream = door.connect_tls("shop.localhost");
    for turn in 0..3 {
        assert_eq!(get(&mut stream, "shop.localhost", "/").text(), "safe", "{turn}");
    }
    // With a body, so that it takes the long way.
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: shop.localhost\r\nX-Forwarded-Proto: http\r\nContent-Length: 3\r\n\r\nabc")
        .unwrap();
    assert_eq!(read_answer(&mut stream, false).status, 200);
    let port = door.tls_address().port().to_string();
    assert_eq!(upstream.seen().len(), 4);
    for seen in upstream.seen() {
        assert_eq!(seen.headers("x-forwarded-proto"), ["https"]);
        assert_eq!(seen.headers("x-forwarded-port"), [port.as_str()]);
        assert_eq!(seen.headers("x-forwarded-host"), ["shop.localhost"]);
    }
    assert_eq!(door.get("shop.localhost", "/").status, 200);
    assert_eq!(upstream.last().header("x-forwarded-proto"), Some("http"));
    let port = door.address.port().to_string();
    assert_eq!(upstream.last().header("x-forwarded-port"), Some(port.as_str()));
    assert_eq!(door.status().https, Some(door.tls_address()));
    until("the log has it", || {
        door.log_lines().iter().filter(|line| line["tls"] == true).count() == 4
    });
}

#[test]
fn large_answers_and_uploads_are_whole() {
    let big: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
    let answer = big.clone();
    let upstream = Upstream::start(move |_, stream| {
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            answer.len()
        )
        .unwrap();
        stream.write_all(&answer).is_ok()
    });
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut stream = door.connect_tls("shop.localhost");
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: {}\r\n\r\n",
        big.len()
    )
    .unwrap();
    stream.write_all(&big).unwrap();
    assert!(read_answer(&mut stream, false).body == big);
    assert!(upstream.last().body == big);
}

#[test]
fn names_nobody_knows_and_no_name_at_all_are_answered() {
    let upstream = Upstream::named("x");
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut unknown = door.connect_tls("nobody.example");
    assert_eq!(get(&mut unknown, "nobody.example", "/").status, 404);
    // A client that asks for an address sends no name.
    let mut nameless = door.connect_tls("127.0.0.1");
    assert_eq!(get(&mut nameless, "127.0.0.1", "/").status, 404);
    assert_eq!(get(&mut nameless, "shop.localhost", "/").status, 200);
}

#[test]
fn a_request_for_another_host_than_the_connection_is_for_goes_nowhere() {
    let (shop, blog) = (Upstream::named("shop"), Upstream::named("blog"));
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[shop.address]), to("blog", &[blog.address])]);
    let mut stream = door.connect_tls("shop.localhost");
    for host in [
        "blog.localhost",
        "blog.localhost:443",
        "nobody.example",
        "127.0.0.1",
        "shop.localhos",
    ] {
        assert_eq!(get(&mut stream, host, "/").status, 421, "{host}");
    }
    for host in ["shop.localhost", "SHOP.localhost:443", "shop.localhost."] {
        assert_eq!(get(&mut stream, host, "/").text(), "shop", "{host}");
    }
    assert!(blog.seen().is_empty());
}

#[test]
fn sessions_are_resumed_in_both_versions() {
    let upstream = Upstream::named("x");
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    for version in [&TLS12, &TLS13] {
        let client = Arc::new(client_of(&["http/1.1"], &[version]));
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let mut stream = connect_tls(door.tls_address(), &client, "shop.localhost");
            assert_eq!(get(&mut stream, "shop.localhost", "/").status, 200);
            assert_eq!(stream.conn.protocol_version(), Some(version.version));
            assert_eq!(stream.conn.alpn_protocol(), Some(&b"http/1.1"[..]));
            kinds.push(stream.conn.handshake_kind());
        }
        assert_eq!(kinds, [Some(HandshakeKind::Full), Some(HandshakeKind::Resumed)]);
    }
}

/// The first message of a client that knows nothing newer than `version`.
fn old_hello(version: u8) -> Vec<u8> {
    let mut hello = vec![3, version];
    hello.extend([7; 32]);
    hello.extend([0, 0, 4, 0xc0, 0x2f, 0x00, 0x2f, 1, 0]);
    let mut message = vec![1, 0, 0, hello.len() as u8];
    message.extend(hello);
    let mut record = vec![22, 3, 1, 0, message.len() as u8];
    record.extend(message);
    record
}

#[test]
fn old_versions_and_what_is_no_tls_are_refused_and_counted() {
    let upstream = Upstream::named("x");
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    let ask = |bytes: &[u8]| {
        let mut stream = connect(door.tls_address());
        stream.write_all(bytes).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).ok();
        answer
    };
    for version in [0, 1, 2] {
        let answer = ask(&old_hello(version));
        // An alert, fatal: protocol version, or handshake failure.
        assert_eq!((answer[0], answer[5]), (21, 2), "{answer:?}");
        assert!(matches!(answer[6], 70 | 40), "{answer:?}");
    }
    for nonsense in [
        &b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"[..],
        &[0; 600],
        &[22, 3, 1, 0xff, 0xff, 1],
    ] {
        assert!(
            !ask_and_hang_up(&door, nonsense).starts_with(b"HTTP"),
            "{nonsense:?}"
        );
    }
    until("all are counted", || door.status().failed_handshakes == 6);
    let strange = Arc::new(client(&["spdy/3"]));
    let mut stream = connect_tls(door.tls_address(), &strange, "shop.localhost");
    assert!(stream.write_all(b"GET").is_err());
    assert_eq!(
        get(&mut door.connect_tls("shop.localhost"), "shop.localhost", "/").status,
        200
    );
    assert!(upstream.seen().len() == 1);
}

fn ask_and_hang_up(door: &Door, bytes: &[u8]) -> Vec<u8> {
    let mut stream = connect(door.tls_address());
    stream.write_all(bytes).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    answer
}

#[test]
fn a_handshake_that_dribbles_is_ended_and_nobody_else_is() {
    let upstream = Upstream::named("x");
    let door = Door::secure(|config| config.limits.headers = Duration::from_millis(400));
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut silent = connect(door.tls_address());
    let mut dribbling = connect(door.tls_address());
    // A record that says it is long: each byte alone must not buy more time.
    dribbling.write_all(&[22, 3, 1, 0x20, 0]).unwrap();
    let mut other = door.connect_tls("shop.localhost");
    let mut ended = false;
    for _ in 0..400 {
        assert_eq!(get(&mut other, "shop.localhost", "/").status, 200);
        if dribbling.write_all(&[1]).is_err() {
            ended = true;
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert!(ended, "it dribbles still");
    assert_eq!(silent.read(&mut [0]).unwrap_or(0), 0);
    // After the handshake a head is waited for as long as without TLS.
    let mut half = door.connect_tls("shop.localhost");
    half.write_all(b"GET / HTTP/1.1\r\nHost: shop").unwrap();
    assert_eq!(half.read(&mut [0]).unwrap_or(0), 0);
    let mut nothing = door.connect_tls("shop.localhost");
    nothing.flush().unwrap();
    assert_eq!(nothing.read(&mut [0]).unwrap_or(0), 0);
}

#[test]
fn connections_end_with_a_notice() {
    let upstream =
        Upstream::start(|_, stream| write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_ok());
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    for request in [
        "GET / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n",
        // Refused, with bytes that nobody reads behind it.
        "TRACE / HTTP/1.1\r\nHost: shop.localhost\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ] {
        let mut stream = door.connect_tls("shop.localhost");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        // Without the notice this were an error: anybody in between could have cut the answer short.
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    }
}

#[test]
fn stopping_finishes_what_is_in_flight_over_tls() {
    let upstream = Upstream::start(|_, stream| {
        std::thread::sleep(Duration::from_millis(700));
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").is_ok()
    });
    let mut door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut busy = door.connect_tls("shop.localhost");
    busy.write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
        .unwrap();
    until("it is in flight", || door.in_flight("shop.1") == 1);
    let handle = door.handle.take().unwrap();
    let stopping = std::thread::spawn(move || handle.stop());
    assert_eq!(read_answer(&mut busy, false).text(), "done");
    assert_eq!(busy.read(&mut [0]).unwrap(), 0);
    stopping.join().unwrap();
}

#[test]
fn a_tunnel_that_ends_with_the_front_door_says_so() {
    let upstream = tunnels::echo();
    let mut door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut tunnel = door.connect_tls("shop.localhost");
    tunnels::upgrade(&mut tunnel, "shop.localhost");
    door.handle.take().unwrap().stop();
    // An error were an end that anybody could have made.
    assert_eq!(tunnel.read(&mut [0]).unwrap(), 0);
}

#[test]
fn upgrades_work_over_tls() {
    let upstream = Upstream::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: upgrade\r\n\r\n")
            .unwrap();
        let mut bytes = [0; 5];
        stream.read_exact(&mut bytes).unwrap();
        stream.write_all(&bytes).unwrap();
        false
    });
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut stream = door.connect_tls("shop.localhost");
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        .unwrap();
    assert_eq!(read_answer(&mut stream, false).status, 101);
    stream.write_all(b"hello").unwrap();
    let mut echo = [0; 5];
    stream.read_exact(&mut echo).unwrap();
    assert_eq!(&echo, b"hello");
}

#[test]
fn a_question_about_a_host_that_is_not_being_proved_is_refused() {
    let door = Door::secure(|_| ());
    let authority = Arc::new(client(&["acme-tls/1"]));
    let mut stream = connect_tls(door.tls_address(), &authority, "shop.localhost");
    let refused = stream.read(&mut [0]).unwrap_err();
    assert!(refused.to_string().contains("AccessDenied"), "{refused}");
}

#[test]
fn where_nothing_is_being_proved_the_path_of_proofs_is_the_applications() {
    let upstream = Upstream::named("app");
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    for path in [
        "/.well-known/acme-challenge/token",
        "/.well-known/acme-challenge/",
        "/.well-known/acme-challenge/../x",
    ] {
        assert_eq!(door.get("shop.localhost", path).text(), "app", "{path}");
    }
    assert_eq!(
        door.get("nobody.localhost", "/.well-known/acme-challenge/token")
            .status,
        404
    );
}

#[test]
fn connections_over_tls_count_for_the_limit_from_their_first_byte() {
    let upstream = Upstream::named("x");
    let door = Door::secure(|config| config.limits.connections = 4);
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut kept = Vec::new();
    // Said before anything is asked: what lies unread when it is closed could take the answer away.
    until("there is no room", || {
        // Two threads accept: one of these may have come behind the plain one and have been refused.
        kept.push(connect(door.tls_address()));
        let mut over = door.connect();
        over.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        read_answer(&mut over, false).status == 503
    });
    drop(kept);
    until("there is room again", || {
        let mut stream = door.connect();
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
            .ok();
        read_answer(&mut stream, false).status == 200
    });
}
