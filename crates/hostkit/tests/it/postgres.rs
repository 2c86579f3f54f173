//! A project with a PostgreSQL database, from its creation to its end.

use std::path::{Path, PathBuf};
use std::process::Command;

use hostkit_core::layout::Layout;
use hostkit_core::services::{ServiceName, ServiceRole};
use serde_json::{Value, json};

use crate::harness::{Installation, kill, projects, wait_until};

/// A program that counts its visitors in the database, with `psql` as its client: `/count` answers the number, or why there is
/// none; `/who` the login it was told.
pub(crate) fn counter(parent: &Path) -> PathBuf {
    let server = r#"
const http = require('http'), { execFile } = require('child_process');
const COUNT = `INSERT INTO visits (at) VALUES (now()); SELECT count(*) FROM visits`;
function ask(url, statement, done) {
  execFile('psql', [url, '-XAtq', '-v', 'ON_ERROR_STOP=1', '-c', statement], (error, out, complaint) =>
    done(error ? 'error ' + complaint : out.trim()));
}
http.createServer((request, response) => {
  if (request.url === '/health') return response.end('ok');
  if (request.url === '/who') return response.end(new URL(process.env.DATABASE_URL).username);
  if (request.url === '/count') return ask(process.env.DATABASE_URL, COUNT, answer => response.end(answer));
  if (request.url === '/make') return ask(process.env.DIRECT_URL, 'CREATE TABLE visits (at timestamptz)', answer => response.end('made' + answer));
  response.end('hello');
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

/// The process id of the server that all share, by the state that its shim keeps.
fn server(host: &Installation) -> Option<u32> {
    let name = ServiceName {
        environment: None,
        role: ServiceRole::Postgres,
    };
    let folder = Layout::new(host.data()).service(&name);
    let state: Value = serde_json::from_slice(&std::fs::read(folder.join("state.json")).ok()?).ok()?;
    u32::try_from(state["program"]["pid"].as_u64()?).ok()
}

fn count(host: &Installation) -> String {
    host.get("shop", "/count").body
}

/// What `psql` says to a statement at a URL, or why it says nothing.
fn psql(url: &str, statement: &str) -> Result<String, String> {
    let said = Command::new("psql")
        .args([url, "-XAtq", "-c", statement])
        .output()
        .unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match said.status.success() {
        true => Ok(text(&said.stdout)),
        false => Err(text(&said.stderr)),
    }
}

/// Whether a login is refused. Whom PgBouncer let in at the last moment, it has wait a minute for a server that has no such
/// login any more: that is not waited for.
fn is_refused(url: &str) -> bool {
    let said = Command::new("timeout")
        .args(["5", "psql", url, "-XAtq", "-c", "SELECT 1"])
        .output()
        .unwrap();
    // What psql ends with where it was not let in.
    said.status.code() == Some(2)
}

/// A variable of production, as its `.env` has it.
pub(crate) fn told(host: &Installation, project: &str, name: &str) -> String {
    let file = host
        .data()
        .join(format!("projects/{project}/environments/production/.env"));
    let text = std::fs::read_to_string(file).unwrap();
    let start = format!("{name}=");
    let line = text.lines().find_map(|line| line.strip_prefix(&start));
    line.unwrap().trim_matches(['"', '\'']).to_owned()
}

#[test]
fn a_project_with_a_database_counts_through_kills_and_rotations_until_it_is_deleted() {
    let mut host = Installation::start();
    host.run(&["project", "create", "shop", "--with-db"]).ok();
    let folder = counter(&host.sources());
    host.deploy("shop", &folder).ok();
    assert_eq!(host.get("shop", "/make").body, "made");
    assert_eq!(count(&host), "1");
    let (pooled, direct) = (
        told(&host, "shop", "DATABASE_URL"),
        told(&host, "shop", "DIRECT_URL"),
    );
    assert_ne!(pooled, direct);
    for url in [&pooled, &direct] {
        assert_eq!(
            psql(url, "SELECT current_user, current_database()").unwrap(),
            "shop_db|shop_db"
        );
    }
    let refused = host
        .run(&["env", "set", "DATABASE_URL=x", "--project", "shop"])
        .failed();
    assert!(refused.err.contains("its PostgreSQL gives it"), "{}", refused.err);

    // Killed, the server comes back by itself with what it answered.
    let before = server(&host).unwrap();
    kill(before);
    wait_until("the server after a kill", || count(&host) == "2");
    assert_ne!(server(&host), Some(before));

    // A new credential reaches the program by a restart, and the old one is refused, at both addresses.
    let rotated = host
        .run(&["addon", "rotate", "shop", "postgres", "--json"])
        .ok()
        .json();
    assert!(rotated["deployment"].is_u64(), "{rotated}");
    let list = || host.run(&["addon", "list", "shop", "--json"]).ok().json();
    wait_until("the end of the rotation", || list()[0]["rotation"].is_null());
    assert_eq!(host.get("shop", "/who").body, "shop_db.2");
    assert_eq!(count(&host), "3");
    for url in [&pooled, &direct] {
        wait_until("the refusal of the old credential", || is_refused(url));
    }
    assert_eq!(count(&host), "4");

    // It outlives the daemons, and `down` and `up`, at the same addresses.
    let pid = server(&host);
    host.kill("control");
    host.wait_for_control();
    assert_eq!(server(&host), pid);
    let pooled = told(&host, "shop", "DATABASE_URL");
    host.run(&["down"]).ok();
    assert_eq!(server(&host), None);
    host.up();
    wait_until("the program after `up`", || count(&host) == "5");
    assert_eq!(psql(&pooled, "SELECT count(*) FROM visits").unwrap(), "5");

    host.run(&["project", "delete", "shop", "--yes"]).ok();
    assert!(!host.data().join("projects/shop").exists());
    psql(&pooled, "SELECT 1").unwrap_err();
}

#[test]
fn no_project_gets_into_the_database_of_another_and_each_goes_alone() {
    let host = Installation::start();
    for name in ["shop", "blog"] {
        host.run(&["project", "create", name]).ok();
        host.run(&["addon", "add", name, "postgres"]).ok();
    }
    let twice = host.run(&["addon", "add", "shop", "postgres"]).failed();
    assert!(twice.err.contains("it has one"), "{}", twice.err);
    host.run(&["project", "create", "third"]).ok();
    let refused = host
        .run(&["addon", "add", "third", "postgres", "--memory", "8MB"])
        .failed();
    assert!(refused.err.contains("it is for Redis alone"), "{}", refused.err);
    assert_eq!(
        host.run(&["addon", "list", "third", "--json"]).ok().json(),
        json!([])
    );

    let url = |name: &str| host.run(&["db", "url", name]).ok().out.trim().to_owned();
    let direct = |name: &str| {
        host.run(&["db", "url", name, "--direct"])
            .ok()
            .out
            .trim()
            .to_owned()
    };
    let whose = |name: &str| psql(&url(name), "SELECT name FROM whose");
    for name in ["shop", "blog"] {
        let make = format!("CREATE TABLE whose AS SELECT '{name}' AS name");
        host.run(&["db", "psql", name, "--", "-Xq", "-c", &make]).ok();
        assert_eq!(whose(name).unwrap(), name);
    }
    // The login of one with the database of the other, at both addresses; the server's own databases; nobody at all.
    for own in [url("shop"), direct("shop")] {
        for foreign in ["blog_db", "hostkit", "postgres", "template1"] {
            let tried = own.replace("/shop_db", &format!("/{foreign}"));
            psql(&tried, "SELECT 1").unwrap_err();
        }
        let (_, place) = own.split_once('@').unwrap();
        psql(&format!("postgresql://blog_db.1:x@{place}"), "SELECT 1").unwrap_err();
    }

    let refused = host.run(&["addon", "remove", "shop", "postgres"]).failed();
    assert!(refused.err.contains("with all of its data"), "{}", refused.err);
    let gone = url("shop");
    host.run(&["addon", "remove", "shop", "postgres", "--yes"]).ok();
    psql(&gone, "SELECT 1").unwrap_err();
    assert_eq!(whose("blog").unwrap(), "blog");
    // What was in the first does not come back with the next one.
    host.run(&["addon", "add", "shop", "postgres"]).ok();
    let why = whose("shop").unwrap_err();
    assert!(why.contains("does not exist"), "{why}");
}

#[test]
fn two_installations_have_a_server_each() {
    let hosts = [Installation::start(), Installation::start()];
    let urls = hosts.each_ref().map(|host| {
        host.run(&["project", "create", "shop", "--with-db"]).ok();
        host.run(&["db", "url", "shop"]).ok().out.trim().to_owned()
    });
    for (url, name) in urls.iter().zip(["first", "second"]) {
        psql(url, &format!("CREATE TABLE whose AS SELECT '{name}' AS name")).unwrap();
    }
    for (url, name) in urls.iter().zip(["first", "second"]) {
        assert_eq!(psql(url, "SELECT name FROM whose").unwrap(), name);
    }
}
