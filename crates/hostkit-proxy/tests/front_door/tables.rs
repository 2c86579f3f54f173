//! The front door over real sockets: tables.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hostkit_core::kind::Kind;
use hostkit_core::route::{RouteTable, Target};

use crate::support::*;

/// Puts a raw body to the admin socket.
fn put(door: &Door, body: &str) -> Answer {
    let mut stream = std::os::unix::net::UnixStream::connect(door.layout.proxy_socket()).unwrap();
    write!(
        stream,
        "PUT /table HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    Answer {
        status: head[9..12].parse().unwrap(),
        head: head.into(),
        body: body.into(),
    }
}

#[test]
fn one_bad_entry_is_put_aside_by_name_and_the_others_serve() {
    let upstream = Upstream::named("fine");
    let door = Door::start();
    let good = serde_json::to_value(to("shop", &[upstream.address])).unwrap();
    let mut bad = serde_json::to_value(to("blog", &[upstream.address])).unwrap();
    bad["hosts"] = serde_json::json!(["not a host"]);
    let body = serde_json::json!({"version": 3, "routes": [bad, good, {"id": "broken"}]}).to_string();
    let answer = put(&door, &body);
    assert_eq!(answer.status, 200);
    let text = answer.text();
    assert!(
        text.contains("blog/production/web") && text.contains("not a host") && text.contains("broken"),
        "{text}"
    );
    assert_eq!(door.get("shop.localhost", "/").text(), "fine");
    assert_eq!(door.status().put_aside.len(), 2);
    assert_eq!(put(&door, "{").status, 400);
    assert_eq!(put(&door, "[]").status, 400);
    assert_eq!(door.get("shop.localhost", "/").text(), "fine");
}

#[test]
fn an_older_table_is_refused_and_the_same_one_taken_again() {
    let upstream = Upstream::named("x");
    let door = Door::start();
    let table = |version| RouteTable {
        version,
        routes: vec![to("shop", &[upstream.address])],
        canaries: Vec::new(),
    };
    assert_eq!(door.apply_table(table(9)).unwrap().version, 9);
    assert_eq!(door.apply_table(table(9)).unwrap().version, 9);
    let refused = door.apply_table(table(8)).unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(refused.message.contains("version 9 is in force"), "{refused}");
    assert_eq!(door.status().version, 9);
}

#[test]
fn the_last_table_serves_after_a_restart_without_anybody_to_ask() {
    let upstream = Upstream::named("still here");
    let mut door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let folder = Arc::clone(&door.folder);
    drop(door.handle.take());
    let door = Door::start_in(folder, |_| ());
    assert_eq!(door.get("shop.localhost", "/").text(), "still here");
    assert_eq!(door.status().version, 1);
    use std::os::unix::fs::PermissionsExt;
    for file in [door.layout.proxy_socket(), door.layout.proxy().join("table.json")] {
        assert_eq!(
            std::fs::metadata(file).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
}

#[test]
fn a_table_is_applied_in_milliseconds() {
    let upstream = Upstream::named("x");
    let door = Door::start();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut best = Duration::MAX;
    for version in 1..=30 {
        let table = RouteTable {
            version,
            routes: vec![to("shop", &[upstream.address])],
            canaries: Vec::new(),
        };
        let began = Instant::now();
        runtime
            .block_on(hostkit_core::traits::traffic::Traffic::apply(
                &door.client,
                &table,
            ))
            .unwrap();
        best = best.min(began.elapsed());
    }
    println!("best apply: {best:?}");
}

/// The heart of it: traffic all the while, one instance after another takes over, drains, and goes.
#[test]
fn no_request_is_lost_while_instances_change() {
    let door = Door::start();
    let first = Upstream::named("0");
    door.apply(vec![to("shop", &[first.address])]);
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let clients: Vec<_> = (0..8)
        .map(|number| {
            let (stop, answered, address) = (Arc::clone(&stop), Arc::clone(&answered), door.address);
            std::thread::spawn(move || {
                let mut stream = connect(address);
                while !stop.load(Ordering::Relaxed) {
                    if number % 2 == 0 {
                        stream = connect(address);
                    }
                    let request: &[u8] = if number % 3 == 0 {
                        b"POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 3\r\n\r\nabc"
                    } else {
                        b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n"
                    };
                    stream.write_all(request).unwrap();
                    let answer = read_answer(&mut stream, false);
                    assert_eq!(answer.status, 200, "{answer:?}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    let mut old = first;
    for round in 1..=40u64 {
        let next = Upstream::named("n");
        let mut route = to("shop", &[next.address]);
        if let Target::Instances { backends } = &mut route.target {
            backends[0].id.0 = format!("shop.{round}");
        }
        door.apply(vec![route]);
        let name = if round == 1 {
            "shop.1".to_owned()
        } else {
            format!("shop.{}", round - 1)
        };
        if round > 1 {
            assert_eq!(door.drain(&[&name], Duration::from_secs(20)).cut, 0);
            // The instance is killed: whatever still lay on its connections would be lost now.
            for connection in old.connections.lock().unwrap().drain(..) {
                connection.shutdown(std::net::Shutdown::Both).ok();
            }
        }
        old = next;
        let before = answered.load(Ordering::Relaxed);
        until("traffic goes on", || {
            answered.load(Ordering::Relaxed) > before + 20
        });
    }
    stop.store(true, Ordering::Relaxed);
    for client in clients {
        client.join().unwrap();
    }
}

#[test]
fn a_drain_waits_for_requests_and_aborts_what_is_left() {
    let upstream = Upstream::raw(TcpListener::bind("127.0.0.1:0").unwrap(), |stream, _| {
        read_head(stream);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ")
            .ok();
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).ok();
    });
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    let mut stream = door.connect();
    stream
        .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
        .unwrap();
    read_head(&mut stream);
    door.apply(vec![]);
    assert_eq!(door.get("shop.localhost", "/").status, 404);
    assert_eq!(door.in_flight("shop.1"), 1);
    assert_eq!(door.drain(&["shop.1"], Duration::from_millis(200)).cut, 1);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).ok();
    assert_eq!(rest, b"half ");
    assert_eq!(door.in_flight("shop.1"), 0);
    assert_eq!(door.drain(&["shop.1", "unknown"], Duration::from_secs(9)).cut, 0);
}
