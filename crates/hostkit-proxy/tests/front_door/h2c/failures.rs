//! Backends that leave, break off, refuse, or speak something else; and tables that change under calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use hostkit_core::route::Protocol;
use hostkit_core::size::Span;
use hostkit_core::traits::Traffic;

use super::client::*;
use super::h2c;
use super::server::Server;
use crate::support::*;

/// A server may say at any time that a connection is over for new calls (GOAWAY), for its age or because it ends.
#[test]
fn a_connection_the_server_takes_leave_of_loses_no_call() {
    let server = Server::start();
    let door = Door::secure(|_| ());
    door.apply(vec![h2c(&[&server])]);
    block_on(async {
        let sender = over_tls(&door).await;
        for _ in 0..20 {
            let calls = ["/echo", "/echo", "/leave", "/echo", "/echo"].map(|path| ask(&sender, path, "bye"));
            for answered in join_all(calls).await {
                assert_eq!(answered.unwrap().grpc_status(), Some("0"));
            }
            assert_eq!(ask(&sender, "/echo", "again").await.unwrap().body, b"again");
        }
    });
    assert!(server.connections() > 10);
}

#[test]
fn a_connection_that_breaks_fails_its_calls_and_no_later_ones() {
    let server = Server::start();
    let door = Door::secure(|_| ());
    door.apply(vec![h2c(&[&server])]);
    block_on(async {
        let sender = over_tls(&door).await;
        for _ in 0..5 {
            let (answer, mut talking) = open(&sender, call("/talk")).await;
            let mut body = answer.await.unwrap().into_body();
            talking.send_data(Bytes::from_static(b"a"), false).unwrap();
            assert_eq!(next(&mut body).await.unwrap().unwrap(), "a");
            assert_eq!(ask(&sender, "/die", "x").await.unwrap().status, 502);
            // Its client hears that it broke off: nothing of it looks like an end.
            assert!(next(&mut body).await.is_err());
            assert_eq!(ask(&sender, "/echo", "x").await.unwrap().grpc_status(), Some("0"));
        }
    });
    until("it is over", || door.in_flight("shop.1") == 0);
}

/// A call that the server ends is that call's affair: clients could have any instance left out otherwise.
#[test]
fn calls_that_are_reset_leave_nobody_out() {
    let (one, two) = (Server::start(), Server::start());
    let door = Door::secure(|_| ());
    door.apply(vec![h2c(&[&one, &two])]);
    block_on(async {
        let sender = over_tls(&door).await;
        for path in ["/reset", "/refuse"].into_iter().cycle().take(20) {
            assert_eq!(ask(&sender, path, "x").await.unwrap().status, 502, "{path}");
        }
        assert_eq!(
            door.client.metrics().await.unwrap().matches("_ejected{").count(),
            0
        );
        assert_eq!(ask(&sender, "/echo", "x").await.unwrap().status, 200);
    });
    assert_eq!((one.connections(), two.connections()), (1, 1));
}

/// It is noticed before anything is sent: no call is lost by it.
#[test]
fn one_that_speaks_something_else_is_left_out() {
    let good = Server::start();
    let other = Upstream::named("HTTP/1.1");
    let door = Door::secure(|_| ());
    let mut route = h2c(&[&good]);
    let both = to("shop", &[good.address, other.address]);
    route.target = both.target;
    door.apply(vec![route]);
    block_on(async {
        let sender = over_tls(&door).await;
        for _ in 0..60 {
            assert_eq!(ask(&sender, "/echo", "x").await.unwrap().status, 200);
        }
        let ejected = door.client.metrics().await.unwrap();
        assert!(
            ejected.contains("hostkit_proxy_ejections_total{instance=\"shop.2\"}"),
            "{ejected}"
        );
    });
    // Alone it is as if it was not there.
    let mut alone = to("shop", &[other.address]);
    alone.protocol = Protocol::H2c;
    alone.hold.time = Span(Duration::from_millis(100));
    door.apply(vec![alone]);
    assert_eq!(door.get("shop.localhost", "/").status, 503);
}

#[test]
fn nobody_there_is_waited_for_as_everywhere() {
    let server = Server::start();
    let door = Door::secure(|_| ());
    let mut nobody = h2c(&[]);
    nobody.hold.time = Span(Duration::from_secs(20));
    door.apply(vec![nobody]);
    block_on(async {
        let sender = over_tls(&door).await;
        let (answer, mut sending) = open(&sender, call("/echo")).await;
        sending.send_data(Bytes::from_static(b"patient"), true).unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        let route = h2c(&[&server]);
        std::thread::scope(|scope| {
            scope.spawn(|| door.apply(vec![route]));
        });
        let mut body = answer.await.unwrap().into_body();
        assert_eq!(next(&mut body).await.unwrap().unwrap(), "patient");
    });
    // The same where what comes next speaks HTTP/1.1: what was held is still whole.
    let plain = Upstream::named("HTTP/1.1");
    let mut closed = h2c(&[]);
    closed.target = to("shop", &[([127, 0, 0, 1], free_port()).into()]).target;
    door.apply(vec![closed]);
    std::thread::scope(|scope| {
        let held = scope.spawn(|| door.get("shop.localhost", "/a?b"));
        std::thread::sleep(Duration::from_millis(200));
        door.apply(vec![to("shop", &[plain.address])]);
        assert_eq!(held.join().unwrap().text(), "HTTP/1.1");
    });
    assert_eq!(plain.last().line(), "GET /a?b HTTP/1.1");
    assert_eq!(plain.last().headers("host"), ["shop.localhost"]);
}

/// What a deploy does, again and again: others take over, and the ones before are drained and gone.
#[test]
fn tables_that_change_under_load_lose_no_call() {
    let door = Arc::new(Door::secure(|_| ()));
    let mut servers = vec![Server::start()];
    door.apply(vec![h2c(&[&servers[0]])]);
    let (stop, answered) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let load = {
        let (door, stop, answered) = (Arc::clone(&door), Arc::clone(&stop), Arc::clone(&answered));
        std::thread::spawn(move || {
            block_on(async {
                let sender = over_tls(&door).await;
                let clients = (0..16).map(|_| async {
                    while !stop.load(Ordering::SeqCst) {
                        let (answer, mut sending) = open(&sender, call("/talk")).await;
                        let mut body = answer.await.unwrap().into_body();
                        for _ in 0..3 {
                            sending.send_data(Bytes::from_static(b"word"), false).unwrap();
                            assert_eq!(next(&mut body).await.unwrap().unwrap(), "word");
                        }
                        sending.send_data(Bytes::new(), true).unwrap();
                        while next(&mut body).await.unwrap().is_some() {}
                        assert_eq!(body.trailers().await.unwrap().unwrap()["grpc-status"], "0");
                        answered.fetch_add(1, Ordering::SeqCst);
                    }
                });
                join_all(clients).await;
            });
        })
    };
    for at in 0..10 {
        let before = answered.load(Ordering::SeqCst);
        until("calls are answered", || {
            answered.load(Ordering::SeqCst) > before + 50
        });
        servers.push(Server::start());
        let mut next = h2c(&[&servers[at + 1]]);
        let (id, earlier) = (format!("shop.{}", at + 2), format!("shop.{}", at + 1));
        next.target = hostkit_core::route::Target::Instances {
            backends: vec![backend(&id, servers[at + 1].address)],
        };
        door.apply(vec![next]);
        let drained = door.drain(&[&earlier], PATIENCE);
        assert_eq!(drained.cut, 0, "{drained:?}");
    }
    stop.store(true, Ordering::SeqCst);
    load.join().unwrap();
}

/// A drain that is over cuts what is left; its clients hear it.
#[test]
fn what_does_not_end_in_time_is_cut() {
    let (old, new) = (Server::start(), Server::start());
    let door = Door::secure(|_| ());
    door.apply(vec![h2c(&[&old])]);
    block_on(async {
        let sender = over_tls(&door).await;
        let (answer, mut talking) = open(&sender, call("/talk")).await;
        let mut body = answer.await.unwrap().into_body();
        talking.send_data(Bytes::from_static(b"a"), false).unwrap();
        assert_eq!(next(&mut body).await.unwrap().unwrap(), "a");
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let mut route = h2c(&[&new]);
                route.target = hostkit_core::route::Target::Instances {
                    backends: vec![backend("shop.2", new.address)],
                };
                door.apply(vec![route]);
                door.drain(&["shop.1"], Duration::from_millis(100));
            });
        });
        assert!(next(&mut body).await.is_err());
        assert_eq!(ask(&sender, "/echo", "x").await.unwrap().grpc_status(), Some("0"));
    });
    assert_eq!(new.connections(), 1);
    until("it is over", || door.in_flight("shop.1") == 0);
}

/// The server hears of it, and nothing of such a call is left on either side.
#[test]
fn calls_that_clients_take_back_end_everywhere() {
    let server = Server::start();
    let door = Door::secure(|_| ());
    door.apply(vec![h2c(&[&server])]);
    block_on(async {
        let sender = over_tls(&door).await;
        for _ in 0..10 {
            let (answer, mut talking) = open(&sender, call("/talk")).await;
            let mut body = answer.await.unwrap().into_body();
            talking.send_data(Bytes::from_static(b"a"), false).unwrap();
            assert_eq!(next(&mut body).await.unwrap().unwrap(), "a");
            talking.send_reset(h2::Reason::CANCEL);
        }
        // The others go on.
        assert_eq!(ask(&sender, "/echo", "x").await.unwrap().body, b"x");
        let gone = over_tls(&door).await;
        let (answer, talking) = open(&gone, call("/talk")).await;
        let body = answer.await.unwrap().into_body();
        drop((body, talking, gone));
    });
    until("the server heard of all", || server.taken_back() == 11);
    until("it is over", || door.in_flight("shop.1") == 0);
    assert!(server.connections() <= 2);
}

/// One that takes connections and says nothing, and one that takes no calls at all. The front door also ends while it
/// waits for such a one.
#[test]
fn servers_that_take_nothing_keep_nobody_from_the_others() {
    let good = Server::start();
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let door = Door::secure(|config| config.limits.connect = Duration::from_millis(200));
    let mut route = h2c(&[&good]);
    route.target = to("shop", &[good.address, silent.local_addr().unwrap()]).target;
    door.apply(vec![route]);
    block_on(async {
        let sender = over_tls(&door).await;
        let calls = (0..30).map(|_| ask(&sender, "/echo", "x"));
        for answered in join_all(calls).await {
            assert_eq!(answered.unwrap().grpc_status(), Some("0"));
        }
    });
    let text = block_on(door.client.metrics()).unwrap();
    assert!(
        text.contains("hostkit_proxy_ejections_total{instance=\"shop.2\"}"),
        "{text}"
    );
    let none = Server::with(|builder| {
        builder.max_concurrent_streams(0);
    });
    door.apply(vec![h2c(&[&none])]);
    block_on(async {
        let sender = over_tls(&door).await;
        let (answer, talking) = open(&sender, call("/echo")).await;
        let waits = tokio::time::timeout(Duration::from_millis(500), answer).await;
        // It waits for as long as its client does, and is gone with it.
        assert!(!matches!(waits, Ok(Ok(_))), "{waits:?}");
        drop(talking);
    });
    until("it is over", || door.in_flight("shop.1") == 0);
}
