//! What a browser gets, and what pages of other sites do not get.

use bytes::Bytes;
use hostkit_testkit::fakes::Faults;
use http::Request;
use http_body_util::Full;

use crate::house::House;

fn get(path: &str, host: Option<&str>) -> Request<Full<Bytes>> {
    let mut request = Request::builder().uri(path);
    if let Some(host) = host {
        request = request.header("host", host);
    }
    request.body(Full::default()).unwrap()
}

#[tokio::test]
async fn the_page_says_what_this_is_and_nothing_secret() {
    let house = House::with_shop().await;
    let answer = house.browse(get("/", Some("127.0.0.1"))).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.headers["content-type"], "text/html; charset=utf-8");
    assert!(
        answer.headers["content-security-policy"]
            .to_str()
            .unwrap()
            .starts_with("default-src 'none'")
    );
    let page = answer.text();
    for expected in [
        "1.2.3",
        "database",
        "Everything works",
        "hostkit deploy",
        "http://NAME.localhost:8080",
        "/api/openapi.json",
    ] {
        assert!(page.contains(expected), "{expected}");
    }
    assert!(!page.contains("{{"), "a gap was not filled");
    assert!(!page.contains("shop") && !page.contains(&house.admin));
    assert!(!page.contains("<script"), "it is to work without");
    assert!(page.len() < 10_000);
    // The socket is for programs.
    assert_eq!(house.send("GET", "/", None, "").await.status, 404);
}

#[tokio::test]
async fn requests_that_name_another_host_are_refused() {
    let house = House::open().await;
    let port = house.loopback.port();
    for host in [
        "localhost",
        "127.0.0.1",
        &format!("127.0.0.1:{port}"),
        "[::1]:1",
        "hostkit.localhost",
        "HOSTKIT.localhost:8080",
    ] {
        assert_eq!(
            house.browse(get("/api/health", Some(host))).await.status,
            200,
            "{host}"
        );
    }
    for host in [
        "evil.example",
        "127.0.0.1.evil.example",
        "shop.localhost",
        "",
        "local host",
        "0.0.0.0",
        "localhost.",
    ] {
        for path in ["/", "/api/health", "/nothing"] {
            assert_eq!(
                house.browse(get(path, Some(host))).await.status,
                403,
                "{host} {path}"
            );
        }
    }
    assert_eq!(house.browse(get("/api/health", None)).await.status, 403);
    let mut two = get("/api/health", Some("localhost"));
    two.headers_mut().append("host", "localhost".parse().unwrap());
    assert_ne!(house.browse(two).await.status, 200);
}

#[tokio::test]
async fn health_answers_anybody_with_200_or_503_and_no_reasons() {
    let house = House::open().await;
    let answer = house.browse(get("/api/health", Some("localhost"))).await;
    let json = answer.json();
    assert_eq!(json["status"], "healthy");
    assert_eq!(json["version"], "1.2.3");
    assert!(
        json["timestamp"]
            .as_str()
            .unwrap()
            .parse::<jiff::Timestamp>()
            .is_ok()
    );
    assert_eq!(json["checks"]["database"]["status"], "healthy");
    assert!(json["checks"]["database"]["latency_ms"].is_u64());
    house
        .traffic
        .faults
        .fail_always("status", Faults::broken("look at /secret/folder"));
    // On a busy machine a look may take so long that the one before still counts.
    let begun = std::time::Instant::now();
    let answer = loop {
        let answer = house.browse(get("/api/health", Some("localhost"))).await;
        if answer.status == 503 {
            break answer;
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(30));
    };
    assert_eq!(answer.json()["status"], "unhealthy");
    assert_eq!(answer.json()["checks"]["front_door"]["status"], "unhealthy");
    assert!(!answer.text().contains("/secret"));
    // The typed client takes this for an answer, not for a failure.
    let health = house.client().health().await.unwrap();
    assert_eq!(health.status, hostkit_api::installation::HealthStatus::Unhealthy);
}

#[tokio::test]
async fn no_answer_invites_other_sites() {
    let house = House::open().await;
    let mut request = get("/api/health", Some("localhost"));
    request
        .headers_mut()
        .insert("origin", "http://evil.example".parse().unwrap());
    let answer = house.browse(request).await;
    for header in ["access-control-allow-origin", "set-cookie"] {
        assert!(!answer.headers.contains_key(header), "{header}");
    }
}
