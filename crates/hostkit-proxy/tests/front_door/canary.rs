//! Two releases of one environment, and which visitor gets which.

use std::collections::BTreeMap;
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hostkit_core::project::EnvironmentId;
use hostkit_core::route::{Applied, CanaryRoutes, Route, RouteTable, Target};

use crate::support::*;

const LIVE: &str = "20250215-120000";
const CANARY: &str = "20250215-130000";

fn shop() -> EnvironmentId {
    EnvironmentId::new("shop".parse().unwrap(), "production".parse().unwrap())
}

/// A route of the environment `shop` on the host `shop.localhost`.
fn live(mut route: Route) -> Route {
    route.id = "shop/production/web".into();
    route.environment = Some(shop());
    route.release = Some(LIVE.parse().unwrap());
    route
}

/// The same as a canary's: without a host, and with instances of other names.
fn beside(route: Route) -> Route {
    let mut route = live(route);
    route.id = "shop/production/canary:web".into();
    route.release = Some(CANARY.parse().unwrap());
    route.hosts.clear();
    route.ports.clear();
    if let Target::Instances { backends } = &mut route.target {
        backends
            .iter_mut()
            .for_each(|backend| backend.id.0.insert_str(0, "canary-"));
    }
    route
}

fn canary(percent: u8, routes: Vec<Route>) -> CanaryRoutes {
    CanaryRoutes {
        environment: shop(),
        release: CANARY.parse().unwrap(),
        percent: percent.try_into().unwrap(),
        routes,
    }
}

fn apply(door: &Door, routes: Vec<Route>, canaries: Vec<CanaryRoutes>) -> Applied {
    let mut version = door.version.lock().unwrap();
    *version += 1;
    let table = RouteTable {
        version: *version,
        routes,
        canaries,
    };
    door.apply_table(table).unwrap()
}

/// A door behind which `old` is live and `new` the canary of `percent`.
fn both(door: &Door, old: SocketAddr, new: SocketAddr, percent: u8) {
    let own = beside(to("shop", &[new]));
    apply(
        door,
        vec![live(to("shop", &[old]))],
        vec![canary(percent, vec![own])],
    );
}

fn get(door: &Door, path: &str, headers: &str) -> Answer {
    door.send(format!(
        "GET {path} HTTP/1.1\r\nHost: shop.localhost\r\n{headers}\r\n"
    ))
}

/// The cookie of an answer as it is sent back.
fn cookie(answer: &Answer) -> Option<String> {
    let set = answer.header("set-cookie")?;
    assert!(
        set.starts_with("hostkit_release=") && set.contains("; Path=/; HttpOnly; SameSite=Lax"),
        "{set}"
    );
    Some(format!("Cookie: a=b; {}\r\n", set.split(';').next().unwrap()))
}

#[test]
fn ten_of_a_hundred_new_visitors_get_the_canary_and_each_keeps_what_it_got() {
    let (old, new) = (Upstream::named("old"), Upstream::named("new"));
    let door = Door::start();
    both(&door, old.address, new.address, 10);
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut visitors = Vec::new();
    for _ in 0..100 {
        let first = get(&door, "/", "");
        assert_eq!(first.status, 200);
        let release = if first.text() == "new" { CANARY } else { LIVE };
        assert_eq!(first.header("x-hostkit-release"), Some(release));
        *counts.entry(first.text()).or_default() += 1;
        visitors.push((cookie(&first).unwrap(), first.text()));
    }
    assert_eq!((counts["new"], counts["old"]), (10, 90));
    for (cookie, text) in &visitors {
        let again = get(&door, "/part", cookie);
        assert_eq!((&again.text(), again.header("set-cookie")), (text, None));
    }
    // Half of them, and none who had it loses it; then it is over.
    both(&door, old.address, new.address, 50);
    let texts: Vec<String> = visitors
        .iter()
        .map(|(cookie, _)| get(&door, "/", cookie).text())
        .collect();
    assert_eq!(texts.iter().filter(|text| *text == "new").count(), 50);
    assert!(
        visitors
            .iter()
            .zip(&texts)
            .all(|((_, before), now)| before == "old" || now == "new")
    );
    apply(&door, vec![live(to("shop", &[old.address]))], Vec::new());
    for (cookie, _) in &visitors {
        let answer = get(&door, "/", cookie);
        assert_eq!(
            (answer.text().as_str(), answer.header("set-cookie")),
            ("old", None)
        );
    }
}

#[test]
fn a_front_door_that_is_started_again_goes_on_with_the_canary_and_its_cookies() {
    let (old, new) = (Upstream::named("old"), Upstream::named("new"));
    let door = Door::start();
    both(&door, old.address, new.address, 50);
    let visitors: Vec<(Option<String>, String)> = (0..10)
        .map(|_| get(&door, "/", ""))
        .map(|answer| (cookie(&answer), answer.text()))
        .collect();
    let folder = Arc::clone(&door.folder);
    drop(door);
    let door = Door::start_in(folder, |_| ());
    for (cookie, text) in visitors {
        let again = get(&door, "/", &cookie.unwrap());
        assert_eq!((again.text(), again.header("set-cookie")), (text, None));
    }
}

#[test]
fn a_canary_that_fails_loses_its_visitors_and_no_request() {
    let dead: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let old = Upstream::named("old");
    let door = Door::start();
    both(&door, old.address, dead, 99);
    // No connection is taken: each request goes on to the live release, also with a body.
    for _ in 0..50 {
        assert_eq!(get(&door, "/", "").text(), "old");
        let post = "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 2\r\n\r\nhi";
        assert_eq!(door.send(post).text(), "old");
    }
    assert_eq!(door.status().ejected.len(), 1);
    // No instance is ready.
    apply(
        &door,
        vec![live(to("shop", &[old.address]))],
        vec![canary(99, vec![beside(to("shop", &[]))])],
    );
    assert_eq!(get(&door, "/", "").text(), "old");
    // One that comes back gets its visitors again.
    let new = Upstream::named("new");
    both(&door, old.address, new.address, 99);
    until("it is back", || get(&door, "/", "").text() == "new");
}

#[test]
fn a_canary_that_breaks_off_is_left_out_and_its_visitors_keep_their_place() {
    let is_broken = Arc::new(AtomicBool::new(false));
    let breaks = Arc::clone(&is_broken);
    let new = Upstream::start(move |_, stream| {
        !breaks.load(Ordering::SeqCst)
            && stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew")
                .is_ok()
    });
    let old = Upstream::named("old");
    let door = Door::start_with(|config| config.threads = 1);
    both(&door, old.address, new.address, 50);
    let mut own = None;
    until("a visitor of the canary", || {
        let answer = get(&door, "/", "");
        own = cookie(&answer);
        answer.text() == "new"
    });
    let own = own.unwrap();
    is_broken.store(true, Ordering::SeqCst);
    until("it is left out", || get(&door, "/", &own).text() == "old");
    is_broken.store(false, Ordering::SeqCst);
    until("it is back", || get(&door, "/", &own).text() == "new");
}

#[test]
fn pages_that_everybody_may_keep_are_of_one_visitor_while_a_canary_stands() {
    let answer = |kind: &'static str| {
        move |_: &Seen, stream: &mut std::net::TcpStream| {
            let head = "HTTP/1.1 200 OK\r\nCache-Control: public, s-maxage=60\r\nContent-Length: 2\r\n";
            write!(stream, "{head}Content-Type: {kind}\r\n\r\nhi").is_ok()
        }
    };
    let (page, script) = (
        Upstream::start(answer("text/html")),
        Upstream::start(answer("text/javascript")),
    );
    let door = Door::start();
    both(&door, page.address, page.address, 50);
    for _ in 0..4 {
        // From the cache as well, which keeps no cookie and the answer as it came.
        let first = get(&door, "/", "");
        assert_eq!(first.header("cache-control"), Some("private, no-cache"));
        let own = cookie(&first).unwrap();
        let again = get(&door, "/", &own);
        assert_eq!(
            (again.header("cache-control"), again.header("set-cookie")),
            (Some("private, no-cache"), None)
        );
    }
    both(&door, script.address, script.address, 50);
    let answer = get(&door, "/app.js", "");
    assert_eq!(answer.header("cache-control"), Some("public, s-maxage=60"));
    assert_eq!(answer.header("set-cookie"), None);
    apply(&door, vec![live(to("shop", &[page.address]))], Vec::new());
    let answer = get(&door, "/", "");
    assert_eq!(answer.header("cache-control"), Some("public, s-maxage=60"));
}

#[test]
fn what_is_kept_of_one_release_is_not_answered_for_the_other() {
    let kept = |text: &'static str| {
        Upstream::start(move |_, stream| {
            let head = "HTTP/1.1 200 OK\r\nCache-Control: public, max-age=60\r\nContent-Length: 3\r\n\r\n";
            write!(stream, "{head}{text}").is_ok()
        })
    };
    let (old, new) = (kept("old"), kept("new"));
    let door = Door::start();
    both(&door, old.address, new.address, 50);
    let mut texts = BTreeMap::<String, usize>::new();
    for _ in 0..100 {
        let answer = get(&door, "/", "");
        let release = if answer.text() == "new" { CANARY } else { LIVE };
        assert_eq!(answer.header("x-hostkit-release"), Some(release));
        *texts.entry(answer.text()).or_default() += 1;
    }
    assert_eq!((texts["old"], texts["new"]), (50, 50));
    let asked = |upstream: &Upstream| upstream.seen.lock().unwrap().len();
    assert!(asked(&old) < 10 && asked(&new) < 10, "the cache answered");
}

#[test]
fn sites_have_canaries_and_each_release_finds_the_others_parts() {
    let door = Door::start();
    let site = |name: &str| {
        let root = door.folder.path().join("data").join(name);
        std::fs::create_dir_all(root.join("assets")).unwrap();
        std::fs::write(root.join("index.html"), name).unwrap();
        std::fs::write(root.join(format!("assets/app-{name}1a2b3c4d.js")), name).unwrap();
        root
    };
    let (old, new) = (site("old"), site("new"));
    let with = |root: &std::path::Path, other: &std::path::Path| {
        let mut route = files("shop", root.to_owned(), false);
        if let Target::Files { earlier, .. } = &mut route.target {
            earlier.push(other.to_owned());
        }
        route
    };
    let own = beside(with(&new, &old));
    apply(&door, vec![live(with(&old, &new))], vec![canary(10, vec![own])]);
    let mut got = 0;
    for _ in 0..100 {
        let page = get(&door, "/", "");
        got += usize::from(page.text() == "new");
        let part = format!("/assets/app-{}1a2b3c4d.js", page.text());
        assert_eq!(get(&door, &part, &cookie(&page).unwrap()).text(), page.text());
        // Whoever keeps no cookies finds it, too.
        assert_eq!(get(&door, &part, "").text(), page.text());
    }
    // Every second place went to a part that was asked for without a cookie.
    assert!((5..=15).contains(&got), "{got}");
}

#[test]
fn stable_ports_and_other_hosts_know_no_canary() {
    let (old, new, other) = (
        Upstream::named("old"),
        Upstream::named("new"),
        Upstream::named("other"),
    );
    let door = Door::start();
    let port = free_port();
    let mut route = live(to("shop", &[old.address]));
    route.ports = vec![port];
    let own = beside(to("shop", &[new.address]));
    apply(
        &door,
        vec![route, to("blog", &[other.address])],
        vec![canary(99, vec![own])],
    );
    for _ in 0..10 {
        let answer = send(
            ([127, 0, 0, 1], port).into(),
            "GET / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
        );
        assert_eq!(
            (answer.text().as_str(), answer.header("set-cookie")),
            ("old", None)
        );
        let answer = door.get("blog.localhost", "/");
        assert_eq!(
            (answer.text().as_str(), answer.header("set-cookie")),
            ("other", None)
        );
    }
}

#[test]
fn hostkits_own_visits_see_the_release_they_ask_for_and_take_nobodys_place() {
    let (old, new) = (Upstream::named("old"), Upstream::named("new"));
    let door = Door::start();
    both(&door, old.address, new.address, 1);
    for _ in 0..300 {
        let seen = get(&door, "/", "x-hostkit-visit: canary\r\n");
        assert_eq!((seen.text().as_str(), seen.header("set-cookie")), ("new", None));
        assert_eq!(get(&door, "/", "x-hostkit-visit: 1\r\n").text(), "old");
    }
    let new_ones = (0..100).filter(|_| get(&door, "/", "").text() == "new").count();
    assert_eq!(new_ones, 1);
}

#[test]
fn a_canary_that_cannot_be_used_is_put_aside_and_everybody_gets_the_live_release() {
    let (old, new) = (Upstream::named("old"), Upstream::named("new"));
    let door = Door::start();
    let own = || beside(to("shop", &[new.address]));
    let mut of_another = own();
    of_another.environment = Some(EnvironmentId::new(
        "blog".parse().unwrap(),
        "production".parse().unwrap(),
    ));
    let mut same_id = own();
    same_id.id = "shop/production/web".into();
    let mut no_path = own();
    no_path.path_prefix = "x".into();
    for routes in [
        vec![],
        vec![own(), own()],
        vec![of_another],
        vec![same_id],
        vec![no_path],
    ] {
        let applied = apply(
            &door,
            vec![live(to("shop", &[old.address]))],
            vec![canary(99, routes)],
        );
        let [aside] = applied.put_aside.as_slice() else {
            panic!("{applied:?}")
        };
        assert_eq!(aside.route, "shop/production/canary");
        assert!(!aside.reason.is_empty());
        for _ in 0..3 {
            assert_eq!(get(&door, "/", "").text(), "old");
        }
    }
}

#[test]
fn what_the_canary_lets_in_is_asked_again_by_the_live_release() {
    let dead: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let old = Upstream::named("old");
    let door = Door::start();
    let mut closed = live(to("shop", &[old.address]));
    closed.rules.allow = vec!["192.0.2.1/32".parse().unwrap()];
    let mut open = beside(to("shop", &[dead]));
    open.rules.strip_prefix = true;
    open.rules.timeout = Some(hostkit_core::size::Span::secs(20));
    apply(&door, vec![closed], vec![canary(99, vec![open])]);
    for _ in 0..20 {
        assert_eq!(get(&door, "/", "").status, 403);
    }
    assert!(old.seen.lock().unwrap().is_empty());
}

#[test]
fn what_the_only_instance_of_a_canary_breaks_off_is_answered_by_the_live_release() {
    let old = Upstream::start(|seen, stream| {
        let text = format!("old {}", seen.line());
        write!(
            stream,
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        )
        .is_ok()
    });
    // It answers, or reads each request and closes the connection.
    let breaks = Arc::new(AtomicBool::new(false));
    let broken = Arc::clone(&breaks);
    let new = Upstream::start(move |_, stream| {
        !broken.load(Ordering::SeqCst)
            && stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew")
                .is_ok()
    });
    let door = Door::start_with(|config| config.threads = 1);
    both(&door, old.address, new.address, 99);
    // A connection is kept from here on, so that the next request is one on an old connection.
    let mut visitors = std::iter::repeat_with(|| get(&door, "/", ""));
    let visitor = visitors.find(|answer| answer.text() == "new").unwrap();
    let cookie = cookie(&visitor).unwrap();
    breaks.store(true, Ordering::SeqCst);
    // Short and long ways of sending, on old and new connections.
    for (path, more) in [
        ("/a?b", ""),
        ("/c", ""),
        ("/d", "TE: trailers\r\nConnection: TE\r\n"),
        ("/e", ""),
    ] {
        let answer = get(&door, path, &format!("{cookie}{more}"));
        assert_eq!(
            (answer.status, answer.text()),
            (200, format!("old GET {path} HTTP/1.1"))
        );
        assert_eq!(answer.header("x-hostkit-release"), Some(LIVE));
    }
    // What may not be sent twice is not.
    let before = old.seen.lock().unwrap().len();
    breaks.store(false, Ordering::SeqCst);
    until("it is back", || get(&door, "/", &cookie).text() == "new");
    breaks.store(true, Ordering::SeqCst);
    let body = format!("POST / HTTP/1.1\r\nHost: shop.localhost\r\n{cookie}Content-Length: 1\r\n\r\nx");
    assert_eq!(door.send(body).status, 502);
    let seen = old.seen.lock().unwrap();
    assert!(seen[before..].iter().all(|seen| !seen.line().starts_with("POST")));
}
