//! Redirects, rewrites, prefixes and headers by path.

use hostkit_core::route::condition::Place;
use hostkit_core::route::rules::{Rules, Stage};

use super::*;

#[test]
fn redirects_lead_elsewhere_and_the_application_never_hears_of_them() {
    let mut by_header = redirect("/", "/:lang/home");
    by_header.has = vec![condition(Place::Header, "accept-language", "(?<lang>de|fr).*")];
    by_header.missing = vec![condition(Place::Cookie, "lang", "")];
    let mut by_host = redirect("/:path*", "https://shop.example.com/:path*");
    by_host.has = vec![condition(Place::Host, "", "www\\..*")];
    let mut by_query = redirect("/find", "/search/:q");
    by_query.has = vec![condition(Place::Query, "q", "")];
    // What check cannot see is seen when it happens.
    let mut to_itself = redirect("/loop/:x?", "/loop/a");
    to_itself.missing = vec![condition(Place::Cookie, "seen", "")];
    let mut permanent = redirect("/old/:id(\\d+)", "/new/:id");
    permanent.status = 308;
    let (door, upstream) = shop(Rules {
        redirects: vec![
            permanent,
            by_header,
            by_host,
            by_query,
            redirect("/all/(.*)", "/$1"),
            to_itself,
        ],
        ..Rules::default()
    });
    for (path, lines, status, location) in [
        ("/old/7", "", 308, Some("/new/7")),
        ("/old/7?a=b", "", 308, Some("/new/7?a=b")),
        ("/%6fld/7", "", 308, Some("/new/7")),
        ("/old/x", "", 200, None),
        ("/", "Accept-Language: de-AT\r\n", 307, Some("/de/home")),
        (
            "/",
            "Accept-Language: de-AT\r\nCookie: a=b; lang=en\r\n",
            200,
            None,
        ),
        ("/", "Accept-Language: en\r\n", 200, None),
        (
            "/find?q=a+b%2F%0d%0a",
            "",
            307,
            Some("/search/a%20b%2F%0D%0A?q=a+b%2F%0d%0a"),
        ),
        ("/all//evil.com", "", 307, Some("/evil.com")),
        ("/all/%5Cevil.com", "", 307, Some("/%5Cevil.com")),
        ("/loop/b", "", 307, Some("/loop/a")),
        ("/loop/a", "", 200, None),
    ] {
        let answer = get(&door, path, lines);
        assert_eq!(
            (answer.status, answer.header("location")),
            (status, location),
            "{path} {lines} {answer:?}"
        );
        assert_eq!(answer.header("x-hostkit-release"), Some("20260101-120000"));
        assert!(answer.header("x-request-id").is_some());
    }
    assert_eq!(upstream.seen().len(), 4);
    until("redirects are in the log", || {
        door.log_lines()
            .iter()
            .any(|line| line["status"] == 308 && line["project"] == "shop")
    });
}

#[test]
fn another_host_is_sent_to_the_one_that_is_meant_with_its_port() {
    let upstream = Upstream::named("shop");
    let door = Door::start();
    let mut route = to("shop", &[upstream.address]);
    route.hosts.push("www.shop.localhost".parse().unwrap());
    route.rules.canonical_host = Some("shop.localhost".parse().unwrap());
    door.apply(vec![route]);
    let answer = door.get("www.shop.localhost:8080", "//evil.com?x=1");
    assert_eq!(answer.status, 308);
    assert_eq!(
        answer.header("location"),
        Some("http://shop.localhost:8080//evil.com?x=1")
    );
    for host in ["shop.localhost", "SHOP.localhost:8080", "shop.localhost."] {
        assert_eq!(door.get(host, "/").status, 200, "{host}");
    }
}

#[test]
fn a_rewritten_request_reaches_the_application_as_another() {
    let (door, upstream) = shop(Rules {
        rewrites: vec![
            rewrite("/a/:id", "/items", Stage::AfterFiles),
            rewrite("/b/:rest*", "/c/:rest*?from=b", Stage::BeforeFiles),
            rewrite("/c/(.*)", "/never", Stage::AfterFiles),
        ],
        ..Rules::default()
    });
    for (asked, seen) in [
        ("/a/7?x=1", "GET /items?id=7&x=1 HTTP/1.1"),
        ("/b/x/y", "GET /c/x/y?from=b HTTP/1.1"),
        ("/b", "GET /c?from=b HTTP/1.1"),
        ("/other", "GET /other HTTP/1.1"),
        ("/b//x", "GET /b//x HTTP/1.1"),
    ] {
        assert_eq!(get(&door, asked, "").status, 200, "{asked}");
        assert_eq!(upstream.last().line(), seen);
    }
    // A body goes the long way, and the log has what was asked for.
    door.send("POST /a/8 HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 2\r\n\r\nhi");
    assert_eq!(upstream.last().line(), "POST /items?id=8 HTTP/1.1");
    until("the log has the line", || {
        door.log_lines().iter().any(|line| line["path"] == "/a/8")
    });
}

#[test]
fn a_path_leads_to_another_process_with_or_without_its_prefix() {
    let (web, api, auth) = (
        Upstream::named("web"),
        Upstream::named("api"),
        Upstream::named("auth"),
    );
    let door = Door::start();
    let part = |name: &str, upstream: &Upstream, prefix: &str, strip: bool| {
        let mut route = to(name, &[upstream.address]);
        route.hosts = vec!["shop.localhost".parse().unwrap()];
        route.path_prefix = prefix.into();
        route.rules.strip_prefix = strip;
        route.rules.rewrites = vec![rewrite("/v1/(.*)", "/api/$1", Stage::AfterFiles)];
        route
    };
    door.apply(vec![
        part("web", &web, "/", false),
        part("api", &api, "/api", true),
        part("auth", &auth, "/api/auth", false),
    ]);
    for (asked, upstream, seen) in [
        ("/", &web, "GET / HTTP/1.1"),
        ("/apis", &web, "GET /apis HTTP/1.1"),
        ("/api", &api, "GET / HTTP/1.1"),
        ("/api?x=1", &api, "GET /?x=1 HTTP/1.1"),
        ("/api/items/7?x=1", &api, "GET /items/7?x=1 HTTP/1.1"),
        ("/api//evil.com", &api, "GET /evil.com HTTP/1.1"),
        ("/api/auth/login", &auth, "GET /api/auth/login HTTP/1.1"),
        // A rewrite leads to whatever answers its destination.
        ("/v1/items", &api, "GET /items HTTP/1.1"),
    ] {
        assert_eq!(get(&door, asked, "X-Forwarded-Prefix: /theirs\r\n").status, 200);
        assert_eq!(upstream.last().line(), seen, "{asked}");
    }
    assert_eq!(api.last().headers("x-forwarded-prefix"), ["/api"]);
    assert_eq!(auth.last().header("x-forwarded-prefix"), None);
}

#[test]
fn headers_are_set_by_path() {
    let mut only_for = headers("/(.*)", &[("x-beta", "1")]);
    only_for.has = vec![condition(Place::Cookie, "beta", "")];
    let (door, _upstream) = shop(Rules {
        headers: vec![
            headers("/(.*)", &[("X-All", "1"), ("Cache-Control", "no-store")]),
            headers(
                "/assets/:path*",
                &[("cache-control", "public, max-age=60"), ("vary", "accept")],
            ),
            only_for,
        ],
        redirects: vec![redirect("/old", "/new")],
        ..Rules::default()
    });
    let answer = get(&door, "/assets/a/b", "");
    assert_eq!(answer.header("x-all"), Some("1"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
    assert_eq!(
        (answer.header("vary"), answer.header("x-beta")),
        (Some("accept"), None)
    );
    let answer = get(&door, "/x", "Cookie: beta=yes\r\n");
    assert_eq!(
        (answer.header("cache-control"), answer.header("x-beta")),
        (Some("no-store"), Some("1"))
    );
    assert_eq!(get(&door, "/old", "").header("x-all"), Some("1"));
}

#[test]
fn stable_ports_lead_straight_to_the_process() {
    let upstream = Upstream::named("shop");
    let door = Door::start();
    let port = free_port();
    let mut route = to("shop", &[upstream.address]);
    route.ports = vec![port];
    route.rules = Rules {
        maintenance: true,
        redirects: vec![redirect("/(.*)", "https://example.com/")],
        ..Rules::default()
    };
    door.apply(vec![route]);
    let answer = send(
        ([127, 0, 0, 1], port).into(),
        "GET /x HTTP/1.1\r\nHost: any\r\n\r\n",
    );
    assert_eq!(answer.status, 200);
    assert_eq!(answer.header("x-frame-options"), None);
    assert_eq!(get(&door, "/x", "").status, 503);
}

#[test]
fn a_route_with_a_broken_rule_is_put_aside_and_the_others_serve() {
    let upstream = Upstream::named("fine");
    let door = Door::start();
    let mut broken = to("shop", &[upstream.address]);
    broken.rules.redirects = vec![redirect("/a", "/a")];
    let applied = door.apply(vec![broken, to("fine", &[upstream.address])]);
    assert_eq!(applied.put_aside.len(), 1);
    assert!(
        applied.put_aside[0].reason.contains("leads to itself"),
        "{applied:?}"
    );
    assert_eq!(door.get("fine.localhost", "/").status, 200);
    assert_eq!(door.get("shop.localhost", "/").status, 404);
}
