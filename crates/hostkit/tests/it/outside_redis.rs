//! A project whose Redis somebody else keeps: a server with TLS that HostKit knows by its address alone, and one that is
//! reached by Upstash's REST protocol.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use crate::harness::{Installation, Said, projects, wait_until};
use crate::postgres::told;

const PASSWORD: &str = "canary-7d20";

/// A server of somebody's; it ends when this is dropped.
struct Server(Child);

impl Server {
    /// With TLS on a port, as `localhost`.
    fn start(folder: &Path, port: u16) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.join("certificate.pem"), made.cert.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
        let file = |name: &str| folder.join(name).to_str().unwrap().to_owned();
        let server = Command::new("redis-server")
            .args([
                "--port",
                "0",
                "--tls-port",
                &port.to_string(),
                "--bind",
                "127.0.0.1",
            ])
            .args([
                "--tls-cert-file",
                &file("certificate.pem"),
                "--tls-key-file",
                &file("key.pem"),
            ])
            .args([
                "--tls-ca-cert-file",
                &file("certificate.pem"),
                "--tls-auth-clients",
                "no",
            ])
            .args([
                "--requirepass",
                PASSWORD,
                "--save",
                "",
                "--dir",
                folder.to_str().unwrap(),
            ])
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        wait_until("the server elsewhere", || {
            std::net::TcpStream::connect(("127.0.0.1", port)).is_ok()
        });
        Server(server)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

fn give(host: &Installation, verb: &str, address: &str) -> Said {
    host.run_with_input(&["addon", verb, "shop", "redis", "--outside", "-"], address)
}

fn addons(host: &Installation) -> serde_json::Value {
    host.run(&["addon", "list", "shop", "--json"]).ok().json()
}

/// A program that does nothing with it.
fn app(host: &Installation) -> PathBuf {
    let server = "require('http').createServer((_, answer) => answer.end('ok')).listen(process.env.PORT, process.env.HOST)";
    let package = r#"{"name":"app","version":"1.0.0","scripts":{"start":"node server.js"}}"#;
    projects::folder(
        &host.sources(),
        "app",
        &[("server.js", server), ("package.json", package)],
    )
}

#[test]
fn a_project_lives_on_a_redis_that_somebody_else_keeps() {
    let host = Installation::start();
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let server = Server::start(folder.path(), port);
    host.run(&["project", "create", "shop"]).ok();
    let authority = folder.path().join("certificate.pem");
    let good = format!(
        "rediss://:{PASSWORD}@localhost:{port}/0?ssl_ca_certs={}",
        authority.display()
    );
    for (address, why) in [
        ("canary".to_owned(), "it is not a URL"),
        (good.replace("rediss", "redis"), "does not answer"),
        (good.replace("ssl_ca_certs", "ignored"), "certificate"),
        (
            good.replace(PASSWORD, "canary-other"),
            "does not accept the password",
        ),
        (good.replace(&port.to_string(), "1"), "cannot connect"),
    ] {
        let said = give(&host, "add", &address).failed();
        assert!(
            said.err.contains(why) && !said.all().contains("canary"),
            "{why}: {}",
            said.err
        );
        assert_eq!(addons(&host), json!([]), "{why}");
    }
    let added = give(&host, "add", &good).ok();
    assert!(!added.all().contains("canary"), "{}", added.all());
    let listed = addons(&host);
    assert_eq!(listed[0]["state"]["health"]["is"], "ready");
    assert!(listed[0]["state"]["version"].is_string(), "{listed}");

    let app = app(&host);
    host.deploy("shop", &app).ok();
    assert_eq!(told(&host, "shop", "REDIS_URL"), good);
    assert_eq!(
        told(&host, "shop", "CELERY_BROKER_URL"),
        format!("{good}&ssl_cert_reqs=required")
    );
    let set = host.run(&["redis", "cli", "shop", "--", "SET", "a", "1"]).ok();
    assert_eq!(set.out.trim(), "OK");
    assert!(
        host.run(&["redis", "info", "shop", "server"])
            .ok()
            .out
            .contains("redis_version")
    );
    assert_eq!(host.run(&["redis", "url", "shop"]).ok().out.trim(), good);

    // No copy can be made there, which is told and stands in no backup's way.
    let made = host.run(&["backup", "now", "shop"]).ok();
    assert!(made.err.contains("all of it came back"), "{}", made.err);
    let shown = host.run(&["backup", "show", "shop"]).ok();
    assert!(shown.out.contains("Redis, kept elsewhere"), "{}", shown.out);

    drop(server);
    assert_eq!(addons(&host)[0]["state"]["health"]["is"], "down");
    let gone = host.run(&["addon", "remove", "shop", "redis"]).ok();
    assert!(
        gone.err.contains("What is kept there is as it was"),
        "{}",
        gone.err
    );
}

/// HostKit's own gateway stands for Upstash.
#[test]
fn lines_that_upstash_shows_are_an_address() {
    let host = Installation::start();
    host.run(&["project", "create", "shop"]).ok();
    host.run(&["project", "create", "upstash", "--with-redis"]).ok();
    let app = app(&host);
    host.deploy("upstash", &app).ok();
    let theirs = |name: &str| told(&host, "upstash", name);
    let (url, token) = (
        theirs("UPSTASH_REDIS_REST_URL"),
        theirs("UPSTASH_REDIS_REST_TOKEN"),
    );
    let lines =
        |token: &str| format!("UPSTASH_REDIS_REST_URL=\"{url}\"\nUPSTASH_REDIS_REST_TOKEN=\"{token}\"\n");
    let said = give(&host, "add", &lines("canary")).failed();
    assert!(said.err.contains("does not accept the token"), "{}", said.err);
    let said = give(&host, "add", &format!("UPSTASH_REDIS_REST_URL={url}")).failed();
    assert!(said.err.contains("go together"), "{}", said.err);
    give(&host, "add", &lines(&token)).ok();
    for command in [&["cli", "shop", "--", "PING"][..], &["info", "shop"]] {
        let refused = host.run(&[&["redis"][..], command].concat()).failed();
        assert!(
            refused.err.contains("for REST alone") && refused.err.contains("REDIS_URL=rediss://"),
            "{}",
            refused.err
        );
    }
    let refused = host.run(&["redis", "url", "shop"]).failed();
    assert!(
        refused.err.contains("no `REDIS_URL` is in its address"),
        "{}",
        refused.err
    );
    host.deploy("shop", &app).ok();
    for name in ["UPSTASH_REDIS_REST_TOKEN", "KV_REST_API_TOKEN"] {
        assert_eq!(told(&host, "shop", name), token);
    }
    let all = host.data().join("projects/shop/environments/production/.env");
    let all = std::fs::read_to_string(all).unwrap();
    assert!(
        !all.contains("CELERY") && !all.contains("READ_ONLY"),
        "nothing that was not given"
    );
}

#[test]
fn a_project_is_made_with_a_redis_elsewhere_or_not_at_all() {
    let host = Installation::start();
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let _server = Server::start(folder.path(), port);
    let authority = folder.path().join("certificate.pem");
    let good = format!(
        "rediss://:{PASSWORD}@localhost:{port}/0?ssl_ca_certs={}",
        authority.display()
    );
    let file = folder.path().join("address");
    let source = format!("redis={}", file.display());
    let create =
        |words: &[&str]| host.run(&[&["project", "create", "new", "--outside", &source], words].concat());
    for (address, why, code) in [
        (
            good.replace(PASSWORD, "canary-other"),
            "does not accept the password",
            1,
        ),
        (good.replace(&port.to_string(), "1"), "cannot connect", 2),
    ] {
        std::fs::write(&file, address).unwrap();
        for words in [&["--with-storage"][..], &["--json"]] {
            let said = create(words).failed();
            assert_eq!(said.code, code, "{}", said.err);
            assert!(
                said.err.contains(why) && said.err.contains("nothing was made"),
                "{}",
                said.err
            );
            assert!(!said.all().contains("canary"), "{}", said.all());
            assert_eq!(host.run(&["project", "list", "--json"]).ok().json(), json!([]));
        }
    }
    std::fs::write(&file, &good).unwrap();
    let made = create(&["--json"]).ok();
    assert_eq!(made.json()["name"], "new");
    let pong = host.run(&["redis", "cli", "new", "--", "PING"]).ok();
    assert_eq!(pong.out.trim(), "PONG");
    // Once more, by the command that may be repeated.
    let again = [
        "provision",
        "new",
        "--no-db",
        "--no-auth",
        "--no-storage",
        "--outside",
        &source,
    ];
    let again = host.run(&again).ok();
    assert!(
        again.err.contains("`new` has a Redis, kept elsewhere."),
        "{}",
        again.err
    );
}
