//! From plain HTTP to https: where to, for whom, and for whom not.

use hostkit_core::names::HostName;
use hostkit_core::route::{Https, NothingReason, Route, Target};

use crate::support::*;

fn secured(mut route: Route) -> Route {
    route.https = Https::Required;
    route
}

/// A front door with a certificate for every host of these routes.
fn certified(routes: Vec<Route>) -> Door {
    let door = Door::secure(|config| {
        config.certificates.local = vec![HostName::parse("localhost").unwrap()];
    });
    let hosts: Vec<String> = routes.iter().map(|route| route.hosts[0].to_string()).collect();
    let paused = Target::Nothing {
        reason: NothingReason::Stopped,
    };
    // Asked while nothing is behind them.
    door.apply(
        hosts
            .iter()
            .map(|host| {
                let name = host.split('.').next().unwrap();
                secured(route(name, paused.clone()))
            })
            .collect(),
    );
    for host in hosts {
        until("there is a certificate", || door.get(&host, "/").status == 301);
    }
    door.apply(routes);
    door
}

#[test]
fn nobody_is_sent_where_a_browser_would_only_warn() {
    let upstream = Upstream::named("x");
    let door = Door::secure(|_| ());
    door.apply(vec![secured(to("shop", &[upstream.address]))]);
    assert_eq!(door.get("shop.localhost", "/").text(), "x");
}

#[test]
fn plain_http_is_sent_to_https_with_path_and_query() {
    let upstream = Upstream::named("x");
    let door = certified(vec![
        secured(to("shop", &[upstream.address])),
        to("open", &[upstream.address]),
    ]);
    let port = door.tls_address().port();
    for (method, status) in [
        ("GET", 301),
        ("HEAD", 301),
        ("POST", 308),
        ("DELETE", 308),
        ("PURGE", 308),
    ] {
        let answer = door.send(format!(
            "{method} /a%20b?c=d&e HTTP/1.1\r\nHost: shop.localhost:80\r\n\r\n"
        ));
        assert_eq!(answer.status, status, "{method}");
        let there = format!("https://shop.localhost:{port}/a%20b?c=d&e");
        assert_eq!(answer.header("location"), Some(there.as_str()), "{method}");
    }
    let server = door.send("OPTIONS * HTTP/1.1\r\nHost: SHOP.localhost\r\n\r\n");
    assert_eq!(
        server.header("location"),
        Some(format!("https://SHOP.localhost:{port}/").as_str())
    );
    // Two slashes at the start name no other host.
    let slashes = door.get("shop.localhost", "//evil.example/x");
    assert_eq!(
        slashes.header("location"),
        Some(format!("https://shop.localhost:{port}//evil.example/x").as_str())
    );
    assert!(upstream.seen().is_empty());
    assert_eq!(door.get("open.localhost", "/").status, 200);
    assert_eq!(door.get("nobody.localhost", "/").status, 404);
}

#[test]
fn a_request_with_a_body_is_redirected_and_what_follows_is_read_right() {
    let upstream = Upstream::named("x");
    let door = certified(vec![secured(to("shop", &[upstream.address]))]);
    let answer = door.send(
        "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 46\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
    );
    assert_eq!(answer.status, 308);
    assert!(upstream.seen().is_empty());
}

#[test]
fn nothing_is_redirected_over_tls_on_stable_ports_or_without_tls() {
    let upstream = Upstream::named("x");
    let port = free_port();
    let mut route = secured(to("shop", &[upstream.address]));
    route.ports = vec![port];
    let door = certified(vec![route.clone()]);
    let request = b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n";
    let mut secure = door.connect_tls("shop.localhost");
    std::io::Write::write_all(&mut secure, request).unwrap();
    assert_eq!(read_answer(&mut secure, false).status, 200);
    assert_eq!(send(([127, 0, 0, 1], port).into(), request).status, 200);
    drop(door);
    let plain = Door::start();
    plain.apply(vec![route]);
    assert_eq!(plain.get("shop.localhost", "/").status, 200);
}

/// HostKit's own look at a new release is about the release.
#[test]
fn a_visit_from_this_machine_sees_what_is_behind_the_route() {
    let upstream = Upstream::named("x");
    let door = certified(vec![secured(to("shop", &[upstream.address]))]);
    let answer = door.send("GET / HTTP/1.1\r\nHost: shop.localhost\r\nX-HostKit-Visit: 1\r\n\r\n");
    assert_eq!(answer.text(), "x");
    assert_eq!(upstream.last().header("x-hostkit-visit"), None);
}
