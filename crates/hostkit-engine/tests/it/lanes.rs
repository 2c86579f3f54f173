//! Who runs when.

use std::time::Duration;

use hostkit_core::deployment::{Act, DeploymentState};
use hostkit_core::names::ProjectName;

use crate::bench::{World, shop, succeeds, until};

#[tokio::test]
async fn the_newest_waiting_deploy_wins_and_the_skipped_one_says_so() {
    let world = World::new();
    let engine = world.with_shop().await;
    world.builder.faults.block("build");
    let here = shop();
    let submit = |text: &'static str| engine.submit(&here, world.deploy(&[("a", text)]), "test");
    let first = submit("1").await.unwrap();
    until("the build", || world.journal.count("build") > 0).await;
    let second = submit("2").await.unwrap();
    let third = submit("3").await.unwrap();
    let skipped = engine.wait(second.id).await.unwrap();
    assert_eq!(
        (skipped.state, skipped.skipped_for),
        (DeploymentState::Skipped, Some(third.id))
    );
    world.builder.faults.release("build");
    assert_eq!(
        engine.wait(first.id).await.unwrap().state,
        DeploymentState::Succeeded
    );
    let last = engine.wait(third.id).await.unwrap();
    assert_eq!(last.state, DeploymentState::Succeeded);
    world
        .assert_serves(last.release.as_ref().unwrap(), &["web.3.1"])
        .await;
}

#[tokio::test]
async fn builds_wait_for_their_slot_and_other_acts_do_not() {
    let world = World::new();
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    let other: ProjectName = "other".parse().unwrap();
    engine.create_project(&other).await.unwrap();
    let mut there = shop();
    there.project = other.clone();
    world.builder.faults.block("build");
    let source = world.sources.add(&other, &[("a", "1")]);
    let building = engine
        .submit(&there, Act::Deploy { source, canary: None }, "test")
        .await
        .unwrap();
    until("the build", || world.journal.count("build") > 1).await;
    // No slot is needed to restart.
    succeeds(&engine, Act::Restart).await;
    let waiting = engine
        .submit(&shop(), world.deploy(&[("a", "2")]), "test")
        .await
        .unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(
        world.store.deployment(waiting.id).unwrap().state,
        DeploymentState::Queued
    );
    // Even one that waits for its slot gives way to a newer one.
    let newer = engine
        .submit(&shop(), world.deploy(&[("a", "3")]), "test")
        .await
        .unwrap();
    assert_eq!(
        engine.wait(waiting.id).await.unwrap().state,
        DeploymentState::Skipped
    );
    world.builder.faults.release("build");
    for id in [building.id, newer.id] {
        assert_eq!(engine.wait(id).await.unwrap().state, DeploymentState::Succeeded);
    }
}

#[tokio::test]
async fn acts_of_one_environment_run_in_order() {
    let world = World::new();
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(engine.submit(&shop(), Act::Restart, "test").await.unwrap().id);
    }
    let mut ends = Vec::new();
    for id in ids {
        let deployment = engine.wait(id).await.unwrap();
        assert_eq!(
            deployment.state,
            DeploymentState::Succeeded,
            "{:?}",
            deployment.failure
        );
        ends.push(deployment.steps[0].started_at);
    }
    assert!(ends.is_sorted());
    assert_eq!(world.running(), ["web.6.1"]);
}
