//! Visitors that stay on one instance.

use std::collections::BTreeSet;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hostkit_core::route::Route;

use crate::support::*;

fn sticky(name: &str, addresses: &[SocketAddr]) -> Route {
    let mut route = to(name, addresses);
    route.sticky = true;
    route
}

fn get(door: &Door, host: &str, cookie: &str) -> Answer {
    door.send(format!(
        "GET / HTTP/1.1\r\nHost: {host}\r\nCookie: {cookie}\r\n\r\n"
    ))
}

/// The cookie of an answer as it is sent back.
fn cookie(answer: &Answer) -> String {
    let set = answer.header("set-cookie").unwrap();
    assert!(set.ends_with("; Path=/; HttpOnly; SameSite=Lax"), "{set}");
    set.split(';').next().unwrap().to_owned()
}

#[test]
fn a_visitor_stays_and_others_are_divided() {
    let (one, two) = (Upstream::named("one"), Upstream::named("two"));
    let door = Door::start();
    door.apply(vec![sticky("shop", &[one.address, two.address])]);
    let mut seen = BTreeSet::new();
    for _ in 0..12 {
        let first = door.get("shop.localhost", "/");
        let own = cookie(&first);
        seen.insert(first.text());
        for _ in 0..5 {
            let next = get(&door, "shop.localhost", &format!("a=b; {own}"));
            assert_eq!(next.text(), first.text());
            assert_eq!(next.header("set-cookie"), None, "it has it already");
        }
    }
    assert_eq!(seen.len(), 2);
    // Where nobody asks for it there are no cookies.
    door.apply(vec![to("shop", &[one.address, two.address])]);
    assert_eq!(door.get("shop.localhost", "/").header("set-cookie"), None);
}

#[test]
fn a_visitor_whose_instance_is_gone_gets_another_and_a_new_cookie() {
    let (one, two) = (Upstream::named("one"), Upstream::named("two"));
    let dead: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let door = Door::start();
    door.apply(vec![sticky("shop", &[one.address])]);
    let own = cookie(&door.get("shop.localhost", "/"));
    // Of the same name elsewhere: started again, and not up yet.
    door.apply(vec![sticky("shop", &[dead, two.address])]);
    let answer = get(&door, "shop.localhost", &own);
    assert_eq!((answer.status, answer.text().as_str()), (200, "two"));
    let renewed = cookie(&answer);
    assert_ne!(renewed, own);
    assert_eq!(get(&door, "shop.localhost", &renewed).header("set-cookie"), None);
    // A newer release: other instances.
    let newer = Upstream::named("newer");
    let mut route = sticky("shop", &[newer.address]);
    if let hostkit_core::route::Target::Instances { backends } = &mut route.target {
        backends[0].id.0 = "shop.7".into();
    }
    door.apply(vec![route]);
    let answer = get(&door, "shop.localhost", &renewed);
    assert_eq!(answer.text(), "newer");
    assert_ne!(cookie(&answer), renewed);
}

#[test]
fn a_visitor_of_an_instance_that_dies_is_answered_by_another() {
    let dying = Arc::new(AtomicBool::new(false));
    let dies = Arc::clone(&dying);
    // As a program that was killed: connections are still taken by the system, and end with nothing.
    let one = Upstream::start(move |_, stream| {
        !dies.load(Ordering::SeqCst)
            && stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\none")
                .is_ok()
    });
    let two = Upstream::named("two");
    let door = Door::start_with(|config| config.threads = 1);
    door.apply(vec![sticky("shop", &[one.address, two.address])]);
    let mut own = String::new();
    until("the visitor is on the first", || {
        let answer = door.get("shop.localhost", "/");
        own = cookie(&answer);
        answer.text() == "one"
    });
    dying.store(true, Ordering::SeqCst);
    // On the connection that was kept from before, and on new ones.
    for _ in 0..20 {
        assert_eq!(get(&door, "shop.localhost", &own).text(), "two");
    }
}

#[test]
fn a_cookie_leads_to_no_other_project() {
    let (shop, blog) = (Upstream::named("shop"), Upstream::named("blog"));
    let door = Door::start();
    door.apply(vec![
        sticky("shop", &[shop.address]),
        sticky("blog", &[blog.address]),
    ]);
    let of_blog = cookie(&door.get("blog.localhost", "/"));
    let answer = get(&door, "shop.localhost", &of_blog);
    assert_eq!(answer.text(), "shop");
    assert_ne!(cookie(&answer), of_blog);
    assert_eq!(blog.seen().len(), 1);
    for hostile in [
        "hostkit_instance",
        "hostkit_instance=; hostkit_instance==; =",
        "hostkit_instance=blog.1",
        "hostkit_instance=../../..%00%7f\t",
        &format!("hostkit_instance={}", "A".repeat(40_000)),
        &"hostkit_instance=x;".repeat(2000),
    ] {
        let answer = get(&door, "shop.localhost", hostile);
        assert_eq!(answer.text(), "shop", "{hostile:.60}");
    }
}

#[test]
fn cookies_outlive_the_front_door() {
    let upstreams = ["one", "two", "three"].map(Upstream::named);
    let addresses = upstreams.each_ref().map(|upstream| upstream.address);
    let mut door = Door::start();
    door.apply(vec![sticky("shop", &addresses)]);
    let first = door.get("shop.localhost", "/");
    let own = cookie(&first);
    door.handle.take().unwrap().stop();
    let door = Door::start_in(Arc::clone(&door.folder), |_| ());
    for _ in 0..9 {
        let answer = get(&door, "shop.localhost", &own);
        assert_eq!((answer.text(), answer.header("set-cookie")), (first.text(), None));
    }
}

#[test]
fn answers_for_everybody_have_no_cookie_and_tunnels_do() {
    let upstream = Upstream::start(|seen, stream| {
        let control = match seen.line() {
            line if line.contains("/upgrade") => {
                let head = b"HTTP/1.1 101 X\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
                stream.write_all(head).unwrap();
                return false;
            }
            line if line.contains("/public") => "public, max-age=60",
            line if line.contains("/private") => "private, max-age=60",
            _ => "no-cache",
        };
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nCache-Control: {control}\r\n\r\nok"
        )
        .is_ok()
    });
    let door = Door::start();
    door.apply(vec![sticky("shop", &[upstream.address])]);
    for path in ["/public", "/public", "/private", "/"] {
        let answer = door.get("shop.localhost", path);
        assert_eq!(answer.status, 200);
        let has = answer.header("set-cookie").is_some();
        assert_eq!(has, !path.contains("public"), "{path}");
    }
    let mut stream = door.connect();
    let ask = "GET /upgrade HTTP/1.1\r\nHost: shop.localhost\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
    stream.write_all(ask.as_bytes()).unwrap();
    let answer = read_answer(&mut stream, false);
    assert_eq!(answer.status, 101);
    cookie(&answer);
}

#[test]
fn a_stable_port_divides_and_sets_no_cookie() {
    let (one, two) = (Upstream::named("one"), Upstream::named("two"));
    let port = free_port();
    let door = Door::start();
    let mut route = sticky("shop", &[one.address, two.address]);
    route.ports = vec![port];
    door.apply(vec![route]);
    let own = cookie(&door.get("shop.localhost", "/"));
    let mut seen = BTreeSet::new();
    for _ in 0..20 {
        let request = format!("GET / HTTP/1.1\r\nHost: x\r\nCookie: {own}\r\n\r\n");
        let answer = send(([127, 0, 0, 1], port).into(), request);
        assert_eq!(answer.header("set-cookie"), None);
        seen.insert(answer.text());
    }
    assert_eq!(seen.len(), 2);
}
