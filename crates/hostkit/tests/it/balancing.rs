//! Requests divided among instances, seen from outside.

use std::collections::BTreeSet;

use crate::harness::{Installation, http, kill, projects, wait_until};

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

/// An app whose instances want requests unless `/rest` was asked of them; `/alive` goes on to answer.
const RESTING: &str = r#"
const http = require('http');
let wants = true;
http.createServer((request, response) => {
  if (request.url === '/rest') wants = false;
  if (request.url === '/wake') wants = true;
  response.statusCode = request.url === '/ready' && !wants ? 503 : 200;
  response.end(String(process.pid));
}).listen(Number(process.env.PORT), process.env.HOST);
"#;

#[test]
fn an_instance_that_wants_no_requests_gets_none_and_lives_on() {
    let host = Installation::start();
    let folder = projects::node(&host.sources(), "shop", "first");
    std::fs::write(folder.join("server.js"), RESTING).unwrap();
    let manifest = "[process.web]\ncommand = \"node server.js\"\ncount = 2\n[process.web.health]\npath = \"/alive\"\nready = \"/ready\"\n";
    std::fs::write(folder.join("hostkit.toml"), manifest).unwrap();
    host.deploy("shop", &folder).ok();
    let answer = |path: &str| host.get("shop", path).body.parse::<u32>().unwrap();
    let answering = || (0..12).map(|_| answer("/")).collect::<BTreeSet<u32>>();
    let both = answering();
    assert_eq!(both.len(), 2);
    let resting = answer("/rest");
    wait_until("it gets no requests", || !answering().contains(&resting));
    // Straight to its port, as the front door leads there no more.
    let instances = host.run(&["ps", "--project", "shop", "--json"]).ok().json();
    let instances = instances.as_array().unwrap();
    assert!(
        instances.iter().all(|instance| instance["restarts"] == 0),
        "{instances:?}"
    );
    let its_own = instances
        .iter()
        .find(|instance| instance["pid"] == resting)
        .unwrap();
    let address: std::net::SocketAddr = its_own["address"].as_str().unwrap().parse().unwrap();
    http::get(address.port(), "shop.localhost", "/wake");
    wait_until("it has requests again", || answering() == both);
}
