//! The Redis add-on with real servers: what its trait promises, and what hostile tenants try.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

mod conformance;
mod full_disk;
mod house;
mod outside;
mod rest;
mod sdk;
mod tenants;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hostkit_core::addon::AddonHealth;
use hostkit_core::kind::Kind;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::Addon;
use hostkit_host::processes;
use nix::sys::signal::Signal;
use redis::aio::MultiplexedConnection;

use house::{House, PATH, ask, credential, name, order};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_is_there_and_a_second_time_nothing_changes() {
    let (house, order) = (House::new(), order("shop"));
    let before = house.addon.observe(&order).await.unwrap();
    assert!(matches!(before.health, AddonHealth::Down(_)), "{before:?}");
    house.addon.ensure(&order).await.unwrap();
    let pid = house.pid(&order).await;
    let mut connection = house.connect(&order).await;
    ask(&mut connection, "SET k v").await.unwrap();
    house.addon.ensure(&order).await.unwrap();
    assert_eq!(house.pid(&order).await, pid);
    // The connection is still the same one, too.
    let value: String = redis::cmd("GET")
        .arg("k")
        .query_async(&mut connection)
        .await
        .unwrap();
    assert_eq!(value, "v");
    let state = house.addon.observe(&order).await.unwrap();
    assert_eq!(state.health, AddonHealth::Ready);
    assert!(state.version.is_some_and(|version| version.contains('.')));
    assert!(state.memory.is_some_and(|bytes| bytes > 0));
    let variables = house.addon.variables(&order);
    let names: Vec<&str> = variables.keys().map(|name| name.as_str()).collect();
    let of_the_server = ["CELERY_BROKER_URL", "CELERY_RESULT_BACKEND", "REDIS_URL"];
    assert!(of_the_server.iter().all(|name| names.contains(name)), "{names:?}");
    // Those of the REST protocol are there, too, and all were announced.
    let mut announced = house.addon.variable_names();
    announced.sort();
    assert_eq!(announced, variables.keys().cloned().collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_it_comes_back_by_itself_with_every_write_it_answered() {
    let (house, order) = (House::new(), order("shop"));
    house.addon.ensure(&order).await.unwrap();
    let mut writer = house.connect(&order).await;
    let pid = house.pid(&order).await;
    let mut answered = 0;
    while redis::cmd("SET")
        .arg(answered)
        .arg("v")
        .query_async::<()>(&mut writer)
        .await
        .is_ok()
    {
        answered += 1;
        if answered == 500 {
            // Still asked while it dies.
            std::thread::spawn(move || processes::signal(pid, Signal::SIGKILL));
        }
    }
    let deadline = Instant::now() + Duration::from_secs(60);
    // A server that reads its data lets in, and answers nothing else yet.
    let mut reader = loop {
        let connected = async {
            let mut connection = house.client(&order).get_multiplexed_async_connection().await?;
            ask(&mut connection, "PING").await?;
            Ok::<_, redis::RedisError>(connection)
        };
        match connected.await {
            Ok(connection) => break connection,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(answered >= 500);
    let keys: Vec<u32> = (0..answered).collect();
    let there: u32 = redis::cmd("EXISTS")
        .arg(keys)
        .query_async(&mut reader)
        .await
        .unwrap();
    assert_eq!(there, answered);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_fails_no_command_and_cuts_off_just_the_old_credential() {
    let (house, first) = (House::new(), order("shop"));
    house.addon.ensure(&first).await.unwrap();
    let mut both = first.clone();
    both.credentials.insert(0, credential(2, "two"));
    let mut only = both.clone();
    only.credentials.pop();
    let over = Arc::new(AtomicBool::new(false));
    let counted = Arc::new(AtomicU32::new(0));
    let load = |mut connection: MultiplexedConnection| {
        let (over, counted) = (over.clone(), counted.clone());
        tokio::spawn(async move {
            while !over.load(Ordering::Relaxed) {
                ask(&mut connection, "INCR n").await?;
                counted.fetch_add(1, Ordering::Relaxed);
            }
            Ok::<(), redis::RedisError>(())
        })
    };
    let progress = async || {
        let before = counted.load(Ordering::Relaxed);
        while counted.load(Ordering::Relaxed) < before + 100 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let mut old = house.connect(&first).await;
    let early = load(old.clone());
    progress().await;
    house.addon.ensure(&both).await.unwrap();
    let late = load(house.connect(&both).await);
    progress().await;
    assert!(!early.is_finished());
    house.addon.ensure(&only).await.unwrap();
    assert!(early.await.unwrap().is_err());
    progress().await;
    over.store(true, Ordering::Relaxed);
    late.await.unwrap().unwrap();
    assert!(ask(&mut old, "GET n").await.is_err());
    let old = house.client(&first);
    assert!(old.get_multiplexed_async_connection().await.is_err());
    // Also after a new start.
    house.kill(&only).await;
    house.addon.ensure(&only).await.unwrap();
    assert!(old.get_multiplexed_async_connection().await.is_err());
    ask(&mut house.connect(&only).await, "GET n").await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_too_much_for_it_pushes_out_what_was_used_least() {
    let (house, mut order) = (House::new(), order("shop"));
    order.settings.memory = Some(ByteSize::mib(1));
    let refused = house.addon.ensure(&order).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Invalid, "{refused}");
    order.settings.memory = Some(ByteSize::mib(4));
    house.addon.ensure(&order).await.unwrap();
    let mut connection = house.connect(&order).await;
    let value = "x".repeat(100_000);
    for key in 0..100 {
        let mut set = redis::cmd("SET");
        set.arg(key)
            .arg(&value)
            .query_async::<()>(&mut connection)
            .await
            .unwrap();
    }
    let kept: u32 = redis::cmd("DBSIZE").query_async(&mut connection).await.unwrap();
    assert!(0 < kept && kept < 50, "{kept}");
    // Unless nothing may be lost: then writes are refused, and what is there stays.
    order.settings.keep_all = true;
    house.addon.ensure(&order).await.unwrap();
    let mut connection = house.connect(&order).await;
    let before: u32 = redis::cmd("DBSIZE").query_async(&mut connection).await.unwrap();
    let mut last = Ok(());
    for key in 100..200 {
        last = redis::cmd("SET")
            .arg(key)
            .arg(&value)
            .query_async::<()>(&mut connection)
            .await;
        if last.is_err() {
            break;
        }
    }
    assert!(last.unwrap_err().to_string().contains("maxmemory"));
    let after: u32 = redis::cmd("DBSIZE").query_async(&mut connection).await.unwrap();
    assert!(after >= before, "{before} {after}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lost_its_data_is_not_replaced_by_an_empty_one() {
    let (house, order) = (House::new(), order("shop"));
    house.addon.ensure(&order).await.unwrap();
    house.services().stop(&name(&order)).await.unwrap();
    let data = house.place(&order).data;
    std::fs::rename(&data, data.with_extension("lost")).unwrap();
    let refused = house.addon.ensure(&order).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(refused.message.contains("are gone"), "{refused}");
    std::fs::rename(data.with_extension("lost"), &data).unwrap();
    house.addon.ensure(&order).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn why_a_server_does_not_start_is_told() {
    let (house, order) = (House::new(), order("shop"));
    house.addon.ensure(&order).await.unwrap();
    house.services().stop(&name(&order)).await.unwrap();
    // A file that is not what Redis wrote.
    let folder = house.place(&order).data.join("appendonlydir");
    std::fs::write(folder.join("appendonly.aof.manifest"), "nonsense\n").unwrap();
    let refused = house.addon.ensure(&order).await.unwrap_err();
    assert_eq!(refused.kind, Kind::Unavailable);
    assert!(refused.message.contains("server ended"), "{refused}");
    let state = house.addon.observe(&order).await.unwrap();
    assert!(matches!(state.health, AddonHealth::Down(why) if why.contains("server ended")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn removed_it_is_gone_with_its_data() {
    let (house, order) = (House::new(), order("shop"));
    house.addon.remove(&order.id).await.unwrap();
    house.addon.ensure(&order).await.unwrap();
    let (pid, place) = (house.pid(&order).await, house.place(&order));
    house.addon.remove(&order.id).await.unwrap();
    house.addon.remove(&order.id).await.unwrap();
    assert!(processes::start_time(pid).is_none());
    assert!(!place.data.exists() && !place.configuration.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_console_needs_no_password_in_its_arguments() {
    let (house, order) = (House::new(), order("shop"));
    house.addon.ensure(&order).await.unwrap();
    let words = ["ECHO".to_owned(), "hello".to_owned()];
    let console = house.addon.console(&order, &words).unwrap();
    let secret = order.credentials[0].secret.reveal();
    assert!(!console.arguments.concat().contains(secret));
    let variables = console.variables.iter();
    let printed = std::process::Command::new(&console.arguments[0])
        .args(&console.arguments[1..])
        .env_clear()
        .env("PATH", PATH)
        .envs(variables.map(|(name, value)| (name.to_string(), value.reveal().to_owned())))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&printed.stdout), "hello\n", "{printed:?}");
}
