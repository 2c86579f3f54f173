//! The front door over real sockets: forwarding.

use std::io::{Read, Write};
use std::time::Duration;

use crate::support::*;

#[test]
fn a_request_arrives_with_our_headers_and_without_the_clients_claims() {
    let upstream = Upstream::named("hello");
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let answer = door.send(
        "GET /a/b?c=d%20e HTTP/1.1\r\nHost: Shop.localhost:8080\r\nX-Forwarded-For: 6.6.6.6\r\n\
         X-Forwarded-Proto: https\r\nX-Forwarded-Prefix: /x\r\nx_forwarded_for: 7.7.7.7\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n\
         X-HostKit-Release: fake\r\nConnection: keep-alive, X-Secret-Hop\r\nX-Secret-Hop: 1\r\nKeep-Alive: timeout=5\r\n\
         Proxy-Authorization: x\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\nTE: gzip\r\nX-Own: kept\r\nCookie: a=b\r\n\r\n",
    );
    assert_eq!((answer.status, answer.text().as_str()), (200, "hello"));
    assert_eq!(answer.header("x-hostkit-release"), Some("20260101-120000"));
    let seen = upstream.last();
    assert_eq!(seen.line(), "GET /a/b?c=d%20e HTTP/1.1");
    assert_eq!(seen.headers("host"), ["Shop.localhost:8080"]);
    assert_eq!(seen.headers("x-forwarded-for"), ["127.0.0.1"]);
    assert_eq!(seen.headers("x-forwarded-proto"), ["http"]);
    assert_eq!(seen.headers("x-forwarded-host"), ["Shop.localhost:8080"]);
    assert_eq!(
        seen.headers("x-forwarded-port"),
        [door.address.port().to_string()]
    );
    assert_eq!(seen.header("x-own"), Some("kept"));
    assert_eq!(seen.header("cookie"), Some("a=b"));
    for gone in [
        "x-forwarded-prefix",
        "x_forwarded_for",
        "forwarded",
        "x-real-ip",
        "x-hostkit-release",
        "x-secret-hop",
        "keep-alive",
        "proxy-authorization",
        "upgrade",
        "http2-settings",
        "te",
        "connection",
        "transfer-encoding",
    ] {
        assert_eq!(seen.header(gone), None, "{gone} in {}", seen.head);
    }
    let id = seen.header("x-request-id").unwrap();
    assert_eq!(id.len(), 32);
    assert_eq!(answer.header("x-request-id"), Some(id));
}

#[test]
fn request_ids_are_kept_where_harmless_and_made_otherwise() {
    let upstream = Upstream::named("x");
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    for (given, kept) in [
        ("my-id_1.A", true),
        ("bad id", false),
        ("", false),
        ("\"}", false),
        (&"a".repeat(129), false),
    ] {
        let answer = door.send(format!(
            "GET / HTTP/1.1\r\nHost: shop.localhost\r\nX-Request-Id: {given}\r\n\r\n"
        ));
        assert_eq!(answer.header("x-request-id") == Some(given), kept, "{given}");
        assert_eq!(upstream.last().headers("x-request-id").len(), 1);
    }
    let twice =
        door.send("GET / HTTP/1.1\r\nHost: shop.localhost\r\nX-Request-Id: a\r\nX-Request-Id: b\r\n\r\n");
    assert_eq!(twice.header("x-request-id").map(str::len), Some(32));
}

#[test]
fn connections_are_kept_on_both_sides() {
    let upstream = Upstream::named("again");
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut stream = door.connect();
    for _ in 0..50 {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
            .unwrap();
        assert_eq!(read_answer(&mut stream, false).text(), "again");
    }
    assert_eq!(upstream.connections.lock().unwrap().len(), 1);
    // Pipelined requests are answered in order.
    stream
        .write_all(&b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n".repeat(5))
        .unwrap();
    for _ in 0..5 {
        assert_eq!(read_answer(&mut stream, false).status, 200);
    }
    let old = door.send("GET / HTTP/1.0\r\nHost: shop.localhost\r\n\r\n");
    assert_eq!(
        (old.status, &old.head[..8], old.text().as_str()),
        (200, "HTTP/1.0", "again")
    );
}

#[test]
fn bodies_stream_both_ways_and_are_not_collected() {
    // The upstream answers each chunk when it comes; with a collecting proxy this would never end.
    let upstream = Upstream::raw(
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        |stream, _| {
            read_head(stream);
            stream
                .write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                .unwrap();
            loop {
                let size = usize::from_str_radix(read_line(stream).trim(), 16).unwrap_or(0);
                let mut chunk = vec![0; size];
                stream.read_exact(&mut chunk).ok();
                read_line(stream);
                write!(stream, "{size:x}\r\n{}\r\n", String::from_utf8_lossy(&chunk)).ok();
                if size == 0 {
                    return;
                }
            }
        },
    );
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut stream = door.connect();
    stream
        .write_all(b"POST / HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n")
        .unwrap();
    stream.write_all(b"5\r\nfirst\r\n").unwrap();
    assert_eq!(&read_head(&mut stream)[..12], "HTTP/1.1 200");
    for word in ["first", "next1", "next2"] {
        if word != "first" {
            write!(stream, "5\r\n{word}\r\n").unwrap();
        }
        assert_eq!(read_line(&mut stream), "5\r\n");
        assert_eq!(read_line(&mut stream), format!("{word}\r\n"));
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    assert_eq!(read_line(&mut stream), "0\r\n");
}

#[test]
fn large_bodies_pass_in_little_memory() {
    const SIZE: usize = 100 << 20;
    let upstream = Upstream::raw(
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        |stream, _| {
            let head = read_head(stream);
            let (mut left, mut buffer, mut sum) = (SIZE, vec![0; 1 << 16], 0u64);
            assert!(head.contains(&format!("content-length: {SIZE}")));
            while left > 0 {
                let read = stream.read(&mut buffer).unwrap();
                assert!(read > 0);
                sum += buffer[..read].iter().map(|b| u64::from(*b)).sum::<u64>();
                left -= read;
            }
            write!(
                stream,
                "HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\nx-sum: {sum}\r\n\r\n"
            )
            .unwrap();
            let piece = vec![7; 1 << 16];
            for _ in 0..SIZE / piece.len() {
                stream.write_all(&piece).unwrap();
            }
        },
    );
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let before = resident();
    let mut stream = door.connect();
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: {SIZE}\r\n\r\n"
    )
    .unwrap();
    let piece = vec![3; 1 << 16];
    for _ in 0..SIZE / piece.len() {
        stream.write_all(&piece).unwrap();
    }
    let head = read_head(&mut stream);
    assert!(head.contains(&format!("x-sum: {}", SIZE * 3)), "{head}");
    let (mut left, mut buffer) = (SIZE, vec![0; 1 << 16]);
    while left > 0 {
        left -= match stream.read(&mut buffer).unwrap() {
            0 => panic!("broke off with {left} bytes to come"),
            read => read,
        };
    }
    assert!(
        resident().saturating_sub(before) < 60 << 20,
        "other tests run beside this one, but not that much"
    );
}

fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap();
    pages.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[test]
fn continue_comes_when_the_body_is_wanted() {
    let upstream = Upstream::named("got it");
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut stream = door.connect();
    stream
        .write_all(
            b"POST / HTTP/1.1\r\nHost: shop.localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
        )
        .unwrap();
    assert_eq!(read_answer(&mut stream, false).status, 100);
    stream.write_all(b"body").unwrap();
    assert_eq!(read_answer(&mut stream, false).text(), "got it");
    assert_eq!(upstream.last().body, b"body");
    // A refused request is told so at once, and never asked for its body.
    let refused = door.send(
        "POST / HTTP/1.1\r\nHost: nobody.localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n",
    );
    assert_eq!(refused.status, 404);
}

#[test]
fn trailers_pass_both_ways() {
    let upstream = Upstream::start(|_, stream| {
        stream
            .write_all(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n",
            )
            .is_ok()
    });
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let answer = door.send(
        "POST / HTTP/1.1\r\nHost: shop.localhost\r\nTE: trailers\r\nConnection: TE\r\nTrailer: X-Own, X-Forwarded-For\r\n\
         Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Own: 1\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n",
    );
    assert_eq!(answer.header("x-sum"), Some("42"), "{}", answer.head);
    let seen = upstream.last();
    assert_eq!(seen.header("x-own"), Some("1"), "{}", seen.head);
    assert_eq!(seen.headers("x-forwarded-for"), ["127.0.0.1"]);
}

#[test]
fn answers_without_a_body_keep_their_form() {
    let upstream = Upstream::start(|seen, stream| {
        let answer: &[u8] = match seen.line().split(' ').nth(1) {
            Some("/204") => b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n",
            Some("/304") => b"HTTP/1.1 304 Not Modified\r\nETag: \"x\"\r\n\r\n",
            Some("/close") => b"HTTP/1.1 200 OK\r\n\r\nuntil the end",
            Some("/early") => b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
            _ => b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n",
        };
        stream.write_all(answer).is_ok() && !seen.line().contains("/close")
    });
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let head = door.send("HEAD /x HTTP/1.1\r\nHost: shop.localhost\r\n\r\n");
    assert_eq!((head.status, head.header("content-length")), (200, Some("1234")));
    let none = door.get("shop.localhost", "/204");
    assert_eq!(
        (none.status, none.header("x-a"), none.header("content-length")),
        (204, Some("1"), None)
    );
    assert_eq!(none.header("transfer-encoding"), None);
    let same = door.get("shop.localhost", "/304");
    assert_eq!((same.status, same.header("etag")), (304, Some("\"x\"")));
    assert_eq!(door.get("shop.localhost", "/close").text(), "until the end");
    assert_eq!(door.get("shop.localhost", "/early").text(), "ok");
}

#[test]
fn an_early_answer_reaches_a_client_that_still_sends() {
    let upstream = Upstream::raw(
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        |stream, _| {
            read_head(stream);
            stream
                .write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\nConnection: close\r\n\r\nno!")
                .unwrap();
            // Reads on a little, as a good server does, so that its answer is not lost to a reset.
            std::thread::sleep(Duration::from_millis(300));
        },
    );
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut stream = door.connect();
    write!(
        stream,
        "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 50000000\r\n\r\n"
    )
    .unwrap();
    let mut writer = stream.try_clone().unwrap();
    let sending = std::thread::spawn(move || {
        let piece = vec![0; 1 << 16];
        // Ends when the front door has heard enough.
        while writer.write_all(&piece).is_ok() {}
    });
    let answer = read_answer(&mut stream, false);
    assert_eq!((answer.status, answer.text().as_str()), (413, "no!"));
    drop(stream);
    sending.join().unwrap();
}

#[test]
fn load_goes_to_the_least_busy_and_is_counted_to_the_end() {
    let slow = Upstream::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nslow")
            .ok();
        std::thread::sleep(Duration::from_secs(3));
        stream.write_all(b"slow").is_ok()
    });
    let quick = Upstream::named("quick");
    let door = Door::start();
    door.apply(vec![to("shop", &[slow.address, quick.address])]);
    let mut stuck = door.connect();
    // Until the slow one has got one.
    until("the slow instance is busy", || {
        stuck = door.connect();
        stuck
            .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
            .unwrap();
        !read_head(&mut stuck).is_empty() && door.in_flight("shop.1") == 1
    });
    for _ in 0..20 {
        assert_eq!(door.get("shop.localhost", "/").text(), "quick");
        if door.in_flight("shop.1") == 0 {
            break;
        }
    }
    until("nothing is in flight", || {
        door.in_flight("shop.1") + door.in_flight("shop.2") == 0
    });
}

#[test]
fn target_forms() {
    let upstream = Upstream::named("x");
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    assert_eq!(
        door.send("GET http://shop.localhost/abs?q=1 HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
            .status,
        200
    );
    assert_eq!(upstream.last().line(), "GET /abs?q=1 HTTP/1.1");
    assert_eq!(
        door.send("OPTIONS * HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
            .status,
        200
    );
    assert_eq!(upstream.last().line(), "OPTIONS * HTTP/1.1");
    assert_eq!(
        door.send("GET http://other.localhost/ HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
            .status,
        400
    );
    assert_eq!(
        door.send("CONNECT shop.localhost:443 HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
            .status,
        405
    );
    assert_eq!(
        door.send("GET * HTTP/1.1\r\nHost: shop.localhost\r\n\r\n").status,
        400
    );
    assert_eq!(upstream.seen().len(), 2);
}

#[test]
fn the_log_tells_each_request_without_its_query() {
    let upstream = Upstream::named("hello");
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let answer = door
        .send("POST /pay?token=canary-7 HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 3\r\n\r\nabc");
    let id = answer.header("x-request-id").unwrap().to_owned();
    until("the line is written", || {
        door.log_lines().iter().any(|line| line["id"] == id.as_str())
    });
    let line = door
        .log_lines()
        .into_iter()
        .find(|line| line["id"] == id.as_str())
        .unwrap();
    for (name, value) in [
        ("project", "shop"),
        ("environment", "production"),
        ("process", "web"),
        ("release", "20260101-120000"),
        ("instance", "shop.1"),
        ("method", "POST"),
        ("host", "shop.localhost"),
        ("path", "/pay"),
        ("client", "127.0.0.1"),
        ("route", "shop/production/web"),
    ] {
        assert_eq!(line[name], value, "{name}");
    }
    for (name, value) in [
        ("status", 200),
        ("bytes_in", 3),
        ("bytes_out", 5),
        ("query_bytes", 14),
    ] {
        assert_eq!(line[name], value, "{name}");
    }
    assert!(line["ms"].as_f64().unwrap() >= line["upstream_ms"].as_f64().unwrap());
    assert!(
        line["time"].as_str().unwrap().parse::<jiff::Timestamp>().is_ok(),
        "{line}"
    );
    assert!(
        !std::fs::read_to_string(door.layout.proxy().join("requests.log"))
            .unwrap()
            .contains("canary")
    );
    assert!(door.status().requests >= 1);
}
