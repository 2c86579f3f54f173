//! A project with a Redis of its own, from its creation to its end (REQUIREMENTS P2, P4, P7, S2, V3).

use std::path::{Path, PathBuf};

use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::services::{ServiceName, ServiceRole};
use serde_json::Value;

use crate::harness::{Installation, kill, projects, wait_until};

/// A program that counts its visitors in Redis, with a client of its own: `/count` answers the number, or why there is none.
fn counter(parent: &Path) -> PathBuf {
    let server = r#"
const http = require('http'), net = require('net');
const { hostname, port, username, password } = new URL(process.env.REDIS_URL);
function ask(words, done) {
  const socket = net.connect(Number(port), hostname);
  const all = [['AUTH', username, password], words];
  socket.on('error', error => done('error ' + error.code));
  for (const one of all) socket.write('*' + one.length + '\r\n' + one.map(w => '$' + w.length + '\r\n' + w + '\r\n').join(''));
  let text = '';
  socket.on('data', data => {
    text += data;
    const lines = text.split('\r\n');
    if (lines.length > 2) { socket.destroy(); done(lines[0] === '+OK' ? lines[1] : lines[0]); }
  });
}
http.createServer((request, response) => {
  if (request.url === '/health') return response.end('ok');
  if (request.url === '/user') return response.end(username);
  if (request.url !== '/count') return response.end('hello');
  ask(['INCR', 'visitors'], answer => response.end(answer));
}).listen(Number(process.env.PORT), process.env.HOST);
"#;
    projects::folder(
        parent,
        "counter",
        &[
            ("server.js", server),
            (
                "package.json",
                r#"{"name":"app","version":"1.0.0","scripts":{"start":"node server.js"}}"#,
            ),
            ("hostkit.toml", "[process.web.health]\npath = \"/health\"\n"),
        ],
    )
}

/// The process id of the project's Redis server, by the state that its shim keeps.
fn server(host: &Installation) -> Option<u32> {
    let name = ServiceName {
        environment: Some(EnvironmentId::new(
            ProjectName::parse("shop").unwrap(),
            EnvironmentName::production(),
        )),
        role: ServiceRole::Redis,
    };
    let folder = hostkit_core::layout::Layout::new(host.data()).service(&name);
    let state: Value = serde_json::from_slice(&std::fs::read(folder.join("state.json")).ok()?).ok()?;
    let pid = state["program"]["pid"].as_u64()?;
    u32::try_from(pid).ok()
}

fn visitors(host: &Installation) -> String {
    host.get("shop", "/count").body
}

#[test]
fn a_project_with_redis_counts_through_kills_and_rotations_until_it_is_deleted() {
    let mut host = Installation::start();
    host.run(&["project", "create", "shop", "--with-redis"]).ok();
    let folder = counter(&host.sources());
    host.deploy("shop", &folder).ok();
    assert_eq!(visitors(&host), ":1");

    // Killed, it comes back by itself with what it answered, also without control.
    let before = server(&host).unwrap();
    kill(before);
    wait_until("the server after a kill", || visitors(&host) == ":2");
    assert_ne!(server(&host), Some(before));

    // The console needs no password; hidden from nobody who may look: the URL.
    let said = host.run(&["redis", "cli", "shop", "--", "GET", "visitors"]).ok();
    assert_eq!(said.out.trim(), "2");
    let info = host.run(&["redis", "info", "shop", "server"]).ok();
    assert!(info.out.contains("redis_version:"), "{}", info.out);
    let url = host.run(&["redis", "url", "shop"]).ok().out;
    assert!(url.starts_with("redis://shop-1:"), "{url}");
    let dotenv = std::fs::read_to_string(host.data().join("projects/shop/environments/production/.env"));
    assert!(dotenv.unwrap().contains(&format!("REDIS_URL={}", url.trim())));
    let refused = host
        .run(&["env", "set", "REDIS_URL=x", "--project", "shop"])
        .failed();
    assert!(refused.err.contains("its Redis gives it"), "{}", refused.err);

    // A new credential reaches the program by a restart, and the old one is refused.
    let rotated = host
        .run(&["addon", "rotate", "shop", "redis", "--json"])
        .ok()
        .json();
    assert!(rotated["deployment"].is_u64(), "{rotated}");
    let list = || host.run(&["addon", "list", "shop", "--json"]).ok().json();
    wait_until("the end of the rotation", || list()[0]["rotation"].is_null());
    assert_eq!(host.get("shop", "/user").body, "shop-2");
    assert_eq!(visitors(&host), ":3");
    let old = url.trim().trim_start_matches("redis://shop-1:");
    let (password, rest) = old.split_once('@').unwrap();
    let port = rest.trim_start_matches("127.0.0.1:").trim_end_matches("/0");
    let tried = std::process::Command::new("redis-cli")
        .args(["-p", port, "--user", "shop-1", "GET", "visitors"])
        .env("REDISCLI_AUTH", password)
        .output()
        .unwrap();
    let answer =
        String::from_utf8_lossy(&tried.stdout).into_owned() + &String::from_utf8_lossy(&tried.stderr);
    assert!(
        answer.contains("WRONGPASS") || answer.contains("NOAUTH"),
        "{answer}"
    );

    // It outlives the daemons, and `down` and `up`.
    let pid = server(&host);
    host.kill("control");
    host.wait_for_control();
    assert_eq!(server(&host), pid);
    host.run(&["down"]).ok();
    assert_eq!(server(&host), None);
    host.up();
    wait_until("the program after `up`", || visitors(&host) == ":4");

    host.run(&["project", "delete", "shop", "--yes"]).ok();
    assert!(!host.data().join("projects/shop").exists());
    let gone = std::process::Command::new("redis-cli")
        .args(["-p", port, "PING"])
        .output()
        .unwrap();
    assert!(!gone.status.success());
}

#[test]
fn each_project_has_a_server_of_its_own_that_comes_and_goes_by_command() {
    let host = Installation::start();
    for name in ["shop", "blog"] {
        host.run(&["project", "create", name]).ok();
        let none = host.run(&["redis", "info", name]).failed();
        assert!(none.err.contains("it has none"), "{}", none.err);
        host.run(&["addon", "add", name, "redis", "--memory", "8MB"]).ok();
        host.run(&["redis", "cli", name, "--", "SET", "whose", name]).ok();
    }
    let twice = host.run(&["addon", "add", "shop", "redis"]).failed();
    assert!(twice.err.contains("it has one"), "{}", twice.err);
    let whose = |name: &str| host.run(&["redis", "cli", name, "--", "GET", "whose"]).ok().out;
    assert_eq!((whose("shop").trim(), whose("blog").trim()), ("shop", "blog"));

    // A credential of one is none of the other's.
    let url = |name: &str| host.run(&["redis", "url", name]).ok().out.trim().to_owned();
    let (shop, blog) = (url("shop"), url("blog"));
    let login = shop.trim_start_matches("redis://").split('@').next().unwrap();
    let (user, password) = login.split_once(':').unwrap();
    let port = blog.rsplit(':').next().unwrap().trim_end_matches("/0");
    for user in [user, "blog-1", "default", "hostkit"] {
        let tried = std::process::Command::new("redis-cli")
            .args(["-p", port, "--user", user, "GET", "whose"])
            .env("REDISCLI_AUTH", password)
            .output()
            .unwrap();
        let answer = String::from_utf8_lossy(&tried.stdout).into_owned();
        assert!(!answer.contains("blog"), "{user}: {answer}");
    }

    let refused = host.run(&["redis", "flush", "shop"]).failed();
    assert!(refused.err.contains("nobody can be asked"), "{}", refused.err);
    host.run(&["redis", "flush", "shop", "--yes"]).ok();
    assert_eq!((whose("shop").trim(), whose("blog").trim()), ("", "blog"));

    let refused = host.run(&["addon", "remove", "shop", "redis"]).failed();
    assert!(refused.err.contains("with all of its data"), "{}", refused.err);
    host.run(&["addon", "remove", "shop", "redis", "--yes"]).ok();
    assert_eq!(
        host.run(&["addon", "list", "shop", "--json"]).ok().json(),
        serde_json::json!([])
    );
    assert_eq!(server(&host), None);
    // What was in the first does not come back with the next one.
    host.run(&["project", "create", "third", "--with-redis"]).ok();
    host.run(&["addon", "add", "shop", "redis"]).ok();
    assert_eq!(whose("shop").trim(), "");
    assert_eq!(whose("blog").trim(), "blog");
}
