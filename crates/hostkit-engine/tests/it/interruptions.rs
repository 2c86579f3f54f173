//! The control process goes away between every two steps, and comes back.

use hostkit_core::deployment::{Act, DeploymentState, StepName, StepState};
use hostkit_engine::faults::{Fault, Moment};

use crate::bench::{World, process, shop, succeeds, until};

/// Submits an act that is interrupted at a moment; stops the engine there.
async fn interrupted(
    world: &World,
    engine: &hostkit_engine::Engine,
    act: Act,
    moment: Moment,
    step: StepName,
) -> u64 {
    world.settings.faults.add(Fault::Halt, moment, step);
    let deployment = engine.submit(&shop(), act, "test").await.unwrap();
    let reached = || {
        let now = world.store.deployment(deployment.id).unwrap();
        now.steps.last().is_some_and(|s| s.name == step)
    };
    until("the interruption", reached).await;
    until("the fault", || world.settings.faults.is_empty()).await;
    engine.stop().await;
    deployment.id
}

#[tokio::test]
async fn a_deploy_is_taken_up_at_every_step() {
    for step in StepName::ALL {
        for moment in [Moment::Before, Moment::After] {
            let world = World::new();
            let engine = world.with_shop().await;
            succeeds(&engine, world.deploy(&[("a", "1")])).await;
            let act = world.deploy(&[("a", "2")]);
            let id = interrupted(&world, &engine, act, moment, step).await;
            let engine = world.engine().await;
            let ended = engine.wait(id).await.unwrap();
            assert_eq!(
                ended.state,
                DeploymentState::Succeeded,
                "{step} {moment:?}: {:?}",
                ended.failure
            );
            world
                .assert_serves(ended.release.as_ref().unwrap(), &["web.2.1"])
                .await;
            assert_eq!(world.folders().len(), 2, "{step} {moment:?}");
            engine.stop().await;
        }
    }
}

#[tokio::test]
async fn a_loss_of_power_at_every_step_ends_with_the_new_release() {
    for step in StepName::ALL {
        let world = World::new();
        let engine = world.with_shop().await;
        succeeds(&engine, world.deploy(&[("a", "1")])).await;
        let act = world.deploy(&[("a", "2")]);
        let id = interrupted(&world, &engine, act, Moment::Before, step).await;
        world.lose_power();
        let engine = world.engine().await;
        let ended = engine.wait(id).await.unwrap();
        assert_eq!(
            ended.state,
            DeploymentState::Succeeded,
            "{step}: {:?}",
            ended.failure
        );
        world
            .assert_serves(ended.release.as_ref().unwrap(), &["web.2.1"])
            .await;
        let release = world.layout().release(&shop(), &ended.release.unwrap());
        assert_eq!(std::fs::read_to_string(release.join("a")).unwrap(), "2", "{step}");
        engine.stop().await;
    }
}

#[tokio::test]
async fn every_other_act_is_taken_up_too() {
    for step in StepName::ALL.into_iter().skip_while(|s| *s < StepName::Prepare) {
        let world = World::new();
        let engine = world.with_shop().await;
        let first = succeeds(&engine, world.deploy(&[("a", "1")]))
            .await
            .release
            .unwrap();
        let act = Act::Scale {
            process: process("web"),
            count: 2,
        };
        let id = interrupted(&world, &engine, act, Moment::After, step).await;
        let engine = world.engine().await;
        assert_eq!(
            engine.wait(id).await.unwrap().state,
            DeploymentState::Succeeded,
            "{step}"
        );
        world.assert_serves(&first, &["web.1.1", "web.1.2"]).await;
        let id = interrupted(&world, &engine, Act::Stop, Moment::After, step).await;
        let engine = world.engine().await;
        assert_eq!(
            engine.wait(id).await.unwrap().state,
            DeploymentState::Succeeded,
            "{step}"
        );
        assert_eq!(world.running(), Vec::<String>::new());
        let id = interrupted(&world, &engine, Act::Start, Moment::Before, step).await;
        let engine = world.engine().await;
        let ended = engine.wait(id).await.unwrap();
        assert_eq!(
            ended.state,
            DeploymentState::Succeeded,
            "{step}: {:?}",
            ended.failure
        );
        world
            .assert_serves(
                &first,
                &["web.4.1", "web.4.2"]
                    .map(|s| s.replace('4', &id.to_string()))
                    .each_ref()
                    .map(String::as_str),
            )
            .await;
        engine.stop().await;
    }
}

#[tokio::test]
async fn what_failed_is_undone_to_its_end_by_the_next_start() {
    let world = World::new();
    let (engine, live) = world.with_live_shop().await;
    engine.stop().await;
    for step in [StepName::Check, StepName::Switch] {
        let engine = world.engine().await;
        world.settings.faults.add(Fault::Fail, Moment::After, step);
        world.runtime.faults.block("remove");
        world.journal.clear();
        let act = world.deploy(&[("a", "2")]);
        let id = engine.submit(&shop(), act, "test").await.unwrap().id;
        until("the undo", || world.journal.count("remove") > 0).await;
        engine.stop().await;
        world.runtime.faults.release("remove");
        // Twice: also the second start is interrupted.
        world.runtime.faults.block("remove");
        world.journal.clear();
        let engine = world.engine().await;
        until("the undo", || world.journal.count("remove") > 0).await;
        engine.stop().await;
        world.runtime.faults.release("remove");
        let engine = world.engine().await;
        let ended = engine.wait(id).await.unwrap();
        assert_eq!(ended.state, DeploymentState::Failed, "{step}");
        let why = ended.failure.unwrap().message;
        assert!(why.contains("a test wants it to fail"), "{step}: {why}");
        until("the end", || {
            world.running() == ["web.1.1"] && world.folders().len() == 1
        })
        .await;
        world.assert_serves(&live, &["web.1.1"]).await;
        engine.stop().await;
    }
}

#[tokio::test]
async fn an_automatic_rollback_is_asked_for_once_whatever_happens_meanwhile() {
    for moment in [Moment::Before, Moment::Failed] {
        let world = World::new();
        let (engine, live) = world.with_live_shop().await;
        let faults = &world.settings.faults;
        if moment == Moment::Failed {
            faults.add(Fault::Fail, Moment::Before, StepName::Confirm);
        }
        faults.add(Fault::Halt, moment, StepName::Confirm);
        let act = world.deploy(&[("a", "2")]);
        let id = engine.submit(&shop(), act, "test").await.unwrap().id;
        until("the interruption", || faults.is_empty()).await;
        engine.stop().await;
        // After the first kind of interruption it fails at the next start, twice interrupted.
        if moment == Moment::Before {
            faults.add(Fault::Fail, Moment::Before, StepName::Confirm);
            faults.add(Fault::Halt, Moment::Failed, StepName::Confirm);
            let engine = world.engine().await;
            until("the second interruption", || faults.is_empty()).await;
            engine.stop().await;
        }
        let engine = world.engine().await;
        let ended = engine.wait(id).await.unwrap();
        assert_eq!(ended.state, DeploymentState::Failed);
        let details = ended.failure.unwrap().details;
        let word = format!("deployment {} goes back to release {live}", id + 1);
        assert_eq!(details.iter().filter(|d| **d == word).count(), 1, "{details:?}");
        assert_eq!(ended.steps.last().unwrap().state, StepState::Failed);
        let back = engine.wait(id + 1).await.unwrap();
        assert_eq!(back.state, DeploymentState::Succeeded, "{:?}", back.failure);
        let all = world.store.deployments(&shop(), 10).unwrap();
        assert_eq!(all.len(), 3, "{moment:?}: {all:#?}");
        world.assert_serves(&live, &["web.3.1"]).await;
        engine.stop().await;
    }
}

#[tokio::test]
async fn a_deletion_is_finished_by_the_next_start() {
    let world = World::new();
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    engine.stop().await;
    world.store.begin_delete(&shop().project).unwrap();
    let _engine = world.engine().await;
    until("the deletion", || world.store.projects().unwrap().is_empty()).await;
    assert_eq!(world.running(), Vec::<String>::new());
    assert!(!world.layout().project(&shop().project).exists());
}
