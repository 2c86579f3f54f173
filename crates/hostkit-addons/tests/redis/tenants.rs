//! What the programs of a project may do with its server, and what with that of another.

use futures_util::StreamExt;
use hostkit_core::traits::Addon;
use redis::Client;

use crate::house::{House, ask, credential, order};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tenant_can_neither_rule_the_server_nor_leave_it() {
    let (house, order) = (House::new(), order("shop"));
    house.addon.ensure(&order).await.unwrap();
    let mut tenant = house.connect(&order).await;
    for attempt in [
        "CONFIG SET dir /tmp",
        "CONFIG GET *",
        "CONFIG REWRITE",
        "ACL SETUSER shop-1 +@all",
        "ACL SETUSER evil on nopass ~* +@all",
        "ACL LIST",
        "ACL LOAD",
        "MODULE LOAD /tmp/evil.so",
        "DEBUG SLEEP 0",
        "SHUTDOWN NOSAVE",
        "REPLICAOF 127.0.0.1 1",
        "SLAVEOF 127.0.0.1 1",
        "MIGRATE 127.0.0.1 1 k 0 10",
        "RESTORE k 0 x",
        "SAVE",
        "BGSAVE",
        "BGREWRITEAOF",
        "CLIENT KILL TYPE normal",
        "CLIENT PAUSE 100000",
        "CLIENT NO-EVICT on",
        "FAILOVER",
        "CLUSTER MEET 127.0.0.1 1",
        "SYNC",
        "PSYNC ? -1",
        "LATENCY RESET",
        "SLOWLOG RESET",
        // What a script calls is judged like what its caller calls.
        "EVAL redis.call('CONFIG','GET','*') 0",
        "EVAL return(os.execute('id')) 0",
        "EVAL return(io.open('/etc/passwd')) 0",
        "EVAL return(package.loadlib('/lib/x86_64-linux-gnu/liblua5.1.so.0','luaopen_io')) 0",
    ] {
        let failure = ask(&mut tenant, attempt).await.expect_err(attempt).to_string();
        let is_refused = [
            "permissions",
            "nonexistent global variable",
            "not allowed from script",
            "command not allowed",
        ]
        .iter()
        .any(|word| failure.contains(word));
        let is_no_function = failure.contains("attempt to");
        assert!(is_refused || is_no_function, "{attempt}: {failure}");
    }
    for allowed in [
        "INFO server",
        "KEYS *",
        "SET k v",
        "SORT list",
        "CLIENT SETNAME worker",
        "CLIENT LIST",
        "EVAL return(1) 0",
        "PUBLISH c m",
        "FLUSHDB",
        "FLUSHALL",
        "COMMAND COUNT",
    ] {
        ask(&mut tenant, allowed).await.expect(allowed);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_let_in_without_the_credential_of_this_very_server() {
    let house = House::new();
    let (shop, blog) = (order("shop"), order("blog"));
    let (one, other) = tokio::join!(house.addon.ensure(&shop), house.addon.ensure(&blog));
    one.unwrap();
    other.unwrap();
    let port = blog.port.unwrap();
    let theirs = shop.credentials[0].secret.reveal();
    let own = blog.credentials[0].secret.reveal();
    for login in [
        String::new(),
        format!(":{theirs}@"),
        format!(":{own}@"),
        format!("shop-1:{theirs}@"),
        format!("blog-1:{theirs}@"),
        format!("default:{own}@"),
        format!("hostkit:{own}@"),
        "blog-1@".to_owned(),
    ] {
        let client = Client::open(format!("redis://{login}127.0.0.1:{port}/0")).unwrap();
        let refused = match client.get_multiplexed_async_connection().await {
            Ok(mut connection) => ask(&mut connection, "GET k").await.is_err(),
            Err(_) => true,
        };
        assert!(refused, "{login}");
    }
    ask(&mut house.connect(&blog).await, "GET k").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_lies_where_it_can_be_read() {
    let (house, order) = (House::new(), order("shop"));
    house.addon.ensure(&order).await.unwrap();
    let process = format!("/proc/{}", house.pid(&order).await);
    let configuration = house.place(&order).configuration;
    let places = [
        format!("{process}/cmdline").into(),
        format!("{process}/environ").into(),
        configuration.join("redis.conf"),
        configuration.join("users.acl"),
    ];
    for place in places {
        let text = std::fs::read_to_string(&place).unwrap();
        for secret in [&order.operator, &order.credentials[0].secret] {
            assert!(!text.contains(secret.reveal()), "{}", place.display());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_all_commands_sees_no_secret() {
    let (house, shop) = (House::new(), order("shop"));
    house.addon.ensure(&shop).await.unwrap();
    let monitor = house.client(&shop).get_async_monitor().await.unwrap();
    // HostKit and the project log in, a credential comes, another one goes.
    let mut both = shop.clone();
    both.credentials.insert(0, credential(2, "two"));
    house.addon.ensure(&both).await.unwrap();
    house.addon.observe(&both).await.unwrap();
    ask(&mut house.connect(&both).await, "GET last").await.unwrap();
    let mut lines = std::pin::pin!(monitor.into_on_message::<String>());
    let mut seen = String::new();
    while !seen.contains("\"last\"") {
        seen.push_str(&lines.next().await.unwrap());
    }
    let secrets = both.credentials.iter().map(|one| &one.secret);
    for secret in secrets.chain([&both.operator]) {
        assert!(!seen.contains(secret.reveal()), "{seen}");
    }
}
