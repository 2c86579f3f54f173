//! Libraries that others wrote, unchanged, on the native port: ioredis, redis-py, BullMQ and Celery. They are told what a
//! binding gives, and nothing else.

use std::path::Path;
use std::process::Command;

use hostkit_core::traits::Addon;
use hostkit_testkit::sdks;

use crate::house::{House, PATH, order};

/// Runs a program that ends with the words that all of it held.
async fn passes(mut command: Command) {
    let house = House::new();
    let mut order = order("shop");
    // As a queue wants it; BullMQ and Celery say so where it is not.
    order.settings.keep_all = true;
    house.addon.ensure(&order).await.unwrap();
    let variables = house.addon.variables(&order);
    let told = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.reveal()));
    command
        .env_clear()
        .env("PATH", PATH)
        .env("LC_ALL", "C.UTF-8")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/redis/sdk"))
        .envs(told);
    let output = tokio::task::spawn_blocking(move || command.output())
        .await
        .unwrap()
        .unwrap_or_else(|why| panic!("cannot start it: {why}; `script/setup.sh` installs it"));
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("all held"), "{said}");
}

fn node(script: &str) -> Command {
    let mut command = Command::new("node");
    command.arg("--import").arg(sdks::node_resolver()).arg(script);
    command
}

fn python(script: &str) -> Command {
    let mut command = Command::new(sdks::python());
    // Python would leave what it compiled beside the scripts.
    command.arg("-B").arg(script);
    command
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ioredis_works_unchanged() {
    passes(node("ioredis.mjs")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bullmq_works_unchanged() {
    passes(node("bullmq.mjs")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_py_works_unchanged() {
    passes(python("redis_py.py")).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn celery_works_unchanged() {
    passes(python("celery_app.py")).await;
}
