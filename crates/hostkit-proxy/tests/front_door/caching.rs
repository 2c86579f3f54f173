//! The front door over real sockets: answers kept for others, and what must never be.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

use hostkit_core::names::ReleaseName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::route::Purge;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::traffic::Traffic;

use crate::support::*;

/// A backend that answers `/warm` so that the route is looked for from then on, and everything else with `answer`,
/// which is given the number of the request.
pub(crate) fn backend_that(
    answer: impl Fn(usize, &Seen) -> String + Send + Sync + 'static,
) -> (Upstream, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let upstream = Upstream::start(move |seen, stream| {
        let answer = if seen.line().contains("/warm") {
            full("Cache-Control: max-age=60", "warm")
        } else {
            answer(counted.fetch_add(1, Ordering::SeqCst), seen)
        };
        stream.write_all(answer.as_bytes()).is_ok()
    });
    (upstream, count)
}

/// A 200 with headers and a body.
pub(crate) fn full(headers: &str, body: &str) -> String {
    let lines: String = headers
        .split('\n')
        .filter(|line| !line.is_empty())
        .map(|line| format!("{line}\r\n"))
        .collect();
    format!(
        "HTTP/1.1 200 OK\r\n{lines}Content-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

pub(crate) fn door_before(upstream: &Upstream) -> Door {
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    assert_eq!(
        door.get("shop.localhost", "/warm").header("x-hostkit-cache"),
        None
    );
    door
}

pub(crate) fn ask(door: &Door, path: &str, headers: &str) -> Answer {
    door.send(format!(
        "GET {path} HTTP/1.1\r\nHost: shop.localhost\r\n{headers}\r\n"
    ))
}

fn result(answer: &Answer) -> &str {
    answer.header("x-hostkit-cache").unwrap_or("-")
}

#[test]
fn what_may_be_kept_is_answered_from_memory_by_all_threads() {
    let (upstream, count) = backend_that(|at, _| {
        full(
            "Cache-Control: public, max-age=60\nX-Own: 1\nX-Hostkit-Cache: forged",
            &format!("answer {at}"),
        )
    });
    let door = door_before(&upstream);
    let first = ask(&door, "/a", "");
    assert_eq!((result(&first), first.text().as_str()), ("MISS", "answer 0"));
    for _ in 0..10 {
        let again = ask(&door, "/a", "");
        assert_eq!((result(&again), again.text().as_str()), ("HIT", "answer 0"));
        assert_eq!((again.header("x-own"), again.status), (Some("1"), 200));
        assert!(again.header("age").is_some() && again.header("date").is_some());
        assert!(again.header("x-request-id") != first.header("x-request-id"));
        assert_eq!(again.header("x-hostkit-release"), Some("20260101-120000"));
    }
    let head = door.send("HEAD /a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n");
    assert_eq!((result(&head), head.header("content-length")), ("HIT", Some("8")));
    assert_eq!(result(&ask(&door, "/a?b", "")), "MISS");
    assert_eq!(count.load(Ordering::SeqCst), 2);
    let wanted = ["MISS", "HIT"];
    until("the log says what the cache did", || {
        let lines = door.log_lines();
        let of = |name: &str| lines.iter().filter(|line| line["cache"] == name).count();
        wanted.iter().all(|name| of(name) > 0)
            && lines
                .iter()
                .filter(|line| line["cache"] == "MISS")
                .all(|line| line["instance"] == "shop.1")
    });
}

#[test]
fn a_route_can_have_nothing_kept_or_nothing_large() {
    let (upstream, count) = backend_that(|_, seen| {
        let length = if seen.line().contains("/large") {
            2001
        } else {
            2000
        };
        full("Cache-Control: max-age=60", &"x".repeat(length))
    });
    let door = Door::start();
    let mut route = to("shop", &[upstream.address]);
    route.answers.largest_kept = Some(ByteSize(2000));
    door.apply(vec![route.clone()]);
    ask(&door, "/warm", "");
    for (path, again) in [("/small", "HIT"), ("/large", "MISS")] {
        assert_eq!(result(&ask(&door, path, "")), "MISS");
        let answer = ask(&door, path, "");
        assert_eq!(
            (result(&answer), answer.body.len() >= 2000),
            (again, true),
            "{path}"
        );
    }
    assert_eq!(count.load(Ordering::SeqCst), 3);
    // Another release, as a change of its settings is one.
    route.release = Some(ReleaseName::parse("20260101-120001").unwrap());
    route.answers.cache = false;
    door.apply(vec![route]);
    for _ in 0..3 {
        ask(&door, "/warm", "");
        assert_eq!(result(&ask(&door, "/small", "")), "-");
    }
    assert_eq!(count.load(Ordering::SeqCst), 6);
}

#[test]
fn a_route_that_never_said_anything_is_not_looked_for() {
    let upstream = Upstream::start(|_, stream| {
        stream
            .write_all(full("Cache-Control: private, max-age=60", "own").as_bytes())
            .is_ok()
    });
    let door = Door::start();
    door.apply(vec![to("shop", &[upstream.address])]);
    for _ in 0..3 {
        assert_eq!(door.get("shop.localhost", "/").header("x-hostkit-cache"), None);
    }
    assert_eq!(upstream.seen().len(), 3);
}

#[test]
fn many_ask_at_once_and_one_goes_to_the_backend() {
    let (release, hold) = mpsc::channel::<()>();
    let hold = Mutex::new(hold);
    let (upstream, count) = backend_that(move |_, seen| {
        hold.lock().unwrap().recv().ok();
        let kind = if seen.line().contains("/own") {
            "private"
        } else {
            "max-age=60"
        };
        full(&format!("Cache-Control: {kind}"), "shared")
    });
    let door = door_before(&upstream);
    for (path, results, asked) in [("/a", ["MISS", "HIT"], 1), ("/own", ["MISS", "MISS"], 8)] {
        count.store(0, Ordering::SeqCst);
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let asking: Vec<_> = (0..8).map(|_| scope.spawn(|| ask(&door, path, ""))).collect();
            until("the first is at the backend", || count.load(Ordering::SeqCst) > 0);
            // Those that have not come yet find it kept: what counts is that the backend is asked once.
            std::thread::sleep(Duration::from_millis(100));
            // Enough for all, also if each goes by itself.
            for _ in 0..8 {
                release.send(()).unwrap();
            }
            asking.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert!(answers.iter().all(|answer| answer.text() == "shared"));
        assert!(
            answers.iter().all(|answer| results.contains(&result(answer))),
            "{path}"
        );
        assert!(count.load(Ordering::SeqCst) <= asked, "{path}");
    }
}

#[test]
fn a_body_is_shared_while_it_comes_and_no_slow_client_holds_it_up() {
    let (next, turns) = mpsc::channel::<()>();
    let turns = Mutex::new(turns);
    let piece = "x".repeat(100_000);
    let long = piece.len();
    let upstream = Upstream::start(move |seen, stream| {
        if seen.line().contains("/warm") {
            return stream
                .write_all(full("Cache-Control: max-age=60", "warm").as_bytes())
                .is_ok();
        }
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nTransfer-Encoding: chunked\r\n\r\n")
            .unwrap();
        for _ in 0..20 {
            write!(stream, "{:x}\r\n{piece}\r\n", piece.len()).unwrap();
        }
        turns.lock().unwrap().recv().ok();
        write!(stream, "4\r\nlast\r\n0\r\n\r\n").is_ok()
    });
    let door = door_before(&upstream);
    // Asks, and takes nothing of what comes.
    let mut slow = door.connect();
    slow.write_all(b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
        .unwrap();
    until("the backend is asked", || upstream.seen().len() == 2);
    let mut quick = door.connect();
    quick
        .write_all(b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
        .unwrap();
    let head = read_head(&mut quick);
    assert!(head.contains("x-hostkit-cache: HIT"), "{head}");
    let first = read_line(&mut quick);
    assert!(
        usize::from_str_radix(first.trim(), 16).unwrap() > 0,
        "the beginning is there"
    );
    // A client that goes away changes nothing.
    let mut gone = door.connect();
    gone.write_all(b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
        .unwrap();
    read_head(&mut gone);
    drop(gone);
    next.send(()).unwrap();
    drop(quick);
    drop(slow);
    until("it is kept whole", || {
        let answer = ask(&door, "/a", "");
        assert_eq!(answer.body.len(), 20 * long + 4);
        result(&answer) == "HIT" && answer.header("content-length").is_some()
    });
    assert_eq!(upstream.seen().len(), 2);
}

#[test]
fn stale_answers_are_given_while_one_asks_and_while_the_backend_fails() {
    let broken = Arc::new(AtomicUsize::new(0));
    let is_broken = Arc::clone(&broken);
    let (upstream, count) = backend_that(move |at, seen| {
        if is_broken.load(Ordering::SeqCst) == 1 {
            return "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n".into();
        }
        let more = if seen.line().contains("/error") {
            "stale-if-error=600"
        } else {
            "stale-while-revalidate=600"
        };
        full(
            &format!("Cache-Control: max-age=10, {more}\nAge: 20"),
            &format!("answer {at}"),
        )
    });
    let door = door_before(&upstream);
    assert_eq!(ask(&door, "/a", "").text(), "answer 0");
    let stale = ask(&door, "/a", "");
    assert_eq!((result(&stale), stale.text().as_str()), ("STALE", "answer 0"));
    until("the newer one is there", || {
        ask(&door, "/a", "").text() != "answer 0"
    });
    let asked = count.load(Ordering::SeqCst);
    ask(&door, "/error", "");
    assert_eq!(result(&ask(&door, "/error", "")), "MISS");
    broken.store(1, Ordering::SeqCst);
    let stale = ask(&door, "/error", "");
    assert_eq!((result(&stale), stale.status), ("STALE", 200));
    assert!(count.load(Ordering::SeqCst) > asked + 2);
    assert_eq!(ask(&door, "/other", "").status, 503);
    // Nobody listens any more: the answer that is kept stands in at once.
    let mut route = to("shop", &[([127, 0, 0, 1], free_port()).into()]);
    route.hold.time = hostkit_core::size::Span::secs(1);
    door.apply(vec![route]);
    let stale = ask(&door, "/error", "");
    assert_eq!((result(&stale), stale.status), ("STALE", 200));
}

#[test]
fn a_new_release_never_sees_what_the_one_before_sent() {
    let (one, count) = backend_that(|_, _| full("Cache-Control: max-age=600", "one"));
    let (two, _) = backend_that(|_, _| full("Cache-Control: max-age=600", "two"));
    let door = door_before(&one);
    assert_eq!(ask(&door, "/a", "").text(), "one");
    assert_eq!(result(&ask(&door, "/a", "")), "HIT");
    let mut newer = to("shop", &[two.address]);
    newer.release = Some(ReleaseName::parse("20260102-120000").unwrap());
    door.apply(vec![newer]);
    for _ in 0..3 {
        assert_eq!(ask(&door, "/a", "").text(), "two");
    }
    // Back again: what it had is gone.
    door.apply(vec![to("shop", &[one.address])]);
    let before = count.load(Ordering::SeqCst);
    assert_eq!(ask(&door, "/a", "").text(), "one");
    assert_eq!(count.load(Ordering::SeqCst), before + 1);
}

#[test]
fn purging_takes_out_one_path_those_below_it_or_all_of_one_environment() {
    let (upstream, _) = backend_that(|at, _| full("Cache-Control: max-age=600", &format!("{at}")));
    let door = Door::start();
    door.apply(vec![
        to("shop", &[upstream.address]),
        to("blog", &[upstream.address]),
    ]);
    for host in ["shop.localhost", "blog.localhost"] {
        door.get(host, "/warm");
        for path in ["/a", "/a?q=1", "/a/b", "/c"] {
            assert_eq!(result(&door.get(host, path)), "MISS");
            assert_eq!(result(&door.get(host, path)), "HIT");
        }
    }
    let purge = |path: Option<&str>| {
        let purge = Purge {
            environment: EnvironmentId::new(
                hostkit_core::names::ProjectName::parse("shop").unwrap(),
                hostkit_core::names::EnvironmentName::production(),
            ),
            path: path.map(str::to_owned),
        };
        block_on(door.client.purge(&purge)).map(|purged| purged.addresses)
    };
    let hits = || {
        let paths = ["/a", "/a?q=1", "/a/b", "/c"];
        paths.map(|path| result(&door.get("shop.localhost", path)) == "HIT")
    };
    assert_eq!(purge(Some("/a")).unwrap(), 2);
    assert_eq!(hits(), [false, false, true, true]);
    assert_eq!(purge(Some("/a*")).unwrap(), 3);
    assert_eq!(hits(), [false, false, false, true]);
    assert_eq!(purge(Some("/none")).unwrap(), 0);
    assert!(purge(None).unwrap() >= 4);
    assert_eq!(hits(), [false; 4]);
    assert!(purge(Some("a")).is_err());
    assert_eq!(result(&door.get("blog.localhost", "/a")), "HIT");
}
