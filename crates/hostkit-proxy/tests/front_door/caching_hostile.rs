//! What clients and backends try at the shared cache: poison it, read what is another's, fill it up.

use std::io::{Read, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};

use hostkit_core::route::Backend;

use crate::caching::{ask, backend_that, door_before, full};
use crate::support::*;

/// A backend that repeats in a kept answer everything it was told.
fn echo() -> (Upstream, Door) {
    let (upstream, _) = backend_that(|_, seen| full("Cache-Control: max-age=600", &seen.head));
    let door = door_before(&upstream);
    (upstream, door)
}

fn result(answer: &Answer) -> &str {
    answer.header("x-hostkit-cache").unwrap_or("-")
}

#[test]
fn what_a_client_says_of_itself_never_reaches_others() {
    let (_upstream, door) = echo();
    for (at, header) in [
        "X-Forwarded-Host: evil",
        "X-Forwarded-Proto: evil",
        "X-Forwarded-Port: evil",
        "X-Forwarded-Prefix: evil",
        "X-Forwarded-Scheme: evil",
        "Forwarded: host=evil",
        "X-Real-IP: evil",
        "X_Forwarded_Host: evil",
        "X-Original-URL: /evil",
        "X-Original-Uri: /evil",
        "X-Rewrite-URL: /evil",
        "X-Host: evil",
        "X-HTTP-Method-Override: evil",
        "X-Method-Override: evil",
        "X-Middleware-Subrequest: evil",
        "X-HostKit-Cache: evil",
        "Proxy: evil",
        "Connection: close, X-Evil\r\nX-Evil: evil",
    ]
    .iter()
    .enumerate()
    {
        ask(&door, &format!("/{at}"), &format!("{header}\r\n"));
        let later = ask(&door, &format!("/{at}"), "");
        assert_eq!(later.status, 200);
        assert!(!later.text().contains("evil"), "{header}: {}", later.text());
    }
}

#[test]
fn a_get_with_a_body_has_nothing_to_do_with_it() {
    let (upstream, _) = backend_that(|_, seen| {
        full(
            "Cache-Control: max-age=600",
            &format!("got {}", String::from_utf8_lossy(&seen.body)),
        )
    });
    let door = door_before(&upstream);
    let fat = ask(&door, "/a", "Content-Length: 4\r\n\r\nevil");
    assert!(fat.text().starts_with("got ev"), "{}", fat.text());
    assert_eq!(result(&fat), "BYPASS");
    assert_eq!(ask(&door, "/a", "").text(), "got ");
    let fat = ask(&door, "/a", "Content-Length: 4\r\n\r\nevil");
    assert!(fat.text().starts_with("got ev"));
    assert_eq!(
        (
            result(&ask(&door, "/a", "")),
            ask(&door, "/a", "").text().as_str()
        ),
        ("HIT", "got ")
    );
}

#[test]
fn addresses_that_are_not_the_same_bytes_are_not_the_same() {
    let (upstream, door) = echo();
    let before = upstream.seen().len();
    let targets = [
        "/a/b",
        "/a//b",
        "/a/./b",
        "/a/x/../b",
        "/a%2fb",
        "/a%2Fb",
        "/A/b",
        "/a/b/",
        "/a/b?",
        "/a/b?x",
        "/a/b?X",
        "/a/b;x",
    ];
    for target in targets {
        assert_eq!(result(&ask(&door, target, "")), "MISS", "{target}");
    }
    let hosts = [
        "SHOP.localhost",
        "shop.localhost:80",
        "shop.localhost:1337",
        "shop.localhost.",
    ];
    for host in hosts {
        let answer = door.get(host, "/a/b");
        assert_eq!(result(&answer), "MISS", "{host}");
        assert!(
            answer
                .text()
                .contains(&format!("Host: {host}\r\n").to_lowercase())
                || answer.text().contains(host)
        );
    }
    assert_eq!(upstream.seen().len(), before + targets.len() + hosts.len());
    let kept = door.get("shop.localhost", "/a/b");
    assert_eq!(result(&kept), "HIT");
    assert!(!kept.text().contains("1337") && !kept.text().contains("SHOP"));
    // The target in its long form is the same target.
    let long = door.send("GET http://shop.localhost/a/b HTTP/1.1\r\nHost: shop.localhost\r\n\r\n");
    assert_eq!(result(&long), "HIT");
}

#[test]
fn no_project_gets_what_another_one_sent_and_no_port_either() {
    let (one, _) = backend_that(|_, _| full("Cache-Control: max-age=600", "of shop"));
    let (two, _) = backend_that(|_, _| full("Cache-Control: max-age=600", "of blog"));
    let door = Door::start();
    let port = free_port();
    let mut shop = to("shop", &[one.address]);
    shop.ports = vec![port];
    let other = to("blog", &[two.address]);
    door.apply(vec![shop, other]);
    for host in ["shop.localhost", "blog.localhost"] {
        door.get(host, "/warm");
    }
    for _ in 0..3 {
        assert_eq!(door.get("shop.localhost", "/a").text(), "of shop");
        assert_eq!(door.get("blog.localhost", "/a").text(), "of blog");
    }
    // On a stable port any host may be named, also another project's.
    let address = ([127, 0, 0, 1], port).into();
    for _ in 0..2 {
        let answer = send(address, "GET /a HTTP/1.1\r\nHost: blog.localhost\r\n\r\n");
        assert_eq!(answer.text(), "of shop");
    }
    assert_eq!(door.get("blog.localhost", "/a").text(), "of blog");
}

#[test]
fn what_is_somebodys_own_is_not_kept_whatever_its_address_looks_like() {
    let (upstream, _) = backend_that(|_, seen| {
        let who = seen.header("cookie").unwrap_or("nobody").to_owned();
        let said = match seen.line().split(' ').nth(1).unwrap() {
            "/account/x.css" => "Cache-Control: private, max-age=600",
            "/account/y.css" => "Content-Type: text/css",
            "/account/z.js" => "Cache-Control: max-age=600\nSet-Cookie: session=1",
            _ => "Cache-Control: max-age=600\nVary: Cookie",
        };
        full(said, &who)
    });
    let door = door_before(&upstream);
    for path in [
        "/account/x.css",
        "/account/y.css",
        "/account/z.js",
        "/account/v.png",
    ] {
        for who in ["a=1", "a=2"] {
            let answer = ask(&door, path, &format!("Cookie: {who}\r\n"));
            assert_eq!(answer.text(), who, "{path}");
        }
        assert_eq!(ask(&door, path, "").text(), "nobody", "{path}");
    }
}

#[test]
fn a_body_that_is_not_whole_is_never_kept() {
    let (upstream, count) = backend_that(|_, seen| {
        let path = seen.line().split(' ').nth(1).unwrap();
        let (framing, body) = match path {
            "/short" => ("Content-Length: 100000", "x".repeat(500)),
            "/chunked" => (
                "Transfer-Encoding: chunked",
                format!("1f4\r\n{}\r\n", "x".repeat(500)),
            ),
            "/close" => ("Connection: close", "x".repeat(500)),
            _ => ("Content-Length: 5", "whole, and more than was said".into()),
        };
        format!("HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\n{framing}\r\n\r\n{body}")
    });
    // Every answer of this one is its connection's last.
    let lying = Upstream::raw(std::net::TcpListener::bind("127.0.0.1:0").unwrap(), {
        let inner = upstream.address;
        move |stream, _| {
            let head = read_head(stream);
            let mut inner = connect(inner);
            inner.write_all(head.as_bytes()).ok();
            let mut bytes = vec![0; 4096];
            std::thread::sleep(std::time::Duration::from_millis(20));
            let read = inner.read(&mut bytes).unwrap_or(0);
            stream.write_all(&bytes[..read]).ok();
        }
    });
    let door = door_before(&lying);
    for path in ["/short", "/chunked", "/close"] {
        let before = count.load(Ordering::SeqCst);
        for _ in 0..3 {
            let mut stream = door.connect();
            write!(
                stream,
                "GET {path} HTTP/1.1\r\nHost: shop.localhost\r\nConnection: close\r\n\r\n"
            )
            .unwrap();
            let mut all = Vec::new();
            stream.read_to_end(&mut all).ok();
            let text = String::from_utf8_lossy(&all);
            assert!(!text.contains("x-hostkit-cache: HIT"), "{path}: {text}");
        }
        assert!(count.load(Ordering::SeqCst) >= before + 3, "{path}");
    }
    for _ in 0..2 {
        assert_eq!(ask(&door, "/long", "").text(), "whole");
    }
}

#[test]
fn an_answer_cannot_be_split_and_a_kept_one_is_not_changed_by_what_comes_with_it() {
    let (upstream, _) = backend_that(|_, seen| {
        let target = seen.line().split(' ').nth(1).unwrap().to_owned();
        full(&format!("Cache-Control: max-age=600\nX-Where: {target}"), "fine")
    });
    let door = door_before(&upstream);
    for target in [
        "/a%0d%0aSet-Cookie:%20evil=1",
        "/a%0d%0a%0d%0a%3cscript%3e",
        "/a%00",
    ] {
        for _ in 0..2 {
            let answer = ask(&door, target, "");
            assert_eq!(
                (answer.status, answer.header("set-cookie")),
                (200, None),
                "{target}"
            );
            assert_eq!(answer.text(), "fine");
        }
    }
    let raw = ask(&door, "/a\r\nEvil", "");
    assert_eq!(raw.status, 400);
}

#[test]
fn neither_many_forms_nor_many_addresses_fill_the_memory() {
    let (upstream, count) = backend_that(|_, seen| {
        if seen.line().contains("/names") {
            let names: Vec<String> = (0..40).map(|at| format!("X-{at}")).collect();
            return full(
                &format!("Cache-Control: max-age=600\nVary: {}", names.join(", ")),
                "names",
            );
        }
        if seen.line().contains("/large") {
            return full("Cache-Control: max-age=600", &"x".repeat(9 << 20));
        }
        full("Cache-Control: max-age=600\nVary: X-Form", &"x".repeat(100_000))
    });
    let door = Door::start_with(|config| config.limits.cache_bytes = 4 << 20);
    door.apply(vec![to("shop", &[upstream.address])]);
    door.get("shop.localhost", "/warm");
    for path in ["/names", "/large"] {
        for _ in 0..2 {
            assert_eq!(result(&ask(&door, path, "")), "MISS", "{path}");
        }
    }
    for at in 0..40 {
        assert_eq!(
            result(&ask(&door, "/forms", &format!("X-Form: {at}\r\n"))),
            "MISS"
        );
    }
    // The last ones are there, the first ones gone.
    let kept = (0..40)
        .filter(|at| {
            let only = "Cache-Control: only-if-cached\r\n";
            ask(&door, "/forms", &format!("X-Form: {at}\r\n{only}")).status == 200
        })
        .count();
    assert!((1..=16).contains(&kept), "{kept}");
    let before = count.load(Ordering::SeqCst);
    for at in 0..200 {
        ask(&door, &format!("/{at}"), "");
    }
    assert_eq!(count.load(Ordering::SeqCst), before + 200);
    let kept = (0..200)
        .filter(|at| ask(&door, &format!("/{at}"), "Cache-Control: only-if-cached\r\n").status == 200)
        .count();
    // Each counts twice its bytes: 4 MB hold twenty of them.
    assert!(kept <= 25, "{kept}");
}

#[test]
fn a_purge_or_a_change_while_an_answer_comes_in_keeps_it_out() {
    let (go_on, hold) = mpsc::channel::<()>();
    let hold = Mutex::new(hold);
    let state = Arc::new(AtomicUsize::new(0));
    let current = Arc::clone(&state);
    let asked = Arc::new(AtomicUsize::new(0));
    let asking = Arc::clone(&asked);
    let (upstream, _) = backend_that(move |_, seen| {
        if seen.line().starts_with("POST") {
            current.fetch_add(1, Ordering::SeqCst);
            return full("", "changed");
        }
        let body = format!("state {}", current.load(Ordering::SeqCst));
        asking.fetch_add(1, Ordering::SeqCst);
        hold.lock().unwrap().recv().ok();
        full("Cache-Control: max-age=600", &body)
    });
    let door = door_before(&upstream);
    let old = std::thread::scope(|scope| {
        let old = scope.spawn(|| ask(&door, "/a", ""));
        until("it is asked for", || asked.load(Ordering::SeqCst) == 1);
        let changed = door.send("POST /a HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 0\r\n\r\n");
        assert_eq!(changed.text(), "changed");
        go_on.send(()).unwrap();
        old.join().unwrap()
    });
    assert_eq!(old.text(), "state 0");
    go_on.send(()).unwrap();
    assert_eq!(ask(&door, "/a", "").text(), "state 1");
}

#[test]
fn an_answer_that_is_compressed_already_stays_so_and_each_client_gets_what_it_takes() {
    let packed = |at: usize| format!("\u{1f}packed {at}");
    let (upstream, count) = backend_that(move |at, seen| {
        let taken = seen.header("accept-encoding").unwrap_or_default();
        if taken.contains("gzip") {
            let said = "Cache-Control: max-age=600\nVary: Accept-Encoding\nContent-Encoding: gzip\nContent-Type: text/html";
            full(said, &packed(at))
        } else {
            let said = "Cache-Control: max-age=600\nVary: Accept-Encoding\nContent-Type: text/html";
            full(said, &"plain ".repeat(1000))
        }
    });
    let door = door_before(&upstream);
    for _ in 0..2 {
        let gzip = ask(&door, "/a", "Accept-Encoding: gzip\r\n");
        assert_eq!(
            (gzip.header("content-encoding"), gzip.text()),
            (Some("gzip"), packed(0))
        );
        let plain = ask(&door, "/a", "");
        assert_eq!((plain.header("content-encoding"), plain.body.len()), (None, 6000));
        let br = ask(&door, "/a", "Accept-Encoding: br\r\n");
        assert_eq!(br.header("content-encoding"), Some("br"));
        assert_eq!(crate::compression::plain("br", &br.body), "plain ".repeat(1000));
    }
    assert_eq!(count.load(Ordering::SeqCst), 3);
    until("it is kept in the coding as well", || {
        ask(&door, "/a", "Accept-Encoding: br\r\n")
            .header("content-length")
            .is_some()
    });
    let br = ask(&door, "/a", "Accept-Encoding: br\r\n");
    assert_eq!(crate::compression::plain("br", &br.body), "plain ".repeat(1000));
}

#[test]
fn a_leader_that_goes_away_leaves_nobody_waiting() {
    let (go_on, hold) = mpsc::channel::<()>();
    let hold = Mutex::new(hold);
    let (upstream, count) = backend_that(move |at, _| {
        if at == 0 {
            hold.lock().unwrap().recv().ok();
        }
        full("Cache-Control: max-age=600", &format!("answer {at}"))
    });
    let door = Door::start_with(|config| config.threads = 1);
    door.apply(vec![to("shop", &[upstream.address])]);
    door.get("shop.localhost", "/warm");
    let mut first = door.connect();
    first
        .write_all(b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
        .unwrap();
    until("the first is at the backend", || {
        count.load(Ordering::SeqCst) == 1
    });
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let waiting: Vec<_> = (0..4).map(|_| scope.spawn(|| ask(&door, "/a", ""))).collect();
        std::thread::sleep(std::time::Duration::from_millis(50));
        drop(first);
        let answers = waiting.into_iter().map(|one| one.join().unwrap()).collect();
        go_on.send(()).unwrap();
        answers
    });
    assert!(
        answers.iter().all(|answer| answer.text() == "answer 1"),
        "{answers:?}"
    );
    assert_eq!(count.load(Ordering::SeqCst), 2);
}

#[test]
fn an_instance_that_leaves_while_its_answer_comes_in_ends_it() {
    let upstream = Upstream::start(|seen, stream| {
        if seen.line().contains("/warm") {
            return stream
                .write_all(full("Cache-Control: max-age=60", "warm").as_bytes())
                .is_ok();
        }
        let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=60\r\nContent-Length: 100000\r\n\r\nbegin";
        stream.write_all(head.as_bytes()).unwrap();
        let mut byte = [0];
        stream.read_exact(&mut byte).ok();
        false
    });
    let door = door_before(&upstream);
    let mut stream = door.connect();
    stream
        .write_all(b"GET /a HTTP/1.1\r\nHost: shop.localhost\r\n\r\n")
        .unwrap();
    assert!(read_head(&mut stream).contains("MISS"));
    let other = Upstream::named("other");
    let mut route = to("shop", &[]);
    route.target = hostkit_core::route::Target::Instances {
        backends: vec![Backend {
            id: hostkit_core::route::BackendId("shop.2".into()),
            address: other.address,
        }],
    };
    door.apply(vec![route]);
    let drained = door.drain(&["shop.1"], std::time::Duration::from_millis(50));
    assert_eq!(drained.cut, 1);
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).ok();
    assert!(rest.len() < 100_000);
    assert_eq!(ask(&door, "/a", "").text(), "other");
}

#[test]
fn what_turns_out_too_large_goes_to_all_who_wait_and_is_not_kept() {
    let piece = "0123456789abcdef".repeat(4096);
    let pieces = 192;
    let sent = piece.clone();
    let count = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&count);
    let upstream = Upstream::start(move |seen, stream| {
        if seen.line().contains("/warm") {
            return stream
                .write_all(full("Cache-Control: max-age=60", "warm").as_bytes())
                .is_ok();
        }
        asked.fetch_add(1, Ordering::SeqCst);
        let head = "HTTP/1.1 200 OK\r\nCache-Control: max-age=600\r\nTransfer-Encoding: chunked\r\n\r\n";
        stream.write_all(head.as_bytes()).unwrap();
        for _ in 0..pieces {
            if write!(stream, "{:x}\r\n{sent}\r\n", sent.len()).is_err() {
                return false;
            }
        }
        write!(stream, "0\r\n\r\n").is_ok()
    });
    let door = door_before(&upstream);
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        let asking: Vec<_> = (0..3).map(|_| scope.spawn(|| ask(&door, "/a", ""))).collect();
        asking.into_iter().map(|one| one.join().unwrap()).collect()
    });
    for answer in &answers {
        assert!(answer.body.len() == pieces * piece.len() && answer.body.ends_with(piece.as_bytes()));
    }
    let before = count.load(Ordering::SeqCst);
    assert_eq!(result(&ask(&door, "/a", "")), "MISS");
    assert_eq!(count.load(Ordering::SeqCst), before + 1);
}

#[test]
fn nobody_there_is_asked_once_for_each_request_and_not_again_and_again() {
    let (upstream, _) = backend_that(|_, _| {
        full(
            "Cache-Control: max-age=1, stale-while-revalidate=600\nAge: 5",
            "old",
        )
    });
    let door = door_before(&upstream);
    assert_eq!(ask(&door, "/a", "").text(), "old");
    door.apply(vec![to("shop", &[])]);
    let before = door.status().requests;
    for _ in 0..3 {
        assert_eq!(result(&ask(&door, "/a", "")), "STALE");
    }
    std::thread::sleep(std::time::Duration::from_millis(100));
    assert!(door.status().requests <= before + 6);
}
