//! Requests divided among instances, seen from outside.

use std::collections::BTreeSet;

use crate::harness::{Installation, http, kill, projects};

const MANIFEST: &str = "[process.web]\ncommand = \"node server.js\"\ncount = 3\nsticky = true\n[process.web.health]\npath = \"/health\"\n";

/// The number of the process that answers, and the cookie it gave, if any.
fn visit(host: &Installation, cookie: &str) -> (u32, Option<String>) {
    let request =
        format!("GET /pid HTTP/1.1\r\nHost: shop.localhost\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n");
    let answer = http::raw(host.http, request.as_bytes());
    assert_eq!(answer.status, 200, "{answer:?}");
    let set = answer.header("set-cookie").map(|set| {
        assert!(set.contains("; HttpOnly; SameSite=Lax"), "{set}");
        set.split(';').next().unwrap().to_owned()
    });
    (answer.body.parse().unwrap(), set)
}

#[test]
fn a_visitor_stays_on_an_instance_over_crashes_deploys_and_rollbacks() {
    let host = Installation::start();
    let folder = projects::node(&host.sources(), "shop", "first");
    std::fs::write(folder.join("hostkit.toml"), MANIFEST).unwrap();
    host.run(&["project", "create", "shop"]).ok();
    host.deploy("shop", &folder).ok();

    let strangers: BTreeSet<u32> = (0..12).map(|_| visit(&host, "").0).collect();
    assert_eq!(strangers.len(), 3);
    let (pid, cookie) = visit(&host, "");
    let mut cookie = cookie.unwrap();
    for _ in 0..10 {
        assert_eq!(visit(&host, &cookie), (pid, None));
    }

    // Whoever answers while it is started again, somebody does.
    kill(pid);
    for _ in 0..50 {
        let (_, renewed) = visit(&host, &cookie);
        cookie = renewed.unwrap_or(cookie);
    }

    for act in ["deploy", "rollback"] {
        match act {
            "deploy" => host.deploy("shop", &folder).ok(),
            _ => host.run(&["rollback", "--project", "shop"]).ok(),
        };
        let (now, renewed) = visit(&host, &cookie);
        cookie = renewed.unwrap_or_else(|| panic!("no new cookie after a {act}"));
        for _ in 0..10 {
            assert_eq!(visit(&host, &cookie), (now, None));
        }
    }
}
