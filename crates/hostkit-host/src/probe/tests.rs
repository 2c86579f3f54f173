//! The probe against a socket that answers what a test wants.

use std::time::Duration;

use hostkit_core::size::Span;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers one connection with `answer` (or not at all) and returns what it was asked.
async fn check(answer: Option<&'static str>, rule: HealthRule) -> (Health, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut bytes = [0; 2048];
        let count = stream.read(&mut bytes).await.unwrap();
        match answer {
            Some(answer) => stream.write_all(answer.as_bytes()).await.unwrap(),
            None => {
                let _ = stream.read(&mut [0; 1]).await;
            }
        }
        String::from_utf8_lossy(&bytes[..count]).into_owned()
    });
    let health = HttpProbe
        .check(address, &HostName::parse("shop.localhost").unwrap(), &rule)
        .await;
    (health, server.await.unwrap())
}

fn up() -> HealthRule {
    HealthRule {
        path: Some("/up".into()),
        ..HealthRule::default()
    }
}

fn unhealthy(reason: &str) -> Health {
    Health::Unhealthy(reason.into())
}

#[tokio::test]
async fn it_asks_as_a_front_door_would() {
    let (health, asked) = check(Some("HTTP/1.1 204 No Content\r\n\r\n"), up()).await;
    assert_eq!(health, Health::Healthy);
    assert!(asked.starts_with("GET /up HTTP/1.1\r\n"), "{asked}");
    for header in [
        "host: shop.localhost",
        "x-forwarded-proto: https",
        "user-agent: HostKit-Health",
    ] {
        assert!(asked.contains(header), "{asked}");
    }
}

#[tokio::test]
async fn without_a_path_anything_below_500_will_do() {
    let (health, asked) = check(
        Some("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"),
        HealthRule::default(),
    )
    .await;
    assert_eq!(health, Health::Healthy);
    assert!(asked.starts_with("GET / HTTP/1.1"));
    let (health, _) = check(Some("HTTP/1.1 500 Oh\r\n\r\n"), HealthRule::default()).await;
    assert_eq!(health, unhealthy("GET / answered 500"));
}

#[tokio::test]
async fn redirects_are_named_with_where_they_lead() {
    let (health, _) = check(Some("HTTP/1.1 301 Moved\r\nlocation: https://x/up\r\n\r\n"), up()).await;
    assert_eq!(health, unhealthy("GET /up answered 301 to https://x/up"));
}

#[tokio::test]
async fn silence_refusal_and_nonsense_are_told_apart() {
    let slow = HealthRule {
        timeout: Span(Duration::from_millis(200)),
        ..up()
    };
    assert_eq!(
        check(None, slow).await.0,
        unhealthy("GET /up took longer than 200ms")
    );
    let (health, _) = check(Some("no http\r\n\r\n"), up()).await;
    assert!(matches!(health, Health::Unhealthy(why) if why.starts_with("GET /up: no valid answer")));
    let (health, _) = check(Some(""), up()).await;
    assert_eq!(
        health,
        unhealthy("GET /up: the connection was closed without an answer")
    );
    let free = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    let host = HostName::parse("shop.localhost").unwrap();
    assert_eq!(
        HttpProbe.check(free, &host, &up()).await,
        unhealthy("connection refused")
    );
}
