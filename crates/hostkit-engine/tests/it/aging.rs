//! Old secrets are told of, and not every day.

use std::time::Duration;

use hostkit_core::event::What;
use hostkit_store::EventQuery;

use crate::bench::{World, shop, variables};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn told(world: &World) -> Vec<Vec<String>> {
    let events = world.store.events(&EventQuery::default()).unwrap();
    let names = events.into_iter().filter_map(|event| match event.what {
        What::SecretsOld { names } => Some(names),
        _ => None,
    });
    names.collect()
}

/// What was told once a control process that starts now has looked.
async fn told_after_a_start(world: &World, wanted: usize) -> Vec<Vec<String>> {
    let engine = world.engine().await;
    for _ in 0..100 {
        if told(world).len() >= wanted {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    // One more than is right would come as soon.
    tokio::time::sleep(Duration::from_millis(200)).await;
    engine.stop().await;
    told(world)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_old_secret_is_told_of_once_a_week_until_it_is_replaced() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    let set = variables(&[("JWT_SECRET", "a value that nobody is told"), ("COLOUR", "red")]);
    world.store.change_variables(&shop(), &set, &[], "cli").unwrap();
    engine.stop().await;

    world.clock.advance(89 * DAY);
    assert_eq!(told_after_a_start(&world, 0).await.len(), 0);
    world.clock.advance(2 * DAY);
    assert_eq!(told_after_a_start(&world, 1).await, [["JWT_SECRET"]]);
    world.clock.advance(6 * DAY);
    assert_eq!(told_after_a_start(&world, 1).await.len(), 1);
    world.clock.advance(2 * DAY);
    assert_eq!(told_after_a_start(&world, 2).await.len(), 2);

    let set = variables(&[("JWT_SECRET", "another value")]);
    world.store.change_variables(&shop(), &set, &[], "cli").unwrap();
    world.clock.advance(30 * DAY);
    assert_eq!(told_after_a_start(&world, 2).await.len(), 2);
    let findings = world.engine().await.doctor_of(&shop()).await.unwrap();
    assert!(findings.iter().all(|finding| finding.subject != "old secrets"));
}
