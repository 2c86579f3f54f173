//! The front door over real sockets: answers of backends, compressed on their way.

use std::io::{Read, Write};

use hostkit_core::route::Compression;
use hostkit_core::size::ByteSize;

use crate::support::*;

/// Reads a body in its coding, as far as it came.
pub(crate) fn plain(coding: &str, bytes: &[u8]) -> String {
    let mut out = Vec::new();
    let read = match coding {
        "zstd" => zstd::stream::read::Decoder::new(bytes)
            .unwrap()
            .read_to_end(&mut out),
        "br" => brotli::Decompressor::new(bytes, 4096).read_to_end(&mut out),
        "gzip" => flate2::read::GzDecoder::new(bytes).read_to_end(&mut out),
        other => panic!("no such coding: {other}"),
    };
    // What was not sent yet is missed at the end: what counts is what can be read by now.
    drop(read);
    String::from_utf8(out).unwrap()
}

/// A front door before a backend that answers with this head (status line and headers) and body.
fn door(head: &'static str, body: String) -> (Door, Upstream) {
    let upstream = Upstream::start(move |seen, stream| {
        let head = format!("HTTP/1.1 {head}\r\n\r\n");
        let body = if seen.line().starts_with("HEAD") {
            ""
        } else {
            &body
        };
        stream.write_all(format!("{head}{body}").as_bytes()).is_ok() && !head.contains("close")
    });
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    (door, upstream)
}

fn ask(door: &Door, method: &str, headers: &str) -> Answer {
    door.send(format!(
        "{method} / HTTP/1.1\r\nHost: shop.localhost\r\n{headers}\r\n"
    ))
}

fn text() -> String {
    "words and words and more of them. ".repeat(200)
}

#[test]
fn text_is_compressed_as_the_client_takes_it() {
    for framing in [
        "Content-Length: 6800",
        "Transfer-Encoding: chunked",
        "Connection: close",
    ] {
        let head: &'static str = format!(
            "200 OK\r\nContent-Type: text/html\r\nETag: \"a\"\r\nAccept-Ranges: bytes\r\nVary: Cookie\r\n{framing}"
        )
        .leak();
        let body = match framing {
            "Transfer-Encoding: chunked" => format!("{:x}\r\n{}\r\n0\r\n\r\n", text().len(), text()),
            _ => text(),
        };
        let (door, _upstream) = door(head, body);
        for (taken, coding) in [
            ("gzip", "gzip"),
            ("br", "br"),
            ("gzip, deflate, br, zstd", "zstd"),
        ] {
            let answer = ask(&door, "GET", &format!("Accept-Encoding: {taken}\r\n"));
            assert_eq!(answer.header("content-encoding"), Some(coding), "{framing}");
            assert_eq!(answer.header("content-length"), None);
            assert_eq!(answer.header("accept-ranges"), None);
            assert_eq!(answer.header("etag"), Some("W/\"a\""));
            assert!(answer.head.to_lowercase().contains("vary: accept-encoding"));
            assert!(answer.head.to_lowercase().contains("vary: cookie"));
            assert!(answer.body.len() < 1000);
            assert_eq!(plain(coding, &answer.body), text());
        }
        for taken in [
            "",
            "Accept-Encoding: identity\r\n",
            "Accept-Encoding: gzip;q=0\r\n",
        ] {
            let answer = ask(&door, "GET", taken);
            assert_eq!(
                (answer.header("content-encoding"), answer.header("etag")),
                (None, Some("\"a\""))
            );
            assert_eq!(answer.text(), text());
        }
        let two = ask(
            &door,
            "GET",
            "Accept-Encoding: deflate\r\nAccept-Encoding: gzip\r\n",
        );
        assert_eq!(two.header("content-encoding"), Some("gzip"));
    }
}

#[test]
fn what_must_stay_as_it_is() {
    let long = format!("Content-Length: {}", text().len());
    for (head, body, what) in [
        (
            "Content-Type: text/html\r\nContent-Length: 5",
            "small".into(),
            "small",
        ),
        ("Content-Type: image/png\r\nLONG", text(), "not text"),
        ("LONG", text(), "of no kind"),
        (
            "Content-Type: text/html\r\nContent-Encoding: gzip\r\nLONG",
            text(),
            "compressed before",
        ),
        (
            "Content-Type: text/html\r\nContent-Encoding: identity\r\nLONG",
            text(),
            "has a coding",
        ),
        (
            "Content-Type: text/html\r\nCache-Control: public, No-Transform\r\nLONG",
            text(),
            "not to be changed",
        ),
        ("Content-Type: application/grpc\r\nLONG", text(), "gRPC"),
    ] {
        let head: &'static str = format!("200 OK\r\n{}", head.replace("LONG", &long)).leak();
        let (door, _upstream) = door(head, body);
        let answer = ask(&door, "GET", "Accept-Encoding: gzip\r\n");
        let coding = answer.header("content-encoding");
        assert!(coding.is_none() || head.contains("Content-Encoding"), "{what}");
        assert!(answer.header("content-length").is_some(), "{what}");
        assert!(answer.text() == text() || answer.text() == "small", "{what}");
    }
    let (part, _upstream) = door(
        "206 Partial Content\r\nContent-Type: text/html\r\nContent-Range: bytes 0-6799/9000\r\nContent-Length: 6800",
        text(),
    );
    let answer = ask(&part, "GET", "Accept-Encoding: gzip\r\nRange: bytes=0-6799\r\n");
    assert_eq!((answer.status, answer.header("content-encoding")), (206, None));
    assert_eq!(answer.text(), text());
    let (whole, _upstream) = door(
        "200 OK\r\nContent-Type: text/html\r\nContent-Length: 6800",
        text(),
    );
    let head = ask(&whole, "HEAD", "Accept-Encoding: gzip\r\n");
    assert_eq!(
        (head.header("content-encoding"), head.header("content-length")),
        (None, Some("6800"))
    );
}

#[test]
fn a_route_can_turn_it_off() {
    let (door, upstream) = door(
        "200 OK\r\nContent-Type: text/html\r\nContent-Length: 6800",
        text(),
    );
    let mut route = to("shop", &[upstream.address]);
    route.compression = Compression::Off;
    door.apply(vec![route]);
    let answer = ask(&door, "GET", "Accept-Encoding: gzip\r\n");
    assert_eq!(
        (answer.header("content-encoding"), answer.header("vary")),
        (None, None)
    );
}

#[test]
fn a_route_can_have_small_answers_left_alone() {
    let (door, upstream) = door(
        "200 OK\r\nContent-Type: text/html\r\nContent-Length: 6800",
        text(),
    );
    for (smallest, coding) in [(6801, None), (6800, Some("gzip"))] {
        let mut route = to("shop", &[upstream.address]);
        route.answers.smallest_compressed = Some(ByteSize(smallest));
        door.apply(vec![route]);
        let answer = ask(&door, "GET", "Accept-Encoding: gzip\r\n");
        assert_eq!(answer.header("content-encoding"), coding);
    }
}

/// Reads chunks until `wanted` can be read of what they hold.
fn read_until(stream: &mut std::net::TcpStream, bytes: &mut Vec<u8>, coding: &str, wanted: &str) {
    while plain(coding, bytes) != wanted {
        let size = usize::from_str_radix(read_line(stream).trim(), 16).unwrap();
        let mut chunk = vec![0; size];
        stream.read_exact(&mut chunk).unwrap();
        bytes.extend(chunk);
        read_line(stream);
    }
}

#[test]
fn nothing_is_held_back_of_what_a_backend_sends_piece_by_piece() {
    let (next, turns) = std::sync::mpsc::channel::<()>();
    let turns = std::sync::Mutex::new(turns);
    let upstream = Upstream::start(move |_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap();
        for piece in ["one ", "two ", "three"] {
            write!(stream, "{:x}\r\n{piece}\r\n", piece.len()).unwrap();
            turns.lock().unwrap().recv().unwrap();
        }
        write!(stream, "0\r\n\r\n").is_ok()
    });
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    for coding in ["gzip", "br", "zstd"] {
        let mut stream = door.connect();
        write!(
            stream,
            "GET / HTTP/1.1\r\nHost: shop.localhost\r\nAccept-Encoding: {coding}\r\n\r\n"
        )
        .unwrap();
        let head = read_head(&mut stream);
        assert!(head.contains(coding), "{head}");
        let mut bytes = Vec::new();
        for wanted in ["one ", "one two ", "one two three"] {
            read_until(&mut stream, &mut bytes, coding, wanted);
            next.send(()).unwrap();
        }
    }
}

#[test]
fn the_connection_to_the_backend_is_used_again() {
    let chunked = format!("{:x}\r\n{}\r\n0\r\n\r\n", text().len(), text());
    for (head, body) in [
        (
            "200 OK\r\nContent-Type: text/html\r\nContent-Length: 6800",
            text(),
        ),
        (
            "200 OK\r\nContent-Type: text/html\r\nTransfer-Encoding: chunked",
            chunked,
        ),
    ] {
        let (door, upstream) = door(head, body);
        let mut stream = door.connect();
        for coding in ["gzip", "br", "zstd", "gzip"] {
            write!(
                stream,
                "GET / HTTP/1.1\r\nHost: shop.localhost\r\nAccept-Encoding: {coding}\r\n\r\n"
            )
            .unwrap();
            let answer = read_answer(&mut stream, false);
            assert_eq!(plain(coding, &answer.body), text());
        }
        assert_eq!(upstream.connections.lock().unwrap().len(), 1);
    }
}

#[test]
fn a_body_that_breaks_off_is_not_ended_as_if_it_were_whole() {
    let upstream = Upstream::start(|_, stream| {
        let head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 90000\r\n\r\n";
        stream.write_all(format!("{head}{}", text()).as_bytes()).ok();
        false
    });
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut stream = door.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\nAccept-Encoding: gzip\r\n\r\n")
        .unwrap();
    let mut all = Vec::new();
    stream.read_to_end(&mut all).ok();
    assert!(
        !all.ends_with(b"0\r\n\r\n"),
        "the last chunk says that it is whole"
    );
}

#[test]
fn a_large_body_and_trailers_come_through() {
    let upstream = Upstream::start(|_, stream| {
        let piece = "0123456789abcdef".repeat(4096);
        let mut out = String::from(
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTrailer: x-sum\r\nTransfer-Encoding: chunked\r\n\r\n",
        );
        for _ in 0..32 {
            out.push_str(&format!("{:x}\r\n{piece}\r\n", piece.len()));
        }
        out.push_str("0\r\nx-sum: 7\r\n\r\n");
        stream.write_all(out.as_bytes()).is_ok()
    });
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    for coding in ["gzip", "br", "zstd"] {
        let answer = ask(
            &door,
            "GET",
            &format!("TE: trailers\r\nAccept-Encoding: {coding}\r\n"),
        );
        let text = plain(coding, &answer.body);
        assert_eq!(text.len(), 2 << 20, "{coding}");
        assert!(text.ends_with("0123456789abcdef"));
        assert_eq!(answer.header("x-sum"), Some("7"), "{coding}");
    }
}
