//! HTTP/2 as clients meet it: many requests on one connection, each on its own, and what reaches an application of them.

use std::io::{Read, Write};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::ext::Protocol;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::frames::*;
use crate::secure::*;
use crate::support::*;

const SHOP: &str = "shop.localhost";

fn slow(seconds_of: &'static str) -> Upstream {
    Upstream::start(move |seen, stream| {
        if seen.line().contains(seconds_of) {
            std::thread::sleep(Duration::from_secs(3));
        }
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ndone").is_ok()
    })
}

#[test]
fn a_client_whose_upload_nobody_reads_to_its_end_is_told_so() {
    // It answers, and takes nothing more.
    let upstream = Upstream::raw(
        std::net::TcpListener::bind("127.0.0.1:0").unwrap(),
        |stream, _| {
            read_head(stream);
            stream
                .write_all(b"HTTP/1.1 413 Too Large\r\nContent-Length: 3\r\n\r\nno!")
                .unwrap();
            // Until the front door has had enough.
            let mut one = [0; 1];
            while stream.peek(&mut one).is_ok_and(|read| read > 0) {
                std::thread::sleep(Duration::from_millis(5));
            }
        },
    );
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut frames = Frames::open(&door, SHOP);
    let head = headers(&[
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", SHOP),
        (":path", "/"),
        ("content-length", "5000000"),
    ]);
    assert!(frames.send(HEADERS, END_HEADERS, 1, &head));
    // As much as may be sent at once.
    for _ in 0..3 {
        assert!(frames.send(DATA, 0, 1, &[b'x'; 16_384]));
    }
    let (_, _, stream, why) = frames.read_kind(RESET).unwrap();
    assert_eq!((stream, why), (1, 0_u32.to_be_bytes().to_vec()), "not NO_ERROR");
}

#[test]
fn a_hundred_requests_at_once_are_all_answered_on_one_connection() {
    let upstream = Upstream::start(|seen, stream| {
        std::thread::sleep(Duration::from_millis(30));
        let line = seen.line().to_owned();
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{line}",
            line.len()
        )
        .is_ok()
    });
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    block_on(async {
        let sender = connect_http2(&door, SHOP).await;
        let asked = (0..100).map(|at| {
            let mut sender = sender.clone();
            async move {
                ask(&mut sender, request("GET", SHOP, &format!("/{at}?q")))
                    .await
                    .unwrap()
            }
        });
        for (at, (head, body)) in futures_util::future::join_all(asked)
            .await
            .into_iter()
            .enumerate()
        {
            assert_eq!(head.status, 200);
            assert_eq!(body, format!("GET /{at}?q HTTP/1.1"));
            assert!(head.headers.contains_key("x-request-id"));
        }
    });
    let port = door.tls_address().port().to_string();
    for seen in upstream.seen() {
        assert_eq!(seen.headers("host"), [SHOP]);
        assert_eq!(seen.headers("x-forwarded-proto"), ["https"]);
        assert_eq!(seen.headers("x-forwarded-port"), [port.as_str()]);
        assert_eq!(seen.headers("transfer-encoding"), [""; 0]);
    }
    until("the log has them", || {
        let lines = door.log_lines();
        lines
            .iter()
            .filter(|line| line["protocol"] == "h2" && line["tls"] == true)
            .count()
            == 100
    });
    assert_eq!(door.in_flight("shop.1"), 0);
}

/// What is written at once goes out together: nothing of it is lost, and nothing comes in another's place.
#[test]
fn answers_of_many_sizes_at_once_are_whole() {
    let size_of = |at: usize| [0, 1, 1000, 1024, 5000, 16_384, 70_000, 300_000][at % 8] + at;
    let upstream = Upstream::start(move |seen, stream| {
        let at: usize = seen.line().split(['/', ' ']).nth(2).unwrap().parse().unwrap();
        let body = vec![b'a' + (at % 26) as u8; size_of(at)];
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
            body.len()
        )
        .unwrap();
        stream.write_all(&body).is_ok()
    });
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    block_on(async {
        let sender = connect_http2(&door, SHOP).await;
        let asked = (0..160).map(|at| {
            let mut sender = sender.clone();
            async move {
                ask(&mut sender, request("GET", SHOP, &format!("/{at}")))
                    .await
                    .unwrap()
            }
        });
        let answers = futures_util::future::join_all(asked).await;
        for (at, (head, body)) in answers.into_iter().enumerate() {
            assert_eq!((head.status, body.len()), (StatusCode::OK, size_of(at)), "{at}");
            assert!(body.iter().all(|byte| *byte == b'a' + (at % 26) as u8), "{at}");
        }
    });
}

#[test]
fn heads_are_written_for_http1() {
    let upstream = Upstream::start(|_, stream| {
        stream
            .write_all(
                b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nKeep-Alive: timeout=5\r\nTransfer-Encoding: chunked\r\n\r\n\
                  2\r\nok\r\n0\r\n\r\n",
            )
            .is_ok()
    });
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    block_on(async {
        let mut sender = connect_http2(&door, SHOP).await;
        let mut asked = request("GET", SHOP, "/");
        for cookie in ["a=1", "b=2", "c=3"] {
            asked
                .headers_mut()
                .append(header::COOKIE, HeaderValue::from_static(cookie));
        }
        asked
            .headers_mut()
            .insert(header::TE, HeaderValue::from_static("trailers"));
        asked
            .headers_mut()
            .insert("x-forwarded-for", HeaderValue::from_static("6.6.6.6"));
        let (head, body) = ask(&mut sender, asked).await.unwrap();
        assert_eq!(body, "ok");
        for name in ["connection", "keep-alive", "transfer-encoding"] {
            assert!(!head.headers.contains_key(name), "{name}");
        }
        let seen = upstream.last();
        assert_eq!(seen.headers("cookie"), ["a=1; b=2; c=3"]);
        assert_eq!(seen.headers("te"), ["trailers"]);
        assert_eq!(seen.headers("x-forwarded-for"), ["127.0.0.1"]);

        let mut upload = request("POST", SHOP, "/");
        *upload.body_mut() = Full::new(Bytes::from(vec![7; 300_000]));
        assert_eq!(ask(&mut sender, upload).await.unwrap().0.status, 200);
        assert_eq!(upstream.last().headers("content-length"), ["300000"]);
        assert_eq!(upstream.last().body, vec![7; 300_000]);
        let (head, body) = ask(&mut sender, request("HEAD", SHOP, "/")).await.unwrap();
        assert_eq!((head.status, body.len()), (StatusCode::OK, 0));
    });
}

#[test]
fn a_body_without_a_length_arrives_in_chunks() {
    let upstream = Upstream::named("x");
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    let curl = std::process::Command::new("curl")
        .args([
            "--silent",
            "--show-error",
            "--insecure",
            "--http2",
            "--max-time",
            "60",
            "-T",
            "-",
        ])
        .args(["--write-out", "%{http_version} %{http_code}"])
        .args([
            "--resolve",
            &format!("{SHOP}:{}:127.0.0.1", door.tls_address().port()),
        ])
        .arg(format!("https://{SHOP}:{}/up", door.tls_address().port()))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn();
    let mut curl = curl.unwrap();
    curl.stdin.take().unwrap().write_all(b"streamed").unwrap();
    let output = curl.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "x2 200");
    assert_eq!(upstream.last().line(), "PUT /up HTTP/1.1");
    assert_eq!(upstream.last().headers("transfer-encoding"), ["chunked"]);
    assert_eq!(upstream.last().body, b"streamed");
}

#[test]
fn a_request_that_is_refused_leaves_the_others_alone() {
    let (shop, blog) = (Upstream::named("shop"), Upstream::named("blog"));
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[shop.address]), to("blog", &[blog.address])]);
    block_on(async {
        let mut sender = connect_http2(&door, SHOP).await;
        let other = ask(&mut sender, request("GET", "blog.localhost", "/"))
            .await
            .unwrap();
        assert_eq!(other.0.status, 421);
        let mut two = request("GET", SHOP, "/");
        two.headers_mut()
            .insert(header::HOST, HeaderValue::from_static("blog.localhost"));
        assert_eq!(ask(&mut sender, two).await.unwrap().0.status, 400);
        assert_eq!(
            ask(&mut sender, request("TRACE", SHOP, "/"))
                .await
                .unwrap()
                .0
                .status,
            405
        );
        let mut same = request("GET", SHOP, "/");
        same.headers_mut()
            .insert(header::HOST, HeaderValue::from_static(SHOP));
        let (head, body) = ask(&mut sender, same).await.unwrap();
        assert_eq!((head.status.as_u16(), &body[..]), (200, &b"shop"[..]));
    });
    assert!(blog.seen().is_empty());
    assert_eq!(shop.seen().len(), 1);
}

#[test]
fn a_request_the_client_takes_back_is_over() {
    let upstream = slow("/slow");
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    block_on(async {
        let mut sender = connect_http2(&door, SHOP).await;
        let mut other = sender.clone();
        let asked = tokio::time::timeout(
            Duration::from_millis(300),
            ask(&mut sender, request("GET", SHOP, "/slow")),
        );
        assert!(asked.await.is_err(), "it is slow");
        let answered = ask(&mut other, request("GET", SHOP, "/")).await.unwrap();
        assert_eq!(answered.1, "done");
        for _ in 0..200 {
            if door.in_flight_now("shop.1").await == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    assert_eq!(door.in_flight("shop.1"), 0);
    until("the log says that the client went", || {
        door.log_lines()
            .iter()
            .any(|line| line["path"] == "/slow" && line["status"] == 499)
    });
}

#[test]
fn one_late_answer_is_one_answer() {
    let upstream = slow("/slow");
    let door = Door::secure(|config| config.limits.answer = Duration::from_millis(500));
    door.apply(vec![to("shop", &[upstream.address])]);
    block_on(async {
        let sender = connect_http2(&door, SHOP).await;
        let (mut one, mut two) = (sender.clone(), sender);
        let late = ask(&mut one, request("GET", SHOP, "/slow"));
        let quick = async {
            for _ in 0..10 {
                assert_eq!(ask(&mut two, request("GET", SHOP, "/")).await.unwrap().1, "done");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let (late, ()) = tokio::join!(late, quick);
        assert_eq!(late.unwrap().0.status, 504);
    });
}

#[test]
fn a_stream_whose_client_takes_nothing_is_reset_and_the_others_go_on() {
    let upstream = Upstream::start(|seen, stream| {
        let length = if seen.line().contains("/big") { 8 << 20 } else { 2 };
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").ok();
        stream.write_all(&vec![b'x'; length]).is_ok()
    });
    let door = Door::secure(|config| config.limits.stall = Duration::from_millis(500));
    door.apply(vec![to("shop", &[upstream.address])]);
    block_on(async {
        let mut sender = connect_http2(&door, SHOP).await;
        sender.ready().await.unwrap();
        // Not read, so that its window stays closed.
        let mut held = sender.send_request(request("GET", SHOP, "/big")).await.unwrap();
        for _ in 0..40 {
            assert_eq!(ask(&mut sender, request("GET", SHOP, "/")).await.unwrap().1, "xx");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        while let Some(frame) = held.body_mut().frame().await {
            if frame.is_err() {
                return;
            }
        }
        panic!("it came to its end");
    });
}

#[test]
fn stopping_lets_streams_finish_and_takes_no_more() {
    let upstream = slow("/slow");
    let mut door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    let handle = door.handle.take().unwrap();
    let address = handle.tls_address().unwrap();
    door.handle = Some(handle);
    block_on(async {
        let mut sender = connect_http2(&door, SHOP).await;
        let mut idle = connect_http2(&door, SHOP).await;
        assert_eq!(ask(&mut idle, request("GET", SHOP, "/")).await.unwrap().1, "done");
        let mut other = sender.clone();
        let busy = tokio::spawn(async move { ask(&mut sender, request("GET", SHOP, "/slow")).await });
        while door.in_flight_now("shop.1").await == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let handle = door.handle.take().unwrap();
        let stopping = tokio::task::spawn_blocking(move || handle.stop());
        assert_eq!(busy.await.unwrap().unwrap().1, "done");
        stopping.await.unwrap();
        assert!(ask(&mut other, request("GET", SHOP, "/")).await.is_err());
        assert!(ask(&mut idle, request("GET", SHOP, "/")).await.is_err());
    });
    assert!(std::net::TcpStream::connect(address).is_err());
}

#[test]
fn a_connection_on_which_nothing_happens_is_closed_in_order() {
    let upstream = Upstream::named("x");
    let door = Door::secure(|config| config.limits.idle = Duration::from_millis(400));
    door.apply(vec![to("shop", &[upstream.address])]);
    block_on(async {
        let mut sender = connect_http2(&door, SHOP).await;
        assert_eq!(
            ask(&mut sender, request("GET", SHOP, "/"))
                .await
                .unwrap()
                .0
                .status,
            200
        );
        while !sender.is_closed() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
}

#[test]
fn a_websocket_comes_through_and_others_share_its_connection() {
    let upstream = Upstream::start(|seen, stream| {
        if seen.header("upgrade").is_none() {
            return write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").is_ok();
        }
        stream
            .write_all(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                  Sec-WebSocket-Accept: x\r\nSec-WebSocket-Protocol: chat\r\n\r\n",
            )
            .unwrap();
        let mut bytes = [0; 5];
        while stream.read_exact(&mut bytes).is_ok() {
            stream.write_all(&bytes).unwrap();
        }
        false
    });
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    block_on(async {
        let mut sender = connect_http2(&door, SHOP).await;
        // The settings that allow it have come with the first answer at the latest.
        assert_eq!(ask(&mut sender, request("GET", SHOP, "/")).await.unwrap().1, "ok");
        let mut open = request("CONNECT", SHOP, "/socket?room=1");
        open.extensions_mut().insert(Protocol::from_static("websocket"));
        open.headers_mut()
            .insert("sec-websocket-version", HeaderValue::from_static("13"));
        let answer = sender.send_request(open).await.unwrap();
        assert_eq!(answer.status(), 200);
        for name in ["connection", "upgrade", "sec-websocket-accept"] {
            assert!(!answer.headers().contains_key(name), "{name}");
        }
        assert_eq!(answer.headers()["sec-websocket-protocol"], "chat");
        let mut socket = TokioIo::new(hyper::upgrade::on(answer).await.unwrap());
        for _ in 0..3 {
            socket.write_all(b"hello").await.unwrap();
            let mut echo = [0; 5];
            socket.read_exact(&mut echo).await.unwrap();
            assert_eq!(&echo, b"hello");
            assert_eq!(ask(&mut sender, request("GET", SHOP, "/")).await.unwrap().1, "ok");
        }
        assert_eq!(door.in_flight_now("shop.1").await, 1);
        socket.shutdown().await.unwrap();
        drop(socket);
        while door.in_flight_now("shop.1").await > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    });
    let asked = upstream
        .seen()
        .into_iter()
        .find(|seen| seen.line().contains("/socket"))
        .unwrap();
    assert_eq!(asked.line(), "GET /socket?room=1 HTTP/1.1");
    assert_eq!(asked.headers("upgrade"), ["websocket"]);
    assert_eq!(asked.headers("connection"), ["upgrade"]);
    assert_eq!(asked.headers("sec-websocket-version"), ["13"]);
    assert_eq!(asked.header("sec-websocket-key").map(str::len), Some(24));
}

#[test]
fn an_application_that_knows_no_websocket_says_no_and_other_protocols_are_not_opened() {
    let upstream = Upstream::start(|_, stream| {
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .is_ok()
    });
    let door = Door::secure(|_| ());
    door.apply(vec![to("shop", &[upstream.address])]);
    block_on(async {
        let mut sender = connect_http2(&door, SHOP).await;
        assert_eq!(ask(&mut sender, request("GET", SHOP, "/")).await.unwrap().1, "ok");
        for (protocol, status) in [("websocket", 502), ("connect-udp", 405)] {
            let mut open = request("CONNECT", SHOP, "/");
            open.extensions_mut().insert(Protocol::from(protocol));
            assert_eq!(
                sender.send_request(open).await.unwrap().status(),
                status,
                "{protocol}"
            );
        }
        assert_eq!(ask(&mut sender, request("GET", SHOP, "/")).await.unwrap().1, "ok");
    });
}

#[test]
fn files_and_pages_are_answered_too() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("index.html"), "<p>hello").unwrap();
    std::fs::write(folder.path().join("big.bin"), vec![9; 700_000]).unwrap();
    let door = Door::secure(|_| ());
    door.apply(vec![files("shop", folder.path().into(), false)]);
    block_on(async {
        let mut sender = connect_http2(&door, SHOP).await;
        assert_eq!(
            ask(&mut sender, request("GET", SHOP, "/")).await.unwrap().1,
            "<p>hello"
        );
        assert!(
            ask(&mut sender, request("GET", SHOP, "/big.bin"))
                .await
                .unwrap()
                .1
                == vec![9; 700_000]
        );
        assert_eq!(
            ask(&mut sender, request("GET", SHOP, "/none"))
                .await
                .unwrap()
                .0
                .status,
            404
        );
        assert_eq!(
            ask(&mut sender, request("POST", SHOP, "/"))
                .await
                .unwrap()
                .0
                .status,
            405
        );
    });
}
