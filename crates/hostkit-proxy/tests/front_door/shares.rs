//! What one project may have of the front door: a slow one takes nothing from the others.

use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use hostkit_core::route::Route;
use hostkit_core::traits::traffic::Traffic;

use crate::support::*;

const MOST: u64 = 200;

fn door() -> Door {
    Door::start_with(|config| {
        config.limits.project_requests = MOST;
        config.limits.project_waiting = 50;
    })
}

/// An upstream that takes every request and answers none.
fn silent() -> Upstream {
    Upstream::raw(TcpListener::bind("127.0.0.1:0").unwrap(), |stream, _| {
        while !read_head(stream).is_empty() {}
    })
}

fn ask(door: &Door, host: &str, path: &str) -> TcpStream {
    let mut stream = door.connect();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").unwrap();
    stream
}

/// A route of the same project for one of its paths.
fn below(mut route: Route, path: &str) -> Route {
    route.id.push_str(path);
    route.path_prefix = path.into();
    route
}

fn assert_refused(answer: &Answer, why: &str) {
    assert_eq!((answer.status, answer.header("retry-after")), (503, Some("1")));
    assert!(answer.text().contains(why), "{}", answer.text());
}

#[test]
fn a_project_that_never_answers_takes_nothing_from_the_others() {
    let (silent, good) = (silent(), Upstream::named("good"));
    let door = door();
    door.apply(vec![to("slow", &[silent.address]), to("good", &[good.address])]);
    let over = AtomicBool::new(false);
    let (held, refused) = std::thread::scope(|scope| {
        let others = scope.spawn(|| {
            let mut asked = 0;
            while !over.load(Ordering::SeqCst) || asked < 200 {
                let answer = door.get("good.localhost", "/");
                assert_eq!((answer.status, answer.text().as_str()), (200, "good"));
                asked += 1;
            }
        });
        let held: Vec<TcpStream> = (0..MOST).map(|_| ask(&door, "slow.localhost", "/")).collect();
        until("all it may have are under way", || {
            door.in_flight("slow.1") == MOST
        });
        for _ in 0..3000 {
            let mut stream = ask(&door, "slow.localhost", "/");
            assert_refused(&read_answer(&mut stream, false), "as a project may have");
        }
        // What comes with a body is refused as well, and its connection can be used again or is closed.
        let post = door.send("POST / HTTP/1.1\r\nHost: slow.localhost\r\nContent-Length: 3\r\n\r\nabc");
        assert_refused(&post, "as a project may have");
        over.store(true, Ordering::SeqCst);
        others.join().unwrap();
        (held, 3001)
    });
    assert_eq!(door.in_flight("slow.1"), MOST);
    let text = block_on(door.client.metrics()).unwrap();
    let line = format!("hostkit_proxy_refused_total{{project=\"slow\"}} {refused}");
    assert!(text.contains(&line), "{text}");
    drop(held);
    until("clients that left make room", || door.in_flight("slow.1") == 0);
    let answered = ask(&door, "slow.localhost", "/");
    until("it is taken again", || door.in_flight("slow.1") == 1);
    drop(answered);
}

#[test]
fn routes_of_a_project_share_and_each_instance_has_its_part() {
    let (slow, other) = (silent(), Upstream::named("other"));
    let door = door();
    let instances = |addresses: &[_], path: &str, id: &str| {
        let mut route = below(to("shop", addresses), path);
        if let hostkit_core::route::Target::Instances { backends } = &mut route.target {
            backends[0].id.0 = id.into();
        }
        route
    };
    door.apply(vec![
        instances(&[slow.address], "/slow", "shop.slow"),
        instances(&[other.address], "/", "shop.other"),
    ]);
    let held: Vec<TcpStream> = (0..MOST).map(|_| ask(&door, "shop.localhost", "/slow")).collect();
    until("all are under way", || door.in_flight("shop.slow") == MOST);
    assert_refused(&door.get("shop.localhost", "/slow"), "as a project may have");
    // Its other program goes on.
    for _ in 0..20 {
        assert_eq!(door.get("shop.localhost", "/").text(), "other");
    }
    drop(held);
}

#[test]
fn waiting_is_bounded_for_all_routes_of_a_project() {
    let good = Upstream::named("good");
    let door = door();
    door.apply(vec![
        to("shop", &[]),
        below(to("shop", &[]), "/api"),
        to("good", &[good.address]),
    ]);
    let mut waiting: Vec<TcpStream> = (0..25).map(|_| ask(&door, "shop.localhost", "/")).collect();
    waiting.extend((0..25).map(|_| ask(&door, "shop.localhost", "/api/x")));
    until("all it may have wait", || door.status().held == 50);
    for path in ["/", "/api"].iter().cycle().take(1000) {
        let mut stream = ask(&door, "shop.localhost", path);
        assert_refused(&read_answer(&mut stream, false), "as many requests as may wait");
    }
    assert_eq!(door.get("good.localhost", "/").status, 200);
    let text = block_on(door.client.metrics()).unwrap();
    assert!(
        text.contains("hostkit_proxy_waiting{project=\"shop\"} 50"),
        "{text}"
    );
    let ready = Upstream::named("ready");
    door.apply(vec![to("shop", &[ready.address])]);
    for mut stream in waiting {
        assert_eq!(read_answer(&mut stream, false).text(), "ready");
    }
}

#[test]
fn an_instance_gets_no_more_than_it_may_and_the_rest_wait_for_room() {
    let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let (count, highest) = (Arc::clone(&now), Arc::clone(&most));
    let upstream = Upstream::start(move |_, stream| {
        highest.fetch_max(count.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(20));
        count.fetch_sub(1, Ordering::SeqCst);
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
            .is_ok()
    });
    let door = Door::start_with(|config| config.limits.backend_requests = 3);
    door.apply(vec![to("shop", &[upstream.address])]);
    let waiting: Vec<TcpStream> = (0..60).map(|_| ask(&door, "shop.localhost", "/")).collect();
    for mut stream in waiting {
        assert_eq!(read_answer(&mut stream, false).text(), "ok");
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
    assert_eq!(door.status().held, 0);
}

#[test]
fn waiting_for_room_is_bounded_in_time() {
    let silent = silent();
    let door = Door::start_with(|config| config.limits.backend_requests = 1);
    let mut route = to("shop", &[silent.address]);
    route.hold.time = hostkit_core::size::Span(Duration::from_millis(300));
    door.apply(vec![route]);
    let _held = ask(&door, "shop.localhost", "/");
    until("it is under way", || door.in_flight("shop.1") == 1);
    let answer = door.get("shop.localhost", "/");
    assert_eq!(answer.status, 503);
    assert!(
        answer.text().contains("as its instances may have"),
        "{}",
        answer.text()
    );
}
