//! What goes wrong without a deployment is put right.

use std::time::Duration;

use hostkit_core::deployment::Act;
use hostkit_core::event::What;
use hostkit_core::project::EnvironmentId;
use hostkit_core::route::{BackendId, TrafficStatus};
use hostkit_core::traits::Health;
use hostkit_engine::{Finding, Level};
use hostkit_store::EventQuery;

use crate::bench::{World, shop, succeeds, until};

#[tokio::test]
async fn what_is_missing_is_started_and_what_nobody_wants_removed() {
    let world = World::new();
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    let there = world.instance("web.1.1").unwrap();
    let mut stranger = world.runtime.started_from(&there.id).unwrap();
    world.runtime.lose(&there.id);
    stranger.id.deployment = 77;
    hostkit_core::traits::Runtime::ensure(&world.runtime, &stranger)
        .await
        .unwrap();
    until("order", || {
        world.running() == ["web.1.1"] && world.backends() == ["web.1.1"]
    })
    .await;
    stranger.id.environment.project = "gone".parse().unwrap();
    hostkit_core::traits::Runtime::ensure(&world.runtime, &stranger)
        .await
        .unwrap();
    until("order", || world.running() == ["web.1.1"]).await;
    // The new instance has another port, which the table knows.
    let address = world.instance("web.1.1").unwrap().address;
    until("the table", || {
        format!("{:?}", world.traffic.table()).contains(&address.unwrap().port().to_string())
    })
    .await;
}

#[tokio::test]
async fn a_front_door_that_forgot_everything_gets_its_table_again() {
    let world = World::new();
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    world.traffic.lose_everything();
    until("the table", || world.backends() == ["web.1.1"]).await;
}

#[tokio::test]
async fn a_crashed_instance_gets_no_traffic_until_it_is_healthy_again_and_is_told() {
    let world = World::new();
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    let id = world.instance("web.1.1").unwrap().id;
    // So that the loop has seen it alive.
    tokio::time::sleep(Duration::from_millis(200)).await;
    world.runtime.crash(&id, 9);
    until("the table", || world.backends().is_empty()).await;
    hostkit_core::traits::Runtime::restart(&world.runtime, &id)
        .await
        .unwrap();
    until("the table", || world.backends() == ["web.1.1"]).await;
    let events = world.store.events(&EventQuery::default()).unwrap();
    let told = |e: &&hostkit_core::event::Event| matches!(&e.what, What::InstanceCrashed { exit, .. } if exit == "exit status 9");
    assert_eq!(events.iter().filter(told).count(), 1);
}

#[tokio::test]
async fn one_that_hangs_after_a_crash_keeps_no_other_from_its_traffic() {
    let world = World::new();
    let engine = world.with_shop().await;
    let manifest = "[process.web]\ncommand = \"x\"\ncount = 2\n";
    succeeds(&engine, world.deploy(&[("hostkit.toml", manifest)])).await;
    let (first, second) = (
        world.instance("web.1.1").unwrap(),
        world.instance("web.1.2").unwrap(),
    );
    world.probe.faults.block("check");
    let asked = world.probe.journal.count("check");
    world.runtime.crash(&first.id, 9);
    until("the table", || world.backends() == ["web.1.2"]).await;
    hostkit_core::traits::Runtime::restart(&world.runtime, &first.id)
        .await
        .unwrap();
    until("the check", || world.probe.journal.count("check") > asked).await;
    // The second one ends while the first one is still asked.
    world.runtime.crash(&second.id, 9);
    until("the table", || world.backends().is_empty()).await;
    world.probe.faults.release("check");
    hostkit_core::traits::Runtime::restart(&world.runtime, &second.id)
        .await
        .unwrap();
    until("the table", || world.backends() == ["web.1.1", "web.1.2"]).await;
}

#[tokio::test]
async fn one_that_is_slow_to_stop_keeps_no_other_from_losing_its_traffic() {
    let world = World::new();
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    let there = world.instance("web.1.1").unwrap();
    let mut stranger = world.runtime.started_from(&there.id).unwrap();
    stranger.id.environment.project = "gone".parse().unwrap();
    world.runtime.faults.block("remove");
    hostkit_core::traits::Runtime::ensure(&world.runtime, &stranger)
        .await
        .unwrap();
    until("the removal", || world.journal.count("remove gone") > 0).await;
    world.runtime.crash(&there.id, 9);
    until("the table", || world.backends().is_empty()).await;
    world.runtime.faults.release("remove");
    until("order", || world.runtime.instances().len() == 1).await;
}

#[tokio::test]
async fn a_new_control_process_adopts_what_runs() {
    let world = World::new();
    let engine = world.with_shop().await;
    let release = succeeds(&engine, world.deploy(&[("a", "1")]))
        .await
        .release
        .unwrap();
    engine.stop().await;
    let started = world.instance("web.1.1").unwrap().started_at;
    world.journal.clear();
    let engine = world.engine().await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(world.instance("web.1.1").unwrap().started_at, started);
    assert_eq!(world.journal.count("ensure") + world.journal.count("remove"), 0);
    world.assert_serves(&release, &["web.1.1"]).await;
    engine.stop().await;
    engine.stop_instances().await.unwrap();
    assert_eq!(world.running(), Vec::<String>::new());
    let _engine = world.engine().await;
    until("the start", || world.running() == ["web.1.1"]).await;
}

#[tokio::test]
async fn leftovers_are_swept_at_the_start() {
    let world = World::new();
    let engine = world.with_shop().await;
    let release = succeeds(&engine, world.deploy(&[("a", "1")]))
        .await
        .release
        .unwrap();
    engine.stop().await;
    let scratch = world.layout().scratch(&shop(), 99).join("source");
    let stray = world.layout().releases(&shop()).join("20200101-000000");
    std::fs::create_dir_all(&scratch).unwrap();
    std::fs::create_dir_all(&stray).unwrap();
    let _engine = world.engine().await;
    until("the sweep", || !scratch.exists() && !stray.exists()).await;
    world.assert_serves(&release, &["web.1.1"]).await;
}

#[tokio::test]
async fn health_and_doctor_say_what_is_wrong() {
    let world = World::new();
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    let report = engine.health().await;
    assert!(report.is_healthy(), "{report:?}");
    assert!(engine.doctor().await.iter().all(|f| f.level == Level::Fine));
    world.traffic.set_status(TrafficStatus {
        ejected: vec![BackendId("shop.production.web.1.1".into())],
        ..TrafficStatus::default()
    });
    let begun = std::time::Instant::now();
    let left_out = |f: &Finding| f.subject == "shop.production.web.1.1" && f.level == Level::Warning;
    while !engine.doctor().await.iter().any(left_out) {
        assert!(begun.elapsed() < Duration::from_secs(60));
    }
    // What takes long is given some seconds; what stays silent is not well.
    world.traffic.faults.block("status");
    let begun = std::time::Instant::now();
    while engine.health().await.is_healthy() {
        assert!(begun.elapsed() < Duration::from_secs(60));
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let id = world.instance("web.1.1").unwrap().id;
    world.runtime.crash(&id, 1);
    let report = engine.health().await;
    assert_eq!(report.checks[1].name, "front_door");
    assert!(report.checks[1].problem.is_some());
    assert!(
        engine
            .doctor()
            .await
            .iter()
            .any(|f| f.subject == "shop.production.web.1.1" && f.level == Level::Problem)
    );
}

#[tokio::test]
async fn an_instance_that_hangs_is_started_again_and_told() {
    let world = World::new();
    let engine = world.with_shop().await;
    let manifest = "[process.web]\ncommand = \"x\"\n[process.web.health]\ninterval = \"1s\"\nfailures = 2\n";
    succeeds(&engine, world.deploy(&[("hostkit.toml", manifest)])).await;
    let instance = world.instance("web.1.1").unwrap();
    let hangs = Health::Unhealthy("no answer within 5s".into());
    world.probe.answer(instance.address.unwrap(), hangs);
    until("the restart", || {
        world.journal.count("restart shop.production.web.1.1") > 0
    })
    .await;
    let events = world.store.events(&EventQuery::default()).unwrap();
    let told = |what: &What| matches!(what, What::InstanceUnhealthy { reason, .. } if reason == "no answer within 5s");
    assert!(events.iter().any(|e| told(&e.what)));
}

#[tokio::test]
async fn one_that_is_slow_to_restart_keeps_no_other_from_being_checked() {
    let world = World::new();
    let engine = world.with_shop().await;
    let other = EnvironmentId::new("other".parse().unwrap(), shop().environment);
    engine.create_project(&other.project).await.unwrap();
    let manifest = "[process.web]\ncommand = \"x\"\n[process.web.health]\ninterval = \"1s\"\nfailures = 1\n";
    succeeds(&engine, world.deploy(&[("hostkit.toml", manifest)])).await;
    let source = world.sources.add(&other.project, &[("hostkit.toml", manifest)]);
    let act = Act::Deploy { source, canary: None };
    let there = engine.submit(&other, act, "test").await.unwrap();
    engine.wait(there.id).await.unwrap();
    let all = world.runtime.instances();
    assert_eq!(all.len(), 2);
    let hangs = || Health::Unhealthy("no answer within 5s".into());
    // The first one hangs, and takes its time to be stopped.
    world.runtime.faults.block("restart");
    world.probe.answer(all[0].address.unwrap(), hangs());
    until("the first restart", || world.journal.count("restart") == 1).await;
    world.probe.answer(all[1].address.unwrap(), hangs());
    until("the second restart", || world.journal.count("restart") == 2).await;
    // Meanwhile nobody asks a second time for what is under way.
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(world.journal.count("restart"), 2);
    for instance in &all {
        world.probe.answer(instance.address.unwrap(), Health::Healthy);
    }
    world.runtime.faults.release("restart");
    let restarted = || {
        let now = world.runtime.instances();
        now.len() == 2
            && now
                .iter()
                .zip(&all)
                .all(|(now, old)| now.started_at > old.started_at)
    };
    until("both to be new", restarted).await;
}
