//! The front door over real sockets: ports.

use std::io::Write;
use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use hostkit_proxy::{KeptPorts, PortKeeper};

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

/// Keeps copies, and remembers what it was told.
#[derive(Clone, Default)]
struct Keeper {
    told: Arc<Mutex<Vec<String>>>,
    copies: Arc<Mutex<Vec<(u16, TcpListener)>>>,
}

impl PortKeeper for Keeper {
    fn keep(&self, port: u16, listener: &TcpListener) {
        self.told.lock().unwrap().push(format!("keep {port}"));
        let copy = (port, listener.try_clone().unwrap());
        self.copies.lock().unwrap().push(copy);
    }
    fn forget(&self, port: u16) {
        self.told.lock().unwrap().push(format!("forget {port}"));
        self.copies.lock().unwrap().retain(|(kept, _)| *kept != port);
    }
}

impl Keeper {
    /// What the next front door is handed.
    fn hand_over(&self) -> KeptPorts {
        KeptPorts {
            listeners: std::mem::take(&mut *self.copies.lock().unwrap())
                .into_iter()
                .collect(),
            keeper: Some(Box::new(self.clone())),
        }
    }
}

#[test]
fn a_kept_port_refuses_nobody_between_two_front_doors() {
    let upstream = Upstream::named("x");
    let keeper = Keeper::default();
    let folder = Arc::new(tempfile::tempdir().unwrap());
    let (stays, goes) = (free_port(), free_port());
    let first = Door::start_in(folder.clone(), |config| config.kept_ports = keeper.hand_over());
    let mut route = to("shop", &[upstream.address]);
    route.ports = vec![stays];
    let mut other = to("blog", &[upstream.address]);
    other.ports = vec![goes];
    assert_eq!(first.apply(vec![route.clone(), other]).put_aside, []);
    let mut told = keeper.told.lock().unwrap().clone();
    told.sort();
    let mut expected = vec![format!("keep {goes}"), format!("keep {stays}")];
    expected.sort();
    assert_eq!(told, expected);
    drop(first);

    // Nobody serves now, and nobody is refused: the connection waits for the next front door.
    let mut waiting = connect(at(stays));
    waiting.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let second = Door::start_in(folder, |config| config.kept_ports = keeper.hand_over());
    assert_eq!(read_answer(&mut waiting, false).text(), "x");
    assert_eq!(keeper.told.lock().unwrap().len(), 2, "nothing is kept twice");

    let version = second.status().version + 1;
    second
        .apply_table(hostkit_core::route::RouteTable {
            version,
            routes: vec![route],
            canaries: Vec::new(),
        })
        .unwrap();
    assert_eq!(
        keeper.told.lock().unwrap().last(),
        Some(&format!("forget {goes}"))
    );
    assert!(std::net::TcpStream::connect(at(goes)).is_err());
    assert_eq!(send(at(stays), "GET / HTTP/1.1\r\nHost: x\r\n\r\n").text(), "x");
}

#[test]
fn kept_ports_that_no_table_names_any_more_are_let_go() {
    let keeper = Keeper::default();
    let left = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = left.local_addr().unwrap().port();
    keeper.copies.lock().unwrap().push((port, left));
    let door = Door::start_with(|config| config.kept_ports = keeper.hand_over());
    // Until the first table says so: this front door may have lost its own.
    assert!(std::net::TcpStream::connect(at(port)).is_ok());
    door.apply(Vec::new());
    assert!(std::net::TcpStream::connect(at(port)).is_err());
    assert_eq!(*keeper.told.lock().unwrap(), [format!("forget {port}")]);
}
