//! A project that speaks to its Redis by Upstash's REST protocol, with Upstash's own library.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use hostkit_core::layout::Layout;
use hostkit_core::services::{ServiceName, ServiceRole};
use hostkit_testkit::{http, sdks};
use serde_json::Value;

use crate::harness::{Installation, kill, projects, wait_until};

/// A program that counts its visitors with `@upstash/redis`, which is told nothing but the variables, and tries nothing
/// twice.
fn counter(parent: &Path) -> PathBuf {
    let server = r#"
import http from 'node:http';
import { Redis } from '@upstash/redis';
const redis = Redis.fromEnv({ retry: false, enableTelemetry: false });
http.createServer(async (request, response) => {
  if (request.url !== '/count') return response.end('ok');
  try { response.end(String(await redis.incr('visitors'))); }
  catch (error) { response.writeHead(500).end(`${error} ${error.cause ?? ''}`); }
}).listen(Number(process.env.PORT), process.env.HOST);
"#;
    let start = format!("node --import \"{}\" server.mjs", sdks::node_resolver());
    let package =
        serde_json::json!({"name": "app", "version": "1.0.0", "scripts": {"start": start}}).to_string();
    projects::folder(
        parent,
        "counter",
        &[("server.mjs", server), ("package.json", &package)],
    )
}

/// A variable that the project's programs are told.
fn told(host: &Installation, project: &str, name: &str) -> String {
    let path = format!("projects/{project}/environments/production/.env");
    let text = std::fs::read_to_string(host.data().join(path)).unwrap();
    let begin = format!("{name}=");
    let value = text.lines().find_map(|line| line.strip_prefix(&begin));
    value.expect(name).trim_matches('"').to_owned()
}

fn ask(url: &str, token: &str, path: &str) -> (u16, String) {
    let port: u16 = url.trim_start_matches("http://127.0.0.1:").parse().unwrap();
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    let answer = http::raw(port, request.as_bytes());
    (answer.status, answer.body)
}

/// The process id of the gateway, by the state that its shim keeps.
fn gateway(host: &Installation) -> Option<u32> {
    let name = ServiceName {
        environment: None,
        role: ServiceRole::RedisRest,
    };
    let folder = Layout::new(host.data()).service(&name);
    let state: Value = serde_json::from_slice(&std::fs::read(folder.join("state.json")).ok()?).ok()?;
    u32::try_from(state["program"]["pid"].as_u64()?).ok()
}

#[test]
fn a_program_of_upstash_counts_through_a_rotation_and_the_gateway_comes_back() {
    let mut host = Installation::start();
    let folder = counter(&host.sources());
    for name in ["shop", "blog"] {
        host.run(&["project", "create", name, "--with-redis"]).ok();
        host.deploy(name, &folder).ok();
        assert_eq!(host.get(name, "/count").body, "1");
    }
    let of = |name: &str, variable: &str| told(&host, name, variable);
    let url = of("shop", "UPSTASH_REDIS_REST_URL");
    assert_eq!(url, of("blog", "UPSTASH_REDIS_REST_URL"));

    // A rotation under load: every request is answered, and counted once.
    let old = of("shop", "UPSTASH_REDIS_REST_TOKEN");
    let (over, answered) = (AtomicBool::new(false), AtomicU32::new(0));
    std::thread::scope(|scope| {
        let load = scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let answer = host.get("shop", "/count");
                assert_eq!(answer.status, 200, "{answer:?}");
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
        host.run(&["addon", "rotate", "shop", "redis"]).ok();
        wait_until("the end of the rotation", || {
            load.is_finished() || ask(&url, &old, "/ping").0 == 401
        });
        let before = answered.load(Ordering::Relaxed);
        wait_until("requests after it", || {
            load.is_finished() || answered.load(Ordering::Relaxed) > before + 20
        });
        over.store(true, Ordering::Relaxed);
        load.join().unwrap();
    });
    let token = of("shop", "UPSTASH_REDIS_REST_TOKEN");
    assert_ne!(token, old);
    let counted = 1 + answered.load(Ordering::Relaxed);
    let result = format!("{{\"result\":\"{counted}\"}}");
    assert_eq!(ask(&url, &token, "/get/visitors"), (200, result));

    // A token leads to one project's Redis, and a reader's changes nothing there.
    let theirs = of("blog", "UPSTASH_REDIS_REST_TOKEN");
    assert_eq!(ask(&url, &theirs, "/get/visitors").1, r#"{"result":"1"}"#);
    let reader = of("shop", "UPSTASH_REDIS_REST_READ_ONLY_TOKEN");
    assert_eq!(ask(&url, &reader, "/get/visitors").0, 200);
    let (status, said) = ask(&url, &reader, "/del/visitors");
    assert!(status == 400 && said.contains("NOPERM"), "{said}");

    // Killed, it comes back by itself, at the same place and with the same tokens.
    let pid = gateway(&host).unwrap();
    kill(pid);
    wait_until("the gateway after a kill", || {
        host.get("shop", "/count").body == (counted + 1).to_string()
    });
    assert_ne!(gateway(&host), Some(pid));

    // It outlives `down` and `up`, and goes with the last Redis.
    host.run(&["down"]).ok();
    assert_eq!(ask(&url, &token, "/ping").0, 0);
    host.up();
    wait_until("the gateway after `up`", || ask(&url, &token, "/ping").0 == 200);
    for name in ["shop", "blog"] {
        host.run(&["project", "delete", name, "--yes"]).ok();
    }
    assert_eq!(ask(&url, &token, "/ping").0, 0);
}
