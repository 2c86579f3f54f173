//! Every step fails in turn: what was live still is, and nothing is left over.

use hostkit_core::deployment::{Act, DeploymentState, StepName, StepState};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::size::ByteSize;
use hostkit_core::traits::Health;
use hostkit_engine::faults::{Fault, Moment};
use hostkit_testkit::fakes::{Behaviour, Faults};

use crate::bench::{World, done, fails, process, shop, succeeds, until, variables};

#[tokio::test]
async fn a_failure_before_the_commit_point_is_undone_at_every_step() {
    for step in StepName::ALL.into_iter().take_while(|s| *s <= StepName::Switch) {
        for moment in [Moment::Before, Moment::After] {
            let world = World::new();
            let (engine, live) = world.with_live_shop().await;
            world.settings.faults.add(Fault::Fail, moment, step);
            let failed = fails(&engine, world.deploy(&[("a", "2")])).await;
            assert_eq!(failed.steps.last().unwrap().name, step);
            assert_eq!(failed.steps.last().unwrap().state, StepState::Failed);
            assert!(
                failed
                    .steps
                    .iter()
                    .rev()
                    .skip(1)
                    .all(|s| s.state == StepState::Undone),
                "{step}"
            );
            world.assert_serves(&live, &["web.1.1"]).await;
            assert_eq!(world.folders().len(), 1, "{step} {moment:?}");
            // And the next one goes through.
            let next = succeeds(&engine, world.deploy(&[("a", "3")]))
                .await
                .release
                .unwrap();
            world.assert_serves(&next, &["web.3.1"]).await;
            engine.stop().await;
        }
    }
}

#[tokio::test]
async fn a_first_deploy_that_fails_leaves_nothing() {
    for step in StepName::ALL.into_iter().take_while(|s| *s <= StepName::Switch) {
        let world = World::new();
        let engine = world.with_shop().await;
        world.settings.faults.add(Fault::Fail, Moment::After, step);
        fails(&engine, world.deploy(&[("a", "1")])).await;
        assert_eq!(world.running(), Vec::<String>::new(), "{step}");
        assert_eq!(world.folders(), Vec::<String>::new(), "{step}");
        assert!(!world.layout().current(&shop()).exists());
        assert!(world.store.environment(&shop()).unwrap().live.is_none());
        engine.stop().await;
    }
}

#[tokio::test]
async fn undo_is_tried_again_when_it_fails_itself() {
    let world = World::new();
    let (engine, live) = world.with_live_shop().await;
    world
        .settings
        .faults
        .add(Fault::Fail, Moment::After, StepName::Start);
    world.runtime.faults.fail_next("remove", Faults::broken("remove"));
    world.runtime.faults.fail_next("remove", Faults::broken("remove"));
    fails(&engine, world.deploy(&[("a", "2")])).await;
    world.assert_serves(&live, &["web.1.1"]).await;
}

#[tokio::test]
async fn after_the_commit_point_nothing_is_undone() {
    let world = World::new();
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    // Draining fails twice, then works: the deployment succeeds all the same.
    world.traffic.faults.fail_next("drain", Faults::broken("drain"));
    world.traffic.faults.fail_next("drain", Faults::broken("drain"));
    let second = succeeds(&engine, world.deploy(&[("a", "2")])).await;
    world
        .assert_serves(second.release.as_ref().unwrap(), &["web.2.1"])
        .await;
    assert_eq!(world.journal.count("drain shop.production.web.1.1"), 3);
}

#[tokio::test]
async fn what_confirm_does_not_find_is_rolled_back_by_itself() {
    let world = World::new();
    let (engine, live) = world.with_live_shop().await;
    world.traffic.faults.block("drain");
    let second = engine
        .submit(&shop(), world.deploy(&[("a", "2")]), "test")
        .await
        .unwrap();
    until("the drain", || world.journal.count("drain") > 0).await;
    // The new instance ends while the old one is drained, and comes back never.
    let new = world.instance("web.2.1").unwrap();
    world.runtime.crash(&new.id, 3);
    world.traffic.faults.release("drain");
    let failed = engine.wait(second.id).await.unwrap();
    assert_eq!(failed.state, DeploymentState::Failed);
    let failure = failed.failure.unwrap();
    assert!(
        failure.message.contains("ended by itself (exit status 3)"),
        "{failure}"
    );
    assert!(
        failure.details.iter().any(|d| d.contains("goes back to release")),
        "{failure:?}"
    );
    let back = engine.wait(second.id + 1).await.unwrap();
    assert_eq!(
        back.trigger,
        format!("automatic rollback of deployment {}", second.id)
    );
    assert_eq!(back.state, DeploymentState::Succeeded, "{:?}", back.failure);
    world.assert_serves(&live, &["web.3.1"]).await;
}

#[tokio::test]
async fn a_program_that_ends_at_start_explains_itself() {
    let world = World::new();
    let (engine, live) = world.with_live_shop().await;
    let lines = vec!["Error: Cannot find module 'express'".to_owned()];
    world
        .runtime
        .behave(None, None, Behaviour::CrashAtStart(1, lines));
    let failure = fails(&engine, world.deploy(&[("a", "2")])).await.failure.unwrap();
    assert_eq!(failure.kind, Kind::Failed);
    assert!(failure.message.contains("exit status 1"), "{failure}");
    assert!(
        failure
            .details
            .iter()
            .any(|d| d.contains("Cannot find module 'express'")),
        "{failure:?}"
    );
    assert!(failure.hint.is_some());
    world.assert_serves(&live, &["web.1.1"]).await;
}

#[tokio::test]
async fn a_program_that_never_gets_ready_is_given_up_after_its_time() {
    let world = World::new();
    let (engine, live) = world.with_live_shop().await;
    let reason = "GET /up answered 301 to https://shop.localhost/up";
    world
        .runtime
        .behave(None, None, Behaviour::NeverHealthy(reason.into()));
    let manifest =
        "[process.web]\ncommand = \"x\"\n[process.web.health]\npath = \"/up\"\nstart_period = \"200ms\"\n";
    let failure = fails(&engine, world.deploy(&[("hostkit.toml", manifest)]))
        .await
        .failure
        .unwrap();
    assert!(
        failure.message.contains("not ready within 200ms") && failure.message.contains(reason),
        "{failure}"
    );
    world.assert_serves(&live, &["web.1.1"]).await;
}

#[tokio::test]
async fn a_program_that_takes_its_time_is_waited_for() {
    let world = World::new();
    let engine = world.with_shop().await;
    world
        .runtime
        .behave(None, None, Behaviour::HealthyAfterChecks(20));
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
}

#[tokio::test]
async fn a_crash_right_after_the_switch_goes_back_to_the_old_instances() {
    let mut world = World::new();
    world.settings.settle = std::time::Duration::from_secs(2);
    let engine = world.with_shop().await;
    let live = {
        // The first one need not settle for long.
        let act = world.deploy(&[("a", "1")]);
        let first = engine.submit(&shop(), act, "test").await.unwrap();
        engine.wait(first.id).await.unwrap().release.unwrap()
    };
    let second = engine
        .submit(&shop(), world.deploy(&[("a", "2")]), "test")
        .await
        .unwrap();
    until("the switch", || world.backends() == ["web.2.1"]).await;
    let new = world.instance("web.2.1").unwrap();
    world.runtime.crash(&new.id, 137);
    let failed = engine.wait(second.id).await.unwrap();
    assert_eq!(failed.state, DeploymentState::Failed);
    assert!(failed.failure.unwrap().message.contains("exit status 137"));
    world.assert_serves(&live, &["web.1.1"]).await;
}

#[tokio::test]
async fn a_front_door_that_is_down_is_waited_for_and_then_named() {
    let mut world = World::new();
    world.settings.front_door_patience = std::time::Duration::from_millis(200);
    let (engine, live) = world.with_live_shop().await;
    let down = || {
        Failure::new(
            Kind::Unavailable,
            "cannot reach the front door: connection refused",
        )
    };
    world.traffic.faults.fail_always("status", down());
    let failed = fails(&engine, world.deploy(&[("a", "2")])).await;
    let why = failed.failure.unwrap();
    assert!(why.message.contains("front door"), "{why}");
    let step = failed
        .steps
        .iter()
        .find(|s| s.state == StepState::Failed)
        .unwrap();
    assert_eq!(step.name, StepName::Switch);
    world.traffic.faults.clear();
    until("the table", || world.backends() == ["web.1.1"]).await;
    world.assert_serves(&live, &["web.1.1"]).await;
    // One that is only being started again is no failure.
    for _ in 0..3 {
        world.traffic.faults.fail_next("status", down());
    }
    let next = succeeds(&engine, world.deploy(&[("a", "3")]))
        .await
        .release
        .unwrap();
    world.assert_serves(&next, &["web.3.1"]).await;
}

#[tokio::test]
async fn a_worker_that_ends_after_the_switch_goes_back_too() {
    let mut world = World::new();
    world.settings.worker_settle = std::time::Duration::from_secs(2);
    let engine = world.with_shop().await;
    let without = world.deploy(&[("a", "1")]);
    let live = succeeds(&engine, without).await.release.unwrap();
    let manifest = "[process.web]\ncommand = \"x\"\n[process.worker]\ncommand = \"y\"\npublic = false\n";
    let second = engine
        .submit(&shop(), world.deploy(&[("hostkit.toml", manifest)]), "test")
        .await
        .unwrap();
    until("the switch", || world.backends() == ["web.2.1"]).await;
    // Later than a program that only answers requests is watched for.
    tokio::time::sleep(world.settings.settle * 5).await;
    let worker = world.instance("worker.2.1").unwrap();
    world.runtime.crash(&worker.id, 3);
    let failed = engine.wait(second.id).await.unwrap();
    assert_eq!(failed.state, DeploymentState::Failed);
    assert!(failed.failure.unwrap().message.contains("exit status 3"));
    let step = failed
        .steps
        .iter()
        .find(|s| s.state == StepState::Failed)
        .unwrap();
    assert!(step.milliseconds.is_some(), "{step:?}");
    world.assert_serves(&live, &["web.1.1"]).await;
}

#[tokio::test]
async fn missing_required_variables_stop_a_deploy_before_the_build() {
    let world = World::new();
    let engine = world.with_shop().await;
    let manifest = (
        "hostkit.toml",
        "[variables]\nrequired = [\"DATABASE_URL\", \"KEY\"]\n",
    );
    let failure = fails(&engine, world.deploy(&[manifest])).await.failure.unwrap();
    assert!(failure.message.contains("`DATABASE_URL`, `KEY`"), "{failure}");
    assert_eq!(world.journal.count("build"), 0);
    let set = variables(&[("DATABASE_URL", "x"), ("KEY", "y")]);
    engine.set_variables(&shop(), set, &[], "test").await.unwrap();
    succeeds(&engine, world.deploy(&[manifest])).await;
}

#[tokio::test]
async fn values_that_are_not_as_they_must_be_stop_a_deploy_before_anything_is_made_up() {
    let world = World::new();
    let engine = world.with_shop().await;
    let manifest = "[variables.generate]\nSESSION = \"64 hex\"\n[variables.checks.KEY]\nmin_length = 8\n";
    let bad = [("KEY", "short"), ("URL", "http://${{NONE}}/")];
    for (name, value) in bad {
        engine
            .set_variables(&shop(), variables(&[(name, value)]), &[], "test")
            .await
            .unwrap();
        let failure = fails(&engine, world.deploy(&[("hostkit.toml", manifest)]))
            .await
            .failure
            .unwrap();
        assert_eq!(failure.kind, Kind::Invalid);
        assert!(
            failure.details.iter().any(|line| line.contains(name)),
            "{failure:?}"
        );
        assert!(!format!("{failure:?}").contains(value), "{failure:?}");
        engine
            .set_variables(&shop(), variables(&[("KEY", "long enough")]), &[], "test")
            .await
            .unwrap();
    }
    assert_eq!(world.journal.count("build"), 0);
    let known = world.store.variable_names(&shop()).unwrap();
    assert!(known.iter().all(|info| info.name.as_str() != "SESSION"));
}

#[tokio::test]
async fn a_value_is_made_up_once_and_found_by_the_program_with_what_refers_to_it() {
    let world = World::new();
    let engine = world.with_shop().await;
    let manifest =
        "[variables.generate]\nSESSION = \"64 hex\"\n[variables.defaults]\nCOPY = \"<${{SESSION}}>\"\n";
    let told = |world: &World| {
        let newest = world.runtime.instances().pop().unwrap();
        let workload = world.runtime.started_from(&newest.id).unwrap();
        let value = |name: &str| {
            let found = workload
                .variables
                .iter()
                .find(|(known, _)| known.as_str() == name);
            found.unwrap().1.reveal().to_owned()
        };
        (value("SESSION"), value("COPY"))
    };
    succeeds(&engine, world.deploy(&[("hostkit.toml", manifest)])).await;
    let (session, copy) = told(&world);
    assert_eq!(session.len(), 64);
    assert_eq!(copy, format!("<{session}>"));
    succeeds(&engine, world.deploy(&[("hostkit.toml", manifest), ("a", "2")])).await;
    assert_eq!(told(&world).0, session);
}

#[tokio::test]
async fn a_program_that_serves_elsewhere_is_not_waited_for() {
    let world = World::new();
    let engine = world.with_shop().await;
    // So long that the test would give up first.
    let manifest = "[process.web]\ncommand = \"x\"\n[process.web.health]\nstart_period = \"5m\"\n";
    let elsewhere = "127.0.0.1:3000".parse().unwrap();
    world.probe.answer(elsewhere, Health::Healthy);
    let said = vec!["Server listening on http://localhost:3000".to_owned()];
    let behaviour = Behaviour::ListensElsewhere(elsewhere, said);
    world.runtime.behave(None, None, behaviour);
    let failed = fails(&engine, world.deploy(&[("hostkit.toml", manifest)])).await;
    let failure = failed.failure.unwrap();
    assert!(failure.message.contains("not where it was told to"), "{failure}");
    let cause = |d: &String| d.contains("listens on port 3000, but `PORT` told it to listen on");
    assert!(failure.details.iter().any(cause), "{failure:?}");
    assert!(failure.hint.unwrap().contains("`PORT`"));
}

#[tokio::test]
async fn a_program_whose_other_door_does_not_do_its_work_is_waited_for() {
    let world = World::new();
    let engine = world.with_shop().await;
    let manifest = "[process.web]\ncommand = \"x\"\n[process.web.health]\nstart_period = \"8s\"\n";
    let elsewhere = "127.0.0.1:3000".parse().unwrap();
    let other = Health::Unhealthy("GET / answered 404".into());
    world.probe.answer(elsewhere, other);
    let said = vec!["listening on 3000".to_owned()];
    world
        .runtime
        .behave(None, None, Behaviour::ListensElsewhere(elsewhere, said));
    let failed = fails(&engine, world.deploy(&[("hostkit.toml", manifest)])).await;
    let failure = failed.failure.unwrap();
    assert!(failure.message.contains("not ready within 8s"), "{failure}");
}

#[tokio::test]
async fn commands_this_version_does_not_run_are_refused() {
    let world = World::new();
    let engine = world.with_shop().await;
    for text in [
        "[releases]\ncommand = \"migrate\"\n",
        "[[cron]]\nname = \"nightly\"\nschedule = \"0 3 * * *\"\ncommand = \"x\"\n",
        "name = \"another\"\n",
        "helth = 1\n",
    ] {
        let failure = fails(&engine, world.deploy(&[("hostkit.toml", text)]))
            .await
            .failure
            .unwrap();
        assert_eq!(failure.kind, Kind::Invalid, "{failure}");
    }
    assert_eq!(world.journal.count("build"), 0);
}

#[tokio::test]
async fn a_full_disk_refuses_the_build_before_it_starts() {
    let mut world = World::new();
    world.settings.min_free = ByteSize(u64::MAX / 2);
    let engine = world.with_shop().await;
    let failure = fails(&engine, world.deploy(&[("a", "1")])).await.failure.unwrap();
    assert!(failure.message.contains("must stay free"), "{failure}");
    assert_eq!(world.journal.count("build"), 0);
}

#[tokio::test]
async fn a_scale_that_fails_leaves_the_old_number() {
    let world = World::new();
    let (engine, live) = world.with_live_shop().await;
    world
        .runtime
        .behave(None, None, Behaviour::CrashAtStart(1, Vec::new()));
    let act = Act::Scale {
        process: process("web"),
        count: 3,
    };
    assert_eq!(done(&engine, act).await.state, DeploymentState::Failed);
    world.assert_serves(&live, &["web.1.1"]).await;
}

#[tokio::test]
async fn a_build_that_leaves_a_link_makes_us_remove_nothing_of_others() {
    let world = World::new();
    let engine = world.with_shop().await;
    let precious = world.folder.path().join("precious");
    std::fs::create_dir_all(precious.join("ml")).unwrap();
    std::fs::write(precious.join("ml/file"), "keep me").unwrap();
    let manifest = "[process.web]\ncommand = \"run\"\n[process.ml]\ncommand = \"run\"\nroot = \"apps/ml\"\n";
    world.builder.faults.block("build");
    let act = world.deploy(&[("hostkit.toml", manifest), ("apps/ml/a", "1")]);
    let deployment = engine.submit(&shop(), act, "test").await.unwrap();
    until("the build", || world.journal.count("build") > 0).await;
    let apps = world.layout().scratch(&shop(), deployment.id).join("source/apps");
    std::fs::rename(&apps, apps.with_extension("aside")).unwrap();
    std::os::unix::fs::symlink(&precious, &apps).unwrap();
    world.builder.faults.release("build");
    let ended = engine.wait(deployment.id).await.unwrap();
    let failure = ended.failure.unwrap();
    assert!(failure.message.contains("is not a folder"), "{failure}");
    assert_eq!(
        std::fs::read_to_string(precious.join("ml/file")).unwrap(),
        "keep me"
    );
}
