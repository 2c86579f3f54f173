//! The short way to a backend and where it ends: what is not plain is hyper's, and nobody notices.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::support::*;

/// Answers each path in a form of its own.
fn forms() -> Upstream {
    Upstream::start(|request, stream| {
        let path = request.line().split(' ').nth(1).unwrap_or_default().to_owned();
        let (head, keeps) = match path.as_str() {
            "/chunked" => (
                "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                true,
            ),
            "/early" => (
                "103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
                true,
            ),
            "/reason" => ("200 Fine\r\nContent-Length: 3\r\n\r\nabc", true),
            "/none" => ("204 No Content\r\n\r\n", true),
            "/known" => ("304 Not Modified\r\nETag: \"x\"\r\n\r\n", true),
            "/until-close" => ("200 OK\r\n\r\nabc", false),
            "/closing" => (
                "200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
                false,
            ),
            "/hop" => (
                "200 OK\r\nConnection: X-Hop\r\nX-Hop: 1\r\nContent-Length: 3\r\n\r\nabc",
                true,
            ),
            "/empty" => ("200 OK\r\nContent-Length: 0\r\n\r\n", true),
            "/claims" => (
                "200 OK\r\nX-Request-Id: theirs\r\nX-HostKit-Release: theirs\r\nContent-Length: 3\r\n\r\nabc",
                true,
            ),
            "/long-head" => {
                let long = "l".repeat(20_000);
                write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nX-Long: {long}\r\nContent-Length: 3\r\n\r\nabc"
                )
                .ok();
                return true;
            }
            _ => ("200 OK\r\nContent-Length: 3\r\n\r\nabc", true),
        };
        write!(stream, "HTTP/1.1 {head}").is_ok() && keeps
    })
}

fn ask(stream: &mut TcpStream, method: &str, path: &str) -> Answer {
    write!(stream, "{method} {path} HTTP/1.1\r\nHost: shop.localhost\r\n\r\n").unwrap();
    read_answer(stream, method == "HEAD")
}

#[test]
fn every_form_of_answer_arrives_and_every_request_once() {
    let upstream = forms();
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut client = door.connect();
    let mut asked = 0;
    for path in [
        "/",
        "/chunked",
        "/",
        "/early",
        "/",
        "/reason",
        "/none",
        "/",
        "/known",
        "/until-close",
        "/",
        "/closing",
        "/",
        "/hop",
        "/empty",
        "/",
        "/claims",
        "/long-head",
        "/",
    ] {
        let answer = ask(&mut client, "GET", path);
        asked += 1;
        let (status, body) = match path {
            "/none" => (204, ""),
            "/known" => (304, ""),
            "/empty" => (200, ""),
            _ => (200, "abc"),
        };
        assert_eq!(
            (answer.status, answer.text().as_str()),
            (status, body),
            "{path}: {answer:?}"
        );
        assert_eq!(
            answer.head.contains(" 200 Fine\r\n"),
            path == "/reason",
            "{answer:?}"
        );
        assert_eq!(answer.header("x-hop"), None);
        let id = answer.header("x-request-id").unwrap();
        assert_eq!(upstream.last().headers("x-request-id"), [id], "{path}");
        assert_eq!(answer.head.matches("x-request-id").count(), 1, "{answer:?}");
        assert_eq!(answer.header("x-hostkit-release"), Some("20260101-120000"));
        assert_eq!(upstream.last().line(), format!("GET {path} HTTP/1.1"));
        assert_eq!(
            upstream.last().headers("x-forwarded-for"),
            ["127.0.0.1"],
            "{path}"
        );
        assert_eq!(upstream.seen().len(), asked, "{path} was sent more than once");
    }
    for method in ["HEAD", "DELETE", "OPTIONS", "POST", "GET"] {
        let answer = ask(&mut client, method, "/");
        asked += 1;
        assert_eq!(answer.status, 200, "{method}: {answer:?}");
        assert_eq!(upstream.last().line(), format!("{method} / HTTP/1.1"));
        assert_eq!(upstream.seen().len(), asked, "{method}");
    }
    until("nothing is left in flight", || door.in_flight("shop.1") == 0);
}

#[test]
fn an_answer_in_pieces_is_whole() {
    let body: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
    let sent = body.clone();
    let upstream = Upstream::start(move |request, stream| {
        if request.line().contains("/slow") {
            for byte in b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: b\r\n\r\nhello" {
                stream.write_all(&[*byte]).ok();
                std::thread::sleep(Duration::from_millis(1));
            }
            return true;
        }
        let is_large = request.line().contains("/large");
        let part = if is_large { &sent[..1_000_000] } else { &sent };
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            part.len()
        )
        .ok();
        stream.write_all(part).is_ok()
    });
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    for _ in 0..3 {
        let slow = door.get("shop.localhost", "/slow");
        assert_eq!((slow.text().as_str(), slow.header("x-a")), ("hello", Some("b")));
        assert!(door.get("shop.localhost", "/large").body == body[..1_000_000]);
        assert!(door.get("shop.localhost", "/huge").body == body);
    }
}

#[test]
fn bytes_behind_an_answer_are_nobodys_answer() {
    let stolen = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nstolen";
    let upstream = Upstream::start(move |request, stream| {
        let late = request.line().contains("/late");
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .ok();
        if late {
            std::thread::sleep(Duration::from_millis(50));
        }
        if late || request.line().contains("/at-once") {
            stream.write_all(stolen.as_bytes()).ok();
        }
        true
    });
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    for path in ["/at-once", "/late", "/at-once", "/late"] {
        assert_eq!(door.get("shop.localhost", path).text(), "ok");
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(door.get("shop.localhost", "/").text(), "ok", "behind {path}");
    }
}

#[test]
fn an_answer_that_breaks_off_breaks_off_at_the_client() {
    let upstream = Upstream::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            .ok();
        false
    });
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut client = door.connect();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    client.read_to_end(&mut answer).ok();
    // What was not yet on its way when it broke off may be missing as well.
    let text = String::from_utf8_lossy(&answer);
    assert!(text.is_empty() || text.ends_with("half"), "{text}");
    assert_eq!(upstream.seen().len(), 1, "what was begun is not asked again");
    until("nothing is left in flight", || door.in_flight("shop.1") == 0);
}

#[test]
fn a_body_that_stands_still_is_cut_with_its_backend() {
    let upstream = Upstream::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf")
            .ok();
        let mut end = [0];
        // Until the front door closes.
        stream.read(&mut end).is_ok_and(|read| read > 0)
    });
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut client = door.connect();
    client
        .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
        .unwrap();
    let head = read_head(&mut client);
    assert!(head.contains("content-length: 10"), "{head}");
    door.apply(vec![]);
    let drained = door.drain(&["shop.1"], Duration::from_millis(100));
    assert_eq!(drained.cut, 1, "{drained:?}");
    let mut rest = Vec::new();
    client.read_to_end(&mut rest).ok();
    assert_eq!(rest, b"half");
}

#[test]
fn half_a_head_is_late_like_none_and_a_whole_one_in_pieces_is_not() {
    let upstream = Upstream::start(|request, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Le").ok();
        if request.line().contains("/half") {
            // Until the front door gives up.
            let mut end = [0];
            return stream.read(&mut end).is_ok_and(|read| read > 0);
        }
        std::thread::sleep(Duration::from_millis(50));
        stream.write_all(b"ngth: 3\r\n\r\nabc").is_ok()
    });
    let door = Door::start_with(|config| config.limits.answer = Duration::from_millis(1500));
    door.apply(vec![to("shop", &[upstream.address])]);
    assert_eq!(door.get("shop.localhost", "/whole").text(), "abc");
    assert_eq!(door.get("shop.localhost", "/half").status, 504);
    assert_eq!(door.get("shop.localhost", "/whole").text(), "abc");
    assert_eq!(upstream.seen().len(), 3);
    until("nothing is left in flight", || door.in_flight("shop.1") == 0);
}
