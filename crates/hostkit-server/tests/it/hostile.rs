//! Bodies, paths and heads that no client of ours would send: a plain refusal with the reason, and no harm.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::UnixStream;

use crate::house::House;

const DEPLOY: &str = "/api/projects/shop/environments/production/deployments";

#[tokio::test]
async fn json_that_is_not_what_it_should_be_is_refused_with_the_place() {
    let house = House::with_shop().await;
    let deep = format!("{{\"name\":{}", "[".repeat(200_000));
    let projects = "/api/projects";
    for (path, body, reason) in [
        (projects, "", "EOF while parsing"),
        (projects, "null", "invalid type: null"),
        (projects, "[]", "invalid"),
        (projects, "{}", "missing field `name`"),
        (projects, "{\"name\":1}", "`name`: invalid type: integer"),
        (projects, "{\"name\":\"a\"}", "not a valid project name"),
        (projects, "{\"name\":\"fine\",\"nmae\":1}", "unknown field `nmae`"),
        (
            projects,
            "{\"name\":\"fine\"} {\"name\":\"fine\"}",
            "trailing characters",
        ),
        (
            projects,
            "{\"name\":\"fine\",\"name\":\"fine\"}",
            "duplicate field",
        ),
        (projects, "{\"name\":\"fi\\u0000ne\"}", "not a valid project name"),
        (projects, &deep, "invalid type: sequence"),
        (
            "/api/tokens",
            "{\"name\":\"x\",\"role\":\"root\"}",
            "unknown variant `root`",
        ),
        (DEPLOY, "{\"act\":\"deploy\"}", "missing field `source`"),
        (
            DEPLOY,
            "{\"act\":\"deploy\",\"source\":\"../../x\"}",
            "64 lowercase hex digits",
        ),
        (
            DEPLOY,
            "{\"act\":\"restart\",\"proces\":\"web\"}",
            "unknown field `proces`",
        ),
        (
            DEPLOY,
            "{\"act\":\"scale\",\"process\":\"web\",\"count\":1e999}",
            "number out of range",
        ),
        (
            DEPLOY,
            "{\"act\":\"scale\",\"process\":\"web\",\"count\":-1}",
            "invalid value",
        ),
        (
            DEPLOY,
            "{\"act\":\"scale\",\"process\":\"web\",\"count\":70000}",
            "invalid value",
        ),
        (
            DEPLOY,
            "{\"act\":\"scale\",\"process\":\"web\",\"count\":2.5}",
            "invalid type",
        ),
        (DEPLOY, "{\"act\":\"format-disk\"}", "unknown variant"),
    ] {
        let answer = house
            .send("POST", path, Some(&house.admin), body.to_owned())
            .await;
        let shown: String = body.chars().take(60).collect();
        assert_eq!(answer.status, 400, "{shown}: {}", answer.text());
        let message = answer.message();
        assert!(message.contains(reason), "{shown}: {message}");
        assert!(message.len() < 700, "{message}");
    }
    let nested = format!("{{\"set\":{{\"A\":{}1{}}}}}", "[".repeat(5000), "]".repeat(5000));
    let variables = "/api/projects/shop/environments/production/variables";
    assert_eq!(
        house
            .send("PATCH", variables, Some(&house.admin), nested)
            .await
            .status,
        400
    );
    let not_utf8 = [&b"{\"name\":\""[..], &[0xff, 0xfe], &b"\"}"[..]].concat();
    assert_eq!(
        house
            .send("POST", projects, Some(&house.admin), not_utf8)
            .await
            .status,
        400
    );
    assert_eq!(
        house.send("GET", projects, Some(&house.admin), "").await.status,
        200
    );
}

#[tokio::test]
async fn paths_and_queries_are_read_strictly() {
    let house = House::with_shop().await;
    for (path, status) in [
        ("/api/projects/..%2f..%2fetc", 400),
        ("/api/projects/%00", 400),
        ("/api/projects/%ff", 400),
        ("/api/projects/SHOP", 400),
        ("/api/projects/shop%2fenvironments", 400),
        ("/api/projects/shop/environments/..", 400),
        ("/api/projects/shop/deployments/-1", 400),
        ("/api/projects/shop/deployments/99999999999999999999999", 400),
        ("/api/projects/shop/deployments/1%0a", 400),
        ("/api/projects/shop/environments/ghost", 404),
        ("/api/projects/shop/environments/ghost/logs", 404),
        ("/api/projects/shop/environments/ghost/variables", 404),
        ("/api/projects/shop/environments/ghost/deployments", 404),
        ("/api/projects//environments", 400),
        ("/api/nothing", 404),
        ("//api/projects", 404),
        ("/api/projects/", 404),
        ("/api/projects?all=1", 400),
        ("/api/events?folow=true", 400),
        ("/api/events?follow=maybe", 400),
        ("/api/events?last=-1", 400),
        ("/api/events?last=1&last=2", 400),
        (
            "/api/projects/shop/environments/production/logs?since=yesterday",
            400,
        ),
        ("/api/projects/shop/environments/production/run", 400),
    ] {
        let answer = house.send("GET", path, Some(&house.admin), "").await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
        assert!(answer.message().starts_with("cannot "), "{path}");
    }
    for (method, path, allow) in [
        ("POST", "/api/health", "GET,HEAD"),
        ("TRACE", "/api/projects", "GET,HEAD,POST"),
        ("OPTIONS", "/api/projects", "GET,HEAD,POST"),
        ("PUT", "/api/projects", "GET,HEAD,POST"),
        ("BREW", "/api/projects", "GET,HEAD,POST"),
        ("GET", "/api/projects/shop/blobs", "PUT"),
    ] {
        let answer = house.send(method, path, Some(&house.admin), "").await;
        assert_eq!(answer.status, 405, "{method} {path}");
        assert_eq!(answer.headers["allow"], allow, "{method} {path}");
        assert!(answer.message().contains(method), "{}", answer.text());
    }
    assert_eq!(
        house.send("BREW", "/api/nothing", None, "").await.status,
        404,
        "what is not there takes no method"
    );
    let trigger = format!("{DEPLOY}?trigger={}", "x".repeat(101));
    let body = format!("{{\"act\":\"deploy\",\"source\":\"{}\"}}", "0".repeat(64));
    assert_eq!(
        house
            .send("POST", &trigger, Some(&house.admin), body)
            .await
            .status,
        400
    );
}

#[tokio::test]
async fn too_much_is_refused_and_the_refusal_can_be_read() {
    let house = House::with_shop().await;
    let two_megabytes = vec![b' '; 2 << 20];
    let answer = house
        .send("POST", "/api/projects", Some(&house.admin), two_megabytes.clone())
        .await;
    assert_eq!(answer.status, 413);
    assert!(
        answer.message().contains("larger than 1MB"),
        "{}",
        answer.message()
    );
    // Also where nobody announced the size.
    let mut chunked = format!(
        "POST /api/projects HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\ntransfer-encoding: chunked\r\n\r\n",
        house.admin
    )
    .into_bytes();
    for _ in 0..20 {
        chunked.extend_from_slice(b"20000\r\n");
        chunked.extend(std::iter::repeat_n(b' ', 0x20000));
        chunked.extend_from_slice(b"\r\n");
    }
    chunked.extend_from_slice(b"0\r\n\r\n");
    assert!(raw(&house, &chunked).await.starts_with("HTTP/1.1 413"));
    // Also where the sender has no business here at all.
    let answer = house.send("POST", "/api/projects", None, two_megabytes).await;
    assert_eq!(answer.status, 401);
}

/// Sends bytes as they are, and returns the beginning of what comes back.
async fn raw(house: &House, bytes: &[u8]) -> String {
    let stream = UnixStream::connect(house.socket()).await.unwrap();
    let (mut read, mut write) = stream.into_split();
    let bytes = bytes.to_vec();
    let sending = tokio::spawn(async move {
        // Whether all of it was taken is not the question.
        write.write_all(&bytes).await.ok();
        write
    });
    let mut answer = vec![0; 4096];
    let n = read.read(&mut answer).await.unwrap_or(0);
    sending.abort();
    String::from_utf8_lossy(&answer[..n]).into_owned()
}

#[tokio::test]
async fn heads_that_could_be_read_in_two_ways_are_refused() {
    let house = House::with_shop().await;
    let head = |extra: &str| {
        format!(
            "POST /api/projects HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {}\r\n{extra}",
            house.admin
        )
    };
    let body = "\r\n\r\n{\"name\":\"smuggled\"}";
    for extra in [
        format!("content-length: 19\r\ncontent-length: 5{body}"),
        format!("content-length: 19, 5{body}"),
        format!("content-length: +19{body}"),
        format!("content-length: -1{body}"),
        "transfer-encoding: chunked, identity\r\n\r\n13\r\n{\"name\":\"smuggled\"}\r\n0\r\n\r\n".to_owned(),
        "transfer-encoding: xchunked\r\n\r\n13\r\n{\"name\":\"smuggled\"}\r\n0\r\n\r\n".to_owned(),
        "transfer-encoding: chunked\r\n\r\nzz\r\n{\"name\":\"smuggled\"}\r\n0\r\n\r\n".to_owned(),
        format!("x-a: b\r\n folded: c\r\ncontent-length: 19{body}"),
        format!("x-a: b\0c\r\ncontent-length: 19{body}"),
        format!("x a: b\r\ncontent-length: 19{body}"),
        format!("x-a: {}\r\ncontent-length: 19{body}", "y".repeat(1_000_000)),
        format!("authorization: Bearer other\r\ncontent-length: 19{body}"),
    ] {
        let answer = raw(&house, head(&extra).as_bytes()).await;
        let status = answer.get(9..12).unwrap_or_default();
        let shown: String = extra.chars().take(60).collect();
        assert!(answer.is_empty() || status.starts_with('4'), "{shown}: {answer}");
    }
    let listed = house.send("GET", "/api/projects", Some(&house.admin), "").await;
    assert!(!listed.text().contains("smuggled"), "{}", listed.text());
}

#[tokio::test]
async fn whoever_sends_slowly_keeps_nobody_waiting() {
    let house = House::with_shop().await;
    let mut slow = Vec::new();
    for _ in 0..100 {
        let mut stream = UnixStream::connect(house.socket()).await.unwrap();
        stream
            .write_all(b"POST /api/projects HTTP/1.1\r\nhost: loc")
            .await
            .unwrap();
        slow.push(stream);
    }
    let answer = house.send("GET", "/api/status", Some(&house.admin), "").await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json()["projects"], 1);
    assert_eq!(answer.json()["front_door"], "http://localhost:8080");
}

#[tokio::test]
async fn a_head_has_a_limit_to_the_byte() {
    let house = House::with_shop().await;
    for (kilobytes, refused) in [(1, false), (60, false), (64, true), (70, true), (500, true)] {
        let long = "y".repeat(kilobytes << 10);
        let request = format!("GET /api/health HTTP/1.1\r\nhost: localhost\r\nx-long: {long}\r\n\r\n");
        let answer = raw(&house, request.as_bytes()).await;
        let status = answer.get(9..12).unwrap_or_default();
        assert_eq!(status == "431", refused, "{kilobytes} KB: {answer:.200}");
    }
}

#[tokio::test]
async fn whoever_takes_all_places_and_says_nothing_loses_them() {
    let house = House::with_shop().await;
    let mut idle = Vec::new();
    for _ in 0..1024 {
        match tokio::time::timeout(
            std::time::Duration::from_secs(1),
            UnixStream::connect(house.socket()),
        )
        .await
        {
            Ok(Ok(stream)) => idle.push(stream),
            // The system's own queue is full.
            Err(_) => break,
            // So are the files this process may open; some are needed below.
            Ok(Err(_)) => {
                idle.truncate(idle.len() / 2);
                break;
            }
        }
    }
    let asked = house.send("GET", "/api/status", Some(&house.admin), "");
    let answer = tokio::time::timeout(std::time::Duration::from_secs(20), asked).await;
    assert_eq!(answer.expect("there is a place again").status, 200);
}
