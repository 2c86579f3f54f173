//! A full disk: told to who writes and to who looks, and nothing is broken by it.

use std::time::{Duration, Instant};

use hostkit_core::addon::AddonHealth;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::Addon;
use hostkit_testkit::small_disk;
use redis::RedisResult;
use redis::aio::MultiplexedConnection;

use crate::house::{House, order};

const VALUE: usize = 100_000;

async fn write(connection: &mut MultiplexedConnection, key: u32) -> RedisResult<()> {
    let mut set = redis::cmd("SET");
    let value = vec![u8::try_from(key % 256).unwrap(); VALUE];
    set.arg(key).arg(value).query_async(connection).await
}

/// How many of the first keys are there as they were written.
async fn whole(connection: &mut MultiplexedConnection, keys: u32) -> u32 {
    let mut whole = 0;
    for key in 0..keys {
        let mut get = redis::cmd("GET");
        let value: Option<Vec<u8>> = get.arg(key).query_async(connection).await.unwrap();
        let written = value.is_some_and(|v| v.len() == VALUE && v.iter().all(|b| u32::from(*b) == key % 256));
        whole += u32::from(written);
    }
    whole
}

#[test]
fn writes_are_refused_while_a_disk_is_full_and_nothing_answered_is_lost() {
    if !small_disk::inside_own_mounts(
        "full_disk::writes_are_refused_while_a_disk_is_full_and_nothing_answered_is_lost",
    ) {
        return;
    }
    tokio::runtime::Runtime::new().unwrap().block_on(fill_the_disk());
}

async fn fill_the_disk() {
    let small = tempfile::tempdir().unwrap();
    small_disk::mount(small.path(), 40 << 10);
    let ballast = small.path().join("ballast");
    std::fs::write(&ballast, vec![0; 20 << 20]).unwrap();
    let (house, mut order) = (House::inside(small.path()), order("shop"));
    order.settings.memory = Some(ByteSize::mib(200));
    order.settings.keep_all = true;
    house.addon.ensure(&order).await.unwrap();
    let mut connection = house.connect(&order).await;
    let mut answered = 0;
    let refused = loop {
        match write(&mut connection, answered).await {
            Ok(()) => answered += 1,
            Err(why) => break why.to_string(),
        }
    };
    assert!(refused.contains("No space left on device"), "{refused}");
    assert!(answered > 100, "{answered}");
    // It says so of itself, and goes on for readers.
    let state = house.addon.observe(&order).await.unwrap();
    assert!(
        matches!(&state.health, AddonHealth::Down(why) if why.contains("No space left on device")),
        "{state:?}"
    );
    assert_eq!(whole(&mut connection, answered).await, answered);

    std::fs::remove_file(&ballast).unwrap();
    // It takes writes again by itself.
    let deadline = Instant::now() + Duration::from_secs(30);
    while let Err(why) = write(&mut connection, answered).await {
        assert!(Instant::now() < deadline, "{why}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    answered += 1;
    assert_eq!(
        house.addon.observe(&order).await.unwrap().health,
        AddonHealth::Ready
    );
    house.kill(&order).await;
    house.addon.ensure(&order).await.unwrap();
    assert_eq!(whole(&mut house.connect(&order).await, answered).await, answered);
}
