//! The front door over real sockets: ports.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};

use crate::support::*;

fn at(port: u16) -> SocketAddr {
    ([127, 0, 0, 1], port).into()
}

#[test]
fn a_stable_port_serves_any_host_name_and_goes_when_its_route_goes() {
    let (first, second) = (Upstream::named("one"), Upstream::named("two"));
    let door = Door::start();
    let port = free_port();
    let mut route = to("shop", &[first.address]);
    route.ports = vec![port];
    route.hosts.clear();
    assert_eq!(door.apply(vec![route.clone()]).put_aside, []);
    let ask = || send(at(port), "GET / HTTP/1.1\r\nHost: whatever:1\r\n\r\n").text();
    assert_eq!(ask(), "one");
    assert_eq!(
        first.last().header("x-forwarded-port"),
        Some(port.to_string().as_str())
    );
    assert_eq!(door.get("shop.localhost", "/").status, 404);

    let mut kept = connect(at(port));
    let mut changed = to("shop", &[second.address]);
    changed.ports = vec![port];
    door.apply(vec![changed]);
    assert_eq!(ask(), "two");
    kept.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    assert_eq!(read_answer(&mut kept, false).text(), "two");

    door.apply(vec![to("shop", &[second.address])]);
    assert!(
        std::net::TcpStream::connect(at(port)).is_err(),
        "the port is free again"
    );
    TcpListener::bind(at(port)).unwrap();
    // The connection that was open ends, at the latest with its next request.
    kept.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").ok();
    let last = read_answer(&mut kept, false);
    assert!(matches!(last.status, 0 | 404), "{last:?}");
}

#[test]
fn a_port_that_is_taken_is_put_aside_alone_and_held_as_soon_as_it_is_free() {
    let upstream = Upstream::named("x");
    let door = Door::start();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let free = free_port();
    let mut route = to("shop", &[upstream.address]);
    route.ports = vec![port, free];
    let applied = door.apply(vec![route]);
    assert_eq!(applied.put_aside.len(), 1);
    assert!(
        applied.put_aside[0].reason.contains(&port.to_string()),
        "{applied:?}"
    );
    assert_eq!(applied.put_aside[0].route, "shop/production/web");
    assert_eq!(door.get("shop.localhost", "/").text(), "x");
    assert_eq!(send(at(free), "GET / HTTP/1.1\r\nHost: x\r\n\r\n").text(), "x");
    drop(taken);
    until("the port is held", || door.status().put_aside.is_empty());
    assert_eq!(send(at(port), "GET / HTTP/1.1\r\nHost: x\r\n\r\n").text(), "x");
}
