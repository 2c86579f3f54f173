//! A deployment is cancelled: wherever it is before the switch nothing of it stays, and afterwards it is refused.

use hostkit_core::deployment::{Act, Deployment, DeploymentState, StepName, StepState};
use hostkit_core::event::What;
use hostkit_core::kind::Kind;
use hostkit_engine::faults::{Fault, Moment};
use hostkit_engine::{DeploymentUpdate, Engine};
use hostkit_store::EventQuery;

use crate::bench::{World, shop, succeeds, until};

/// Everything the log of a deployment says.
async fn log(engine: &Engine, id: u64) -> String {
    use futures_util::StreamExt;
    let updates: Vec<DeploymentUpdate> = engine.told(id).await.unwrap().collect().await;
    let lines = updates.into_iter().filter_map(|update| match update {
        DeploymentUpdate::Line(line) => Some(line.text + "\n"),
        DeploymentUpdate::Changed(_) => None,
    });
    lines.collect()
}

/// It is cancelled, and its log and an event say by whom.
async fn assert_cancelled(world: &World, engine: &Engine, ended: &Deployment) {
    assert_eq!(ended.state, DeploymentState::Cancelled, "{:?}", ended.failure);
    let failure = ended.failure.as_ref().unwrap();
    assert_eq!(failure.kind, Kind::Conflict);
    assert!(failure.message.contains("`alice` cancelled it"), "{failure}");
    assert!(ended.finished_at.is_some());
    let log = log(engine, ended.id).await;
    assert!(log.contains("`alice` cancelled it"), "{log}");
    let events = world.store.events(&EventQuery::default()).unwrap();
    let told = |what: &What| match what {
        What::Deployment {
            deployment,
            state,
            message,
            ..
        } => *deployment == ended.id && state.is_final() && message.contains("alice"),
        _ => false,
    };
    assert_eq!(events.iter().filter(|e| told(&e.what)).count(), 1);
}

fn steps(world: &World, id: u64) -> Vec<StepName> {
    let now = world.store.deployment(id).unwrap();
    now.steps.iter().map(|s| s.name).collect()
}

#[tokio::test]
async fn a_build_is_left_in_its_middle() {
    let world = World::new();
    let (engine, live) = world.with_live_shop().await;
    world.builder.faults.block("build");
    let act = world.deploy(&[("a", "2")]);
    let id = engine.submit(&shop(), act, "test").await.unwrap().id;
    until("the build", || world.journal.count("build") > 1).await;
    let asked = engine.cancel(id, "alice").unwrap();
    assert!(asked.is_being_cancelled());
    // Nobody released the build.
    let ended = engine.wait(id).await.unwrap();
    assert_cancelled(&world, &engine, &ended).await;
    assert!(
        ended.steps.iter().all(|s| s.state == StepState::Undone),
        "{:?}",
        ended.steps
    );
    world.assert_serves(&live, &["web.1.1"]).await;
    assert!(!world.layout().scratch(&shop(), id).exists());
    // Twice is harmless, and tells the first one.
    assert_eq!(engine.cancel(id, "bob").unwrap(), ended);
    // The lane and the build slot are free.
    world.builder.faults.release("build");
    let next = succeeds(&engine, world.deploy(&[("a", "3")]))
        .await
        .release
        .unwrap();
    world.assert_serves(&next, &["web.3.1"]).await;
}

#[tokio::test]
async fn a_program_that_does_not_get_ready_is_not_waited_for() {
    let world = World::new();
    let engine = world.with_shop().await;
    world.probe.faults.block("check");
    let id = engine
        .submit(&shop(), world.deploy(&[("a", "1")]), "test")
        .await
        .unwrap()
        .id;
    until("the check", || world.probe.journal.count("check") > 0).await;
    engine.cancel(id, "alice").unwrap();
    let ended = engine.wait(id).await.unwrap();
    assert_cancelled(&world, &engine, &ended).await;
    assert_eq!(world.running(), Vec::<String>::new());
    assert_eq!(world.folders(), Vec::<String>::new());
    assert!(world.store.environment(&shop()).unwrap().live.is_none());
}

#[tokio::test]
async fn one_that_waits_is_taken_out() {
    let world = World::new();
    let engine = world.with_shop().await;
    world.builder.faults.block("build");
    let act = world.deploy(&[("a", "1")]);
    let first = engine.submit(&shop(), act, "test").await.unwrap().id;
    until("the build", || world.journal.count("build") > 0).await;
    let waiting = engine.submit(&shop(), Act::Restart, "test").await.unwrap().id;
    let last = engine.submit(&shop(), Act::Restart, "test").await.unwrap().id;
    let ended = engine.cancel(waiting, "alice").unwrap();
    assert_cancelled(&world, &engine, &ended).await;
    assert_eq!(engine.wait(waiting).await.unwrap(), ended);
    world.builder.faults.release("build");
    for id in [first, last] {
        assert_eq!(engine.wait(id).await.unwrap().state, DeploymentState::Succeeded);
    }
    assert_eq!(steps(&world, waiting), []);
}

#[tokio::test]
async fn from_the_switch_on_it_is_refused_with_the_way_back() {
    let world = World::new();
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    for method in ["apply", "drain"] {
        world.traffic.faults.block(method);
        let act = world.deploy(&[("a", "2")]);
        world.journal.clear();
        let id = engine.submit(&shop(), act, "test").await.unwrap().id;
        until("the switch", || {
            steps(&world, id).contains(&StepName::Switch) && world.journal.count(method) > 0
        })
        .await;
        let refused = engine.cancel(id, "alice").unwrap_err();
        assert_eq!(refused.kind, Kind::Conflict);
        assert!(refused.hint.unwrap().contains("`hostkit rollback`"));
        world.traffic.faults.release(method);
        let ended = engine.wait(id).await.unwrap();
        assert_eq!(ended.state, DeploymentState::Succeeded, "{:?}", ended.failure);
        // Nor when it is over.
        let refused = engine.cancel(id, "alice").unwrap_err();
        assert_eq!(refused.kind, Kind::Conflict);
        assert!(refused.hint.unwrap().contains("`hostkit rollback`"));
    }
    assert_eq!(engine.cancel(99, "alice").unwrap_err().kind, Kind::NotFound);
}

#[tokio::test]
async fn between_any_two_steps_it_is_undone_also_by_the_next_start() {
    for step in StepName::ALL.into_iter().take_while(|s| *s < StepName::Switch) {
        for moment in [Moment::Before, Moment::After] {
            let world = World::new();
            let (engine, live) = world.with_live_shop().await;
            let faults = &world.settings.faults;
            faults.add(Fault::Halt, moment, step);
            let act = world.deploy(&[("a", "2")]);
            let id = engine.submit(&shop(), act, "test").await.unwrap().id;
            until("the interruption", || faults.is_empty()).await;
            // Control goes away with the word given and nothing done yet, and once more while it undoes.
            engine.cancel(id, "alice").unwrap();
            engine.stop().await;
            faults.add(Fault::Halt, Moment::Failed, step);
            let engine = world.engine().await;
            until("the second interruption", || faults.is_empty()).await;
            engine.stop().await;
            let engine = world.engine().await;
            let ended = engine.wait(id).await.unwrap();
            assert_cancelled(&world, &engine, &ended).await;
            assert!(
                ended.steps.iter().all(|s| s.state == StepState::Undone),
                "{step} {moment:?}: {:?}",
                ended.steps
            );
            until("the end", || world.folders().len() == 1).await;
            world.assert_serves(&live, &["web.1.1"]).await;
            engine.stop().await;
        }
    }
}
