//! The two ways of a client's request: the short one and hyper's. Nobody can tell from the answer which one it was.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;

use crate::support::*;

const SHOP: &str = "shop.localhost";

/// Answers each path in a form of its own.
fn forms() -> Upstream {
    Upstream::start(|request, stream| {
        let path = request.line().split(' ').nth(1).unwrap_or_default().to_owned();
        let (head, keeps) = match path.as_str() {
            "/chunked" => (
                "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
                true,
            ),
            "/reason" => ("200 Fine\r\nContent-Length: 3\r\n\r\nabc", true),
            "/unknown" => ("299 \r\nContent-Length: 3\r\n\r\nabc", true),
            "/none" => ("204 No Content\r\n\r\n", true),
            "/known" => (
                "304 Not Modified\r\nETag: \"x\"\r\nContent-Length: 3\r\n\r\n",
                true,
            ),
            "/until-close" => ("200 OK\r\n\r\nabc", false),
            "/closing" => (
                "200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\nabc",
                false,
            ),
            "/empty" => (
                "404 Not Found\r\nX-A: b\r\nContent-Length: 0\r\nX-C: d\r\n\r\n",
                true,
            ),
            "/zeros" => ("200 OK\r\nContent-Length: 003\r\n\r\nabc", true),
            "/cookies" => (
                "200 OK\r\nSet-Cookie: a=b\r\nX-A: b\r\nSet-Cookie: c=d\r\nContent-Length: 3\r\n\r\nabc",
                true,
            ),
            "/dated" => (
                "200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: 3\r\n\r\nabc",
                true,
            ),
            "/text" => {
                let text = "text ".repeat(2000);
                let head = "Content-Type: text/html\r\nContent-Length: 10000";
                let whole = format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{text}");
                return stream.write_all(whole.as_bytes()).is_ok();
            }
            "/large" => {
                let body = "large".repeat(100_000);
                return write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 500000\r\n\r\n{body}").is_ok();
            }
            "/longer" => {
                let body = "longer".repeat(500_000);
                return write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n\r\n{body}").is_ok();
            }
            "/nothing" => return false,
            "/nonsense" => ("abc", false),
            _ => ("200 OK\r\nContent-Length: 3\r\n\r\nabc", true),
        };
        stream.write_all(format!("HTTP/1.1 {head}").as_bytes()).is_ok() && keeps
    })
}

/// All bytes of an answer up to the end of the connection, but for what differs between any two: the id and the time.
fn all_of(stream: &mut (impl Read + Write), request: &str) -> String {
    // A second request is sent by itself: together they would not be plain.
    let second = request.find("GET /last").unwrap_or(request.len());
    stream.write_all(&request.as_bytes()[..second]).unwrap();
    stream.write_all(&request.as_bytes()[second..]).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).ok();
    let mut text = String::from_utf8_lossy(&answer).into_owned();
    for name in ["x-request-id: ", "date: "] {
        let lines = text.split("\r\n").filter_map(|line| line.strip_prefix(name));
        let values: Vec<String> = lines.map(str::to_owned).collect();
        assert!(!values.is_empty() || text.is_empty(), "{name}{text}");
        for value in values.iter().filter(|value| !value.contains(" 1994 ")) {
            assert_eq!(value.len(), if name == "date: " { 29 } else { 32 });
            text = text.replace(value, "");
        }
    }
    text
}

fn requests() -> Vec<String> {
    let paths = [
        "/",
        "/chunked",
        "/reason",
        "/unknown",
        "/none",
        "/known",
        "/until-close",
        "/closing",
        "/empty",
        "/zeros",
        "/cookies",
        "/dated",
        "/text",
        "/large",
        "/longer",
        "/nothing",
        "/nonsense",
        "/a?b=c%20d#e",
        "/%",
        "//",
        "/\u{e9}",
    ];
    let mut requests = Vec::new();
    for path in paths {
        let head = format!("GET {path} HTTP/1.1\r\nHost: {SHOP}\r\nX-Path: {path}\r\n");
        // The second of them closes, so that the end of both can be waited for.
        let last = format!("GET /last HTTP/1.1\r\nHost: {SHOP}\r\nConnection: close\r\n\r\n");
        requests.push(format!("{head}\r\n{last}"));
        requests.push(format!("{head}Connection: close\r\n\r\n"));
        requests.push(format!(
            "{head}Accept-Encoding: gzip\r\nConnection: Close\r\n\r\n"
        ));
    }
    for head in [
        "Host: files.localhost\r\n".to_owned(),
        "Host: files.localhost\r\nRange: bytes=2-4\r\n".to_owned(),
        "Host: nobody.localhost\r\n".to_owned(),
        format!("Host: {SHOP}\r\nHost: {SHOP}\r\n"),
        format!("Host: {SHOP}\r\nConnection: keep-alive\r\n"),
        format!(
            "Host: {SHOP}\r\nX_Forwarded_For: a\r\nX-Real-IP: b\r\nForwarded: c\r\nCookie: a\r\nCookie: b\r\n"
        ),
        String::new(),
    ] {
        requests.push(format!(
            "GET /page.html HTTP/1.1\r\n{head}Connection: close\r\n\r\n"
        ));
    }
    requests
}

fn door(upstream: &Upstream) -> (Door, tempfile::TempDir) {
    let site = tempfile::tempdir().unwrap();
    fs::write(site.path().join("page.html"), "<p>page").unwrap();
    let door = Door::secure(|_| ());
    door.apply(vec![
        to("shop", &[upstream.address]),
        files("files", site.path().to_owned(), false),
    ]);
    (door, site)
}

/// With an empty line in front a request is not plain any more, and means the same.
fn as_hyper(request: &str) -> String {
    format!("\r\n{request}")
}

#[test]
fn both_ways_answer_byte_for_byte_the_same_and_ask_the_same() {
    let upstream = forms();
    let (door, _site) = door(&upstream);
    for request in requests() {
        let asked = |of: &dyn Fn() -> String| {
            let before = upstream.seen().len();
            let answer = of();
            let seen = upstream.seen().split_off(before);
            let heads = seen.iter().map(|seen| {
                let lines = seen.head.lines().filter(|line| !line.starts_with("x-request-id"));
                lines.collect::<Vec<_>>().join("\n")
            });
            (answer, heads.collect::<Vec<_>>())
        };
        let short = asked(&|| all_of(&mut door.connect(), &request));
        let hyper = asked(&|| all_of(&mut door.connect(), &as_hyper(&request)));
        assert_eq!(short, hyper, "{request}");
        assert!(
            short.0.starts_with("HTTP/1.1 ") || request.contains("/non"),
            "{request}: {}",
            short.0
        );
        if request.contains(SHOP) && !request.contains(&format!("{SHOP}\r\nHost")) {
            let tls = |request: &str| all_of(&mut door.connect_tls(SHOP), request);
            assert_eq!(tls(&request), tls(&as_hyper(&request)), "{request}");
        }
    }
    until("nothing is left in flight", || door.in_flight("shop.1") == 0);
}

/// A backend one of whose answers waits until it is told to go.
fn held() -> (Upstream, std::sync::mpsc::Sender<()>) {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = std::sync::Mutex::new(wait);
    let upstream = Upstream::start(move |request, stream| {
        if request.line().contains("/held") {
            wait.lock().unwrap().recv().ok();
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .is_ok()
    });
    (upstream, go)
}

fn ask(stream: &mut TcpStream, path: &str) {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {SHOP}\r\n\r\n").unwrap();
}

#[test]
fn what_is_sent_while_an_answer_is_awaited_is_the_next_request() {
    let (upstream, go) = held();
    let (door, _site) = door(&upstream);
    let mut client = door.connect();
    ask(&mut client, "/held");
    until("it is asked", || upstream.seen().len() == 1);
    // In halves, and with one that is not plain behind it.
    write!(client, "GET /second HTTP/1.1\r\nHo").unwrap();
    go.send(()).unwrap();
    assert_eq!(read_answer(&mut client, false).text(), "ok");
    write!(
        client,
        "st: {SHOP}\r\n\r\nHEAD /third HTTP/1.1\r\nHost: {SHOP}\r\n\r\n"
    )
    .unwrap();
    assert_eq!(read_answer(&mut client, false).text(), "ok");
    assert_eq!(read_answer(&mut client, true).status, 200);
    ask(&mut client, "/fourth");
    assert_eq!(read_answer(&mut client, false).text(), "ok");
    let lines: Vec<_> = upstream
        .seen()
        .iter()
        .map(|seen| seen.line().to_owned())
        .collect();
    let wanted = ["GET /held", "GET /second", "HEAD /third", "GET /fourth"];
    assert_eq!(lines, wanted.map(|line| format!("{line} HTTP/1.1")));
}

#[test]
fn who_goes_away_while_an_answer_is_awaited_is_noticed() {
    let (upstream, _go) = held();
    let (door, _site) = door(&upstream);
    let mut client = door.connect();
    ask(&mut client, "/held");
    until("it is asked", || door.in_flight("shop.1") == 1);
    drop(client);
    until("it is given up", || door.in_flight("shop.1") == 0);
    until("it is logged", || {
        door.log_lines().iter().any(|line| line["status"] == 499)
    });
}

#[test]
fn a_door_that_stops_says_so_with_the_answer_that_is_under_way() {
    let (upstream, go) = held();
    let (mut door, _site) = door(&upstream);
    let mut client = door.connect();
    ask(&mut client, "/held");
    until("it is asked", || door.in_flight("shop.1") == 1);
    let handle = door.handle.take().unwrap();
    let (address, stopping) = (door.address, std::thread::spawn(move || handle.stop()));
    until("nobody is let in any more", || {
        TcpStream::connect(address).is_err()
    });
    go.send(()).unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).unwrap();
    assert!(
        answer.contains("\r\nconnection: close\r\n") && answer.ends_with("\r\n\r\nok"),
        "{answer}"
    );
    stopping.join().unwrap();
}

#[test]
fn a_client_that_takes_its_answer_slowly_gets_all_of_it() {
    let upstream = forms();
    let (door, _site) = door(&upstream);
    let mut client = door.connect();
    for _ in 0..3 {
        ask(&mut client, "/large");
        let head = read_head(&mut client);
        assert!(head.contains("content-length: 500000"), "{head}");
        let mut body = vec![0; 500_000];
        for piece in body.chunks_mut(7777) {
            client.read_exact(piece).unwrap();
            std::thread::yield_now();
        }
        assert!(body == "large".repeat(100_000).as_bytes());
    }
}
