//! The REST protocol of a Redis: who may do what with which token.

use std::time::{Duration, Instant};

use hostkit_core::addon::AddonOrder;
use hostkit_core::services::{ServiceName, ServiceRole};
use hostkit_core::traits::Addon;
use hostkit_testkit::http;

use crate::house::{House, credential, kill, order};

const GATEWAY: ServiceName = ServiceName {
    environment: None,
    role: ServiceRole::RedisRest,
};

/// What programs are told.
struct Told {
    port: u16,
    token: String,
    reader: String,
}

fn told(house: &House, order: &AddonOrder) -> Told {
    let variables = house.addon.variables(order);
    let value = |name: &str| {
        let found = variables.iter().find(|(known, _)| known.as_str() == name);
        found.expect(name).1.reveal().to_owned()
    };
    assert_eq!(value("KV_REST_API_URL"), value("UPSTASH_REDIS_REST_URL"));
    assert_eq!(value("KV_REST_API_TOKEN"), value("UPSTASH_REDIS_REST_TOKEN"));
    Told {
        port: value("UPSTASH_REDIS_REST_URL")
            .trim_start_matches("http://127.0.0.1:")
            .parse()
            .unwrap(),
        token: value("UPSTASH_REDIS_REST_TOKEN"),
        reader: value("UPSTASH_REDIS_REST_READ_ONLY_TOKEN"),
    }
}

fn ask(port: u16, token: &str, path: &str) -> (u16, String) {
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    let answer = http::raw(port, request.as_bytes());
    (answer.status, answer.body)
}

fn wait_until_refused(port: u16, token: &str) {
    let begun = Instant::now();
    while ask(port, token, "/ping").0 != 401 {
        assert!(begun.elapsed() < Duration::from_secs(30), "it is still accepted");
        std::thread::sleep(Duration::from_millis(5));
    }
}

async fn gateway(house: &House) -> Option<u32> {
    house.services().observe(&GATEWAY).await.unwrap()?.pid
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_gateway_has_a_way_to_each_project_for_its_own_tokens() {
    let (house, shop, blog) = (House::new(), order("shop"), order("blog"));
    let (one, other) = tokio::join!(house.addon.ensure(&shop), house.addon.ensure(&blog));
    one.unwrap();
    other.unwrap();
    let (of_shop, of_blog) = (told(&house, &shop), told(&house, &blog));
    assert_eq!(of_shop.port, of_blog.port);
    let port = of_shop.port;
    assert_eq!(ask(port, &of_shop.token, "/set/whose/shop").0, 200);
    assert_eq!(ask(port, &of_blog.token, "/get/whose").1, r#"{"result":null}"#);
    // What is derived from a secret is not that secret.
    for wrong in [
        "",
        "x",
        shop.credentials[0].secret.reveal(),
        shop.operator.reveal(),
    ] {
        assert_eq!(ask(port, wrong, "/get/whose").0, 401, "{wrong}");
    }

    // Gone with its project, and the gateway with the last one.
    let pid = gateway(&house).await;
    house.addon.remove(&shop.id).await.unwrap();
    assert_eq!(gateway(&house).await, pid);
    assert_eq!(ask(port, &of_blog.token, "/ping").0, 200);
    wait_until_refused(port, &of_shop.token);
    house.addon.remove(&blog.id).await.unwrap();
    assert_eq!(gateway(&house).await, None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_reader_reads_and_does_nothing_else() {
    let (house, shop) = (House::new(), order("shop"));
    house.addon.ensure(&shop).await.unwrap();
    let Told { port, token, reader } = told(&house, &shop);
    assert_eq!(ask(port, &token, "/set/k/v").0, 200);
    assert_eq!(ask(port, &reader, "/get/k").1, r#"{"result":"v"}"#);
    assert_eq!(ask(port, &reader, "/ping").0, 200);
    for refused in [
        "/set/k/w",
        "/del/k",
        "/expire/k/1",
        "/flushdb",
        "/keys/*",
        "/scan/0",
        "/eval/return(1)/0",
        "/eval_ro/return(1)/0",
        "/script/load/return(1)",
        "/publish/c/m",
        "/subscribe/c",
        "/monitor",
        "/config/get/*",
        "/acl/whoami",
        "/info",
        "/client/list",
    ] {
        let (status, said) = ask(port, &reader, refused);
        assert!(
            status == 400 && said.contains("NOPERM"),
            "{refused}: {status} {said}"
        );
    }
    assert_eq!(ask(port, &token, "/get/k").1, r#"{"result":"v"}"#);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_follow_the_credentials_and_the_gateway_comes_back_with_them() {
    let (house, first) = (House::new(), order("shop"));
    house.addon.ensure(&first).await.unwrap();
    let old = told(&house, &first);
    let mut both = first.clone();
    both.credentials.insert(0, credential(2, "two"));
    house.addon.ensure(&both).await.unwrap();
    let new = told(&house, &both);
    assert_eq!(old.port, new.port);
    for token in [&old.token, &old.reader, &new.token, &new.reader] {
        assert_eq!(ask(new.port, token, "/get/k").0, 200);
    }
    let pid = gateway(&house).await.unwrap();
    let mut only = both.clone();
    only.credentials.pop();
    house.addon.ensure(&only).await.unwrap();
    assert_eq!(gateway(&house).await, Some(pid));
    wait_until_refused(new.port, &old.token);
    kill(pid).await;
    house.addon.ensure(&only).await.unwrap();
    assert_ne!(gateway(&house).await, Some(pid));
    assert_eq!(ask(new.port, &new.reader, "/get/k").0, 200);
    assert_eq!(ask(new.port, &old.reader, "/get/k").0, 401);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_files_of_the_gateway_are_for_nobody_else_and_its_arguments_say_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let (house, shop) = (House::new(), order("shop"));
    house.addon.ensure(&shop).await.unwrap();
    let Told { token, reader, .. } = told(&house, &shop);
    let place = house.services().place(&GATEWAY).configuration;
    let settings = place.join("settings.json");
    assert_eq!(settings.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    let text = std::fs::read_to_string(settings).unwrap();
    let process = format!("/proc/{}", gateway(&house).await.unwrap());
    let read = |name: &str| std::fs::read_to_string(format!("{process}/{name}")).unwrap();
    for (what, text) in [
        ("settings", text),
        ("arguments", read("cmdline")),
        ("environment", read("environ")),
    ] {
        assert!(!text.contains(&token) && !text.contains(&reader), "{what}");
    }
    assert!(!read("cmdline").contains(shop.credentials[0].secret.reveal()));
}
