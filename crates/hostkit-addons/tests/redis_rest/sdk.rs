//! Upstash's own libraries, as their users call them.

use std::path::Path;
use std::process::Command;

use hostkit_testkit::sdks;

use crate::house::{ALL, House, READER};

#[track_caller]
fn passes(script: &str) {
    let house = House::open();
    let script = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/redis_rest")
        .join(script);
    let output = Command::new("node")
        .arg("--import")
        .arg(sdks::node_resolver())
        .arg(script)
        .env(
            "UPSTASH_REDIS_REST_URL",
            format!("http://127.0.0.1:{}", house.port),
        )
        .env("UPSTASH_REDIS_REST_TOKEN", ALL)
        .env("READ_ONLY_TOKEN", READER)
        .env("UPSTASH_DISABLE_TELEMETRY", "1")
        .output()
        .unwrap_or_else(|why| panic!("cannot start `node`: {why}; `script/setup.sh` installs it"));
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success() && said.contains("all held"), "{said}");
}

#[test]
fn upstash_redis_works_unchanged() {
    passes("redis.mjs");
}

#[test]
fn upstash_ratelimit_works_unchanged() {
    passes("ratelimit.mjs");
}
