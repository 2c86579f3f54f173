//! The probe against servers that speak HTTP/2 without TLS.

use std::sync::{Arc, Mutex};

use hostkit_core::traits::HealthProbe;
use http::request::Parts;
use http::{HeaderValue, Response, Version};
use hyper::server::conn::http2;
use hyper::service::service_fn;
use tokio::net::TcpListener;

use super::*;

/// Answers one check with a head, a message, and trailers; returns what was asked.
async fn check(
    head: Response<&'static [u8]>,
    trailers: &[(&'static str, &'static str)],
    path: Option<&str>,
) -> (Health, Parts, Bytes) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let trailers = trailers.iter().map(|(name, value)| {
        let name: http::HeaderName = name.parse().unwrap();
        (name, HeaderValue::from_static(value))
    });
    let trailers = HeaderMap::from_iter(trailers);
    let seen = Arc::new(Mutex::new(None));
    let noted = Arc::clone(&seen);
    let server = tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let (head, trailers, noted) = (head.clone(), trailers.clone(), Arc::clone(&noted));
            async move {
                let (parts, body) = request.into_parts();
                let body = body.collect().await.unwrap().to_bytes();
                *noted.lock().unwrap() = Some((parts, body));
                let trailers = async move { (!trailers.is_empty()).then_some(Ok(trailers)) };
                Ok::<_, hyper::Error>(
                    head.map(|message| Full::new(Bytes::from_static(message)).with_trailers(trailers)),
                )
            }
        });
        let connection = http2::Builder::new(TokioExecutor::new());
        connection
            .serve_connection(TokioIo::new(stream), service)
            .await
            .ok();
    });
    let rule = HealthRule {
        protocol: hostkit_core::route::Protocol::H2c,
        path: path.map(str::to_owned),
        ..HealthRule::default()
    };
    let host = HostName::parse("shop.localhost").unwrap();
    let health = super::super::HttpProbe.check(address, &host, &rule).await;
    server.abort();
    let (parts, body) = seen.lock().unwrap().take().unwrap();
    (health, parts, body)
}

fn why(health: Health) -> String {
    match health {
        Health::Healthy => String::new(),
        Health::Unhealthy(why) => why,
    }
}

#[tokio::test]
async fn without_a_path_the_health_service_is_asked() {
    let serving = Response::new(SERVING);
    let (health, head, message) = check(serving, &[("grpc-status", "0")], None).await;
    assert_eq!(health, Health::Healthy);
    assert_eq!((head.method.as_str(), head.version), ("POST", Version::HTTP_2));
    assert_eq!(head.uri, "http://shop.localhost/grpc.health.v1.Health/Check");
    assert_eq!(head.headers["content-type"], "application/grpc");
    assert_eq!(message, [0; 5].as_slice());
}

#[tokio::test]
async fn what_a_server_says_of_itself_holds() {
    for (message, status, expected) in [
        (&[0, 0, 0, 0, 2, 8, 2][..], "0", "says that it is not serving"),
        (&[], "0", "says that it is not serving"),
        (&[1, 2, 3], "0", "says that it is not serving"),
        (
            &[],
            "14",
            "ended with status 14 of gRPC: the database\u{20}is gone",
        ),
        (&[], "not a number", "ended with status  of gRPC"),
        // It does not offer the service, or knows no health of the whole.
        (&[], "12", ""),
        (&[], "5", ""),
    ] {
        let trailers = [("grpc-status", status), ("grpc-message", "the database is gone")];
        let (health, ..) = check(Response::new(message), &trailers, None).await;
        let why = why(health);
        assert!(
            why.contains(expected) && why.is_empty() == expected.is_empty(),
            "{status}: {why}"
        );
    }
    // Without a message the outcome stands in the head.
    let head = Response::builder()
        .header("grpc-status", "14")
        .body(&[][..])
        .unwrap();
    let (health, ..) = check(head, &[], None).await;
    assert!(why(health).contains("status 14"));
}

#[tokio::test]
async fn other_programs_are_asked_too() {
    let answer = |status: u16| Response::builder().status(status).body(&b"page"[..]).unwrap();
    assert_eq!(check(answer(200), &[], None).await.0, Health::Healthy);
    assert_eq!(check(answer(404), &[], None).await.0, Health::Healthy);
    let (health, ..) = check(answer(503), &[], None).await;
    assert_eq!(why(health), "POST /grpc.health.v1.Health/Check answered 503");
    let (health, head, _) = check(answer(200), &[], Some("/up")).await;
    assert_eq!(
        (health, head.method.as_str(), head.uri.path()),
        (Health::Healthy, "GET", "/up")
    );
    let (health, ..) = check(answer(404), &[], Some("/up")).await;
    assert_eq!(why(health), "GET /up answered 404");
    // More than anybody has to say about health.
    let long = Response::new(&[b'x'; 100_000][..]);
    assert!(why(check(long, &[], None).await.0).contains("the answer broke off"));
}

#[tokio::test]
async fn one_that_speaks_something_else_is_not_healthy() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let answer = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
        tokio::io::AsyncWriteExt::write_all(&mut stream, answer)
            .await
            .unwrap();
    });
    let rule = HealthRule {
        protocol: hostkit_core::route::Protocol::H2c,
        ..HealthRule::default()
    };
    let host = HostName::parse("shop.localhost").unwrap();
    let health = super::super::HttpProbe.check(address, &host, &rule).await;
    assert!(why(health).contains("over HTTP/2: no valid answer"));
}
