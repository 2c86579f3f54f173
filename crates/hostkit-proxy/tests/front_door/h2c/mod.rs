//! Backends that speak HTTP/2 without TLS, as programs that offer gRPC do, and clients that speak it to the front door.

mod client;
mod failures;
mod server;

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use hostkit_core::project::EnvironmentId;
use hostkit_core::route::{CanaryRoutes, Protocol, Route, RouteTable};
use http::{HeaderMap, HeaderValue};

use crate::support::*;
use client::*;
use server::Server;

/// A route to servers that speak it.
fn h2c(servers: &[&Server]) -> Route {
    let addresses: Vec<_> = servers.iter().map(|server| server.address).collect();
    Route {
        protocol: Protocol::H2c,
        ..to("shop", &addresses)
    }
}

#[test]
fn a_call_arrives_as_it_was_sent_and_its_trailers_come_back() {
    let server = Server::start();
    let door = Door::secure(|_| ());
    door.apply(vec![h2c(&[&server])]);
    block_on(async {
        let sender = over_tls(&door).await;
        let mut request = call("/shop.Cart/Add?x=1");
        let headers = request.headers_mut();
        headers.insert("x-forwarded-for", HeaderValue::from_static("6.6.6.6"));
        headers.append("cookie", HeaderValue::from_static("a=1"));
        headers.append("cookie", HeaderValue::from_static("b=2"));
        let (answer, mut body) = open(&sender, request).await;
        body.send_data(Bytes::from_static(b"apples"), false).unwrap();
        let theirs = [("x-sum", "17"), ("x-forwarded-for", "6.6.6.6")];
        let theirs = theirs.map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value)));
        body.send_trailers(HeaderMap::from_iter(theirs)).unwrap();
        let (head, mut body) = answer.await.unwrap().into_parts();
        assert_eq!(head.status, 200);
        assert_eq!(head.headers["content-type"], "application/grpc");
        assert_eq!(head.headers["x-hostkit-release"], "20260101-120000");
        assert_eq!(next(&mut body).await.unwrap().unwrap(), "apples");
        assert_eq!(next(&mut body).await.unwrap(), None);
        let trailers = body.trailers().await.unwrap().unwrap();
        assert_eq!(trailers["grpc-status"], "0");
        assert_eq!(trailers["x-sum"], "17");
        assert!(!trailers.contains_key("x-forwarded-for"));
    });
    let seen = server.last();
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.uri, "http://shop.localhost/shop.Cart/Add?x=1");
    for (name, value) in [
        ("te", "trailers"),
        ("grpc-timeout", "20S"),
        ("content-type", "application/grpc+proto"),
        ("cookie", "a=1; b=2"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.localhost"),
    ] {
        let values: Vec<_> = seen.headers.get_all(name).iter().collect();
        assert_eq!(values, [value], "{name}");
    }
    for name in ["host", "connection", "transfer-encoding"] {
        assert!(!seen.headers.contains_key(name), "{name}");
    }
    until("it is over", || door.in_flight("shop.1") == 0);
}

#[test]
fn both_sides_talk_at_once_and_many_calls_share_a_connection() {
    let server = Server::start();
    let door = Door::secure(|_| ());
    door.apply(vec![h2c(&[&server])]);
    block_on(async {
        let sender = over_tls(&door).await;
        let talks = (0..50).map(|_| async {
            let (answer, mut sending) = open(&sender, call("/talk")).await;
            let mut body = answer.await.unwrap().into_body();
            for word in ["one", "two", "three"] {
                sending
                    .send_data(Bytes::from_static(word.as_bytes()), false)
                    .unwrap();
                assert_eq!(next(&mut body).await.unwrap().unwrap(), word);
            }
            sending.send_data(Bytes::new(), true).unwrap();
            while next(&mut body).await.unwrap().is_some() {}
            assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
        });
        join_all(talks).await;
    });
    assert_eq!(server.connections(), 1);
}

#[test]
fn an_outcome_without_an_answer_is_passed_on() {
    let server = Server::start();
    let door = Door::secure(|_| ());
    door.apply(vec![h2c(&[&server])]);
    let denied = block_on(async { ask(&over_tls(&door).await, "/denied", "").await.unwrap() });
    assert_eq!((denied.status.as_u16(), denied.grpc_status()), (200, Some("7")));
    assert!(denied.headers.contains_key("grpc-status") && denied.body.is_empty());
}

/// What is more than the server takes on a connection goes to another one, or waits; none of it is refused.
#[test]
fn a_server_gets_as_many_calls_on_a_connection_as_it_takes() {
    let server = Server::with(|builder| {
        builder.max_concurrent_streams(3);
    });
    let door = Door::secure(|_| ());
    door.apply(vec![h2c(&[&server])]);
    block_on(async {
        let sender = over_tls(&door).await;
        let many = |count: usize| join_all((0..count).map(|_| ask(&sender, "/echo", "hello")));
        for answered in many(40).await {
            assert_eq!(answered.unwrap().grpc_status(), Some("0"));
        }
        // Calls that stay open keep no others, now that it is known what the server takes.
        let open = join_all((0..7).map(|_| open(&sender, call("/talk")))).await;
        for answered in many(10).await {
            assert_eq!(answered.unwrap().body, b"hello");
        }
        drop(open);
    });
    assert!(server.connections() > 1);
}

#[test]
fn calls_are_silent_for_as_long_as_they_like_and_other_requests_are_not() {
    let server = Server::start();
    let door = Door::secure(|config| {
        config.limits.answer = Duration::from_millis(300);
        config.limits.body_pause = Duration::from_millis(300);
    });
    door.apply(vec![h2c(&[&server])]);
    block_on(async {
        let sender = over_tls(&door).await;
        // The server says nothing for a while, and the client does not either.
        let (answer, mut sending) = open(&sender, call("/late")).await;
        let mut body = answer.await.unwrap().into_body();
        tokio::time::sleep(Duration::from_millis(1000)).await;
        sending
            .send_data(Bytes::from_static(b"still here"), true)
            .unwrap();
        assert_eq!(next(&mut body).await.unwrap().unwrap(), "still here");
        let mut other = call("/late");
        other.headers_mut().remove("content-type");
        let (answer, mut sending) = open(&sender, other).await;
        sending.send_data(Bytes::new(), true).unwrap();
        assert_eq!(answer.await.unwrap().status(), 504);
    });
}

/// gRPC without certificates, as programs of one project speak it to each other, and as it is tried out at home.
#[test]
fn clients_may_speak_it_without_tls_where_a_program_does() {
    let server = Server::start();
    let port = free_port();
    let door = Door::start();
    let mut route = h2c(&[&server]);
    route.ports = vec![port];
    door.apply(vec![
        route.clone(),
        to("blog", &[Upstream::named("blog").address]),
    ]);
    until("the port is open", || {
        std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
    });
    for address in [door.address, ([127, 0, 0, 1], port).into()] {
        let answered = block_on(async { ask(&without_tls(address).await, "/echo", "hi").await.unwrap() });
        assert_eq!(
            (answered.body.as_slice(), answered.grpc_status()),
            (&b"hi"[..], Some("0"))
        );
        assert_eq!(server.last().headers["x-forwarded-proto"], "http");
    }
    // Beside it everything is as it was, also in small pieces.
    assert_eq!(door.get("blog.localhost", "/").text(), "blog");
    let mut slow = door.connect();
    for piece in ["P", "RI * HT", "TP/1.1\r\nHost: blog.localhost\r\n\r\n"] {
        std::io::Write::write_all(&mut slow, piece.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(20));
    }
    assert_eq!(read_answer(&mut slow, false).status, 400);
    // Where no program speaks it, nobody does.
    door.apply(vec![to("shop", &[Upstream::named("shop").address])]);
    let refused = door.send("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    assert!(matches!(refused.status, 0 | 400 | 505), "{refused:?}");
}

/// What programs speak is their release's: a canary may be the first to speak gRPC.
#[test]
fn a_canary_speaks_what_its_own_release_does() {
    let (old, server) = (Upstream::named("old"), Server::start());
    let door = Door::start();
    let environment = EnvironmentId::new("shop".parse().unwrap(), "production".parse().unwrap());
    let mut live = to("shop", &[old.address]);
    live.environment = Some(environment.clone());
    let mut beside = h2c(&[&server]);
    beside.id = "shop/production/canary:web".into();
    beside.environment = Some(environment.clone());
    beside.hosts.clear();
    let canary = CanaryRoutes {
        environment,
        release: "20260101-130000".parse().unwrap(),
        percent: 99.try_into().unwrap(),
        routes: vec![beside],
    };
    let table = RouteTable {
        version: 1,
        routes: vec![live],
        canaries: vec![canary],
    };
    let applied = door.apply_table(table).unwrap();
    assert!(applied.put_aside.is_empty(), "{applied:?}");
    let answers = block_on(async {
        let client = without_tls(door.address).await;
        let calls = (0..100).map(|_| ask(&client, "/echo", "hi"));
        join_all(calls).await
    });
    let by_canary = answers.iter().filter(|answer| {
        let answer = answer.as_ref().unwrap();
        answer.grpc_status() == Some("0") && answer.body == b"hi"
    });
    assert_eq!(by_canary.count(), 99);
}

#[test]
fn clients_of_http1_are_answered_as_well() {
    let server = Server::start();
    let door = Door::start();
    door.apply(vec![h2c(&[&server])]);
    let plain = door.send("GET /x HTTP/1.1\r\nHost: shop.localhost\r\n\r\n");
    assert_eq!((plain.status, plain.text().as_str()), (200, ""));
    let body = door.send(
        "POST /x HTTP/1.1\r\nHost: shop.localhost\r\nConnection: x-mine\r\nX-Mine: 1\r\n\
         Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    );
    assert_eq!((body.status, body.text().as_str()), (200, "hello"));
    assert!(!server.last().headers.contains_key("x-mine"));
    // An upgrade is not offered on the other side: the answer is one without.
    let upgrade =
        "GET /x HTTP/1.1\r\nHost: shop.localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    assert_eq!(door.send(upgrade).status, 200);
    assert!(!server.last().headers.contains_key("upgrade"));
    for host in ["shop.localhost:8080", "SHOP.localhost."] {
        let answer = door.send(format!("GET /x HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert_eq!(answer.status, 200, "{host}");
        assert_eq!(server.last().uri.authority().unwrap(), host);
    }
}

/// A client that reads nothing of large answers keeps nobody else from theirs.
#[test]
fn answers_that_are_not_read_hold_up_no_others() {
    let server = Server::start();
    let door = Door::secure(|config| config.threads = 1);
    door.apply(vec![h2c(&[&server])]);
    block_on(async {
        let (lazy, busy) = (over_tls(&door).await, over_tls(&door).await);
        let mut unread = Vec::new();
        for _ in 0..60 {
            let (answer, _) = open(&lazy, call("/large")).await;
            unread.push(answer.await.unwrap());
        }
        for _ in 0..20 {
            assert_eq!(ask(&busy, "/echo", "me").await.unwrap().body, b"me");
        }
        let large = ask(&busy, "/large", "").await.unwrap();
        assert_eq!((large.body.len(), large.grpc_status()), (4 << 20, Some("0")));
    });
    assert_eq!(server.connections(), 1);
}
