//! A release beside the live one: brought, given more visitors, promoted, ended, and interrupted at every step of that.

use std::time::Duration;

use hostkit_core::deployment::{Act, DeploymentState, StepName};
use hostkit_core::event::What;
use hostkit_core::kind::Kind;
use hostkit_core::names::ReleaseName;
use hostkit_core::release::{Artifact, StaticFiles};
use hostkit_core::route::{BackendId, Target, TrafficStatus};
use hostkit_core::traits::Health;
use hostkit_engine::faults::{Fault, Moment};
use hostkit_engine::{Engine, Level};
use hostkit_store::EventQuery;

use crate::bench::{World, done, fails, process, shop, succeeds, until, variables};

const PROCFILE: (&str, &str) = ("Procfile", "web: run\nworker: work\n");

fn canary(world: &World, files: &[(&str, &str)], percent: u8) -> Act {
    match world.deploy(files) {
        Act::Deploy { source, .. } => Act::Deploy {
            source,
            canary: Some(percent.try_into().unwrap()),
        },
        other => other,
    }
}

fn share(percent: u8) -> Act {
    Act::Promote {
        percent: Some(percent.try_into().unwrap()),
    }
}

const PROMOTE: Act = Act::Promote { percent: None };

/// The canary in the route table: its release, its percent and its instances.
fn routed(world: &World) -> Option<(ReleaseName, u8, Vec<String>)> {
    let table = world.traffic.table();
    let canary = table.canaries.first()?;
    let public = canary.routes.iter().find(|route| route.path_prefix == "/")?;
    let Target::Instances { backends } = &public.target else {
        return Some((canary.release.clone(), canary.percent.get(), Vec::new()));
    };
    let names = backends
        .iter()
        .map(|b| b.id.0.trim_start_matches("shop.production.").to_owned());
    Some((canary.release.clone(), canary.percent.get(), names.collect()))
}

/// Expects a live release with its instances and a canary with its own.
async fn assert_both(
    world: &World,
    live: &ReleaseName,
    instances: &[&str],
    canary: &ReleaseName,
    percent: u8,
    own: &[&str],
) {
    let mut running = world.running();
    running.sort();
    let mut all: Vec<String> = instances.iter().chain(own).map(ToString::to_string).collect();
    all.sort();
    assert_eq!(running, all, "running");
    let environment = world.store.environment(&shop()).unwrap();
    assert_eq!(environment.live.map(|live| live.release).as_ref(), Some(live));
    assert_eq!(
        environment.canary.map(|canary| canary.release).as_ref(),
        Some(canary)
    );
    let of_web: Vec<&str> = instances
        .iter()
        .copied()
        .filter(|i| i.starts_with("web"))
        .collect();
    assert_eq!(world.backends(), of_web, "routed");
    let own: Vec<String> = own.iter().map(ToString::to_string).collect();
    assert_eq!(routed(world), Some((canary.clone(), percent, own)), "canary");
    let link = std::fs::read_link(world.layout().current(&shop())).unwrap();
    assert_eq!(link, world.layout().release(&shop(), live), "link");
}

async fn live_with_worker(world: &World) -> (std::sync::Arc<Engine>, ReleaseName) {
    let engine = world.with_shop().await;
    let first = succeeds(&engine, world.deploy(&[("a", "1"), PROCFILE])).await;
    (engine, first.release.unwrap())
}

#[tokio::test]
async fn a_canary_runs_beside_the_live_release_and_is_promoted_without_a_second_start() {
    let world = World::new();
    let (engine, live) = live_with_worker(&world).await;
    let act = canary(&world, &[("a", "2"), PROCFILE], 10);
    let next = succeeds(&engine, act).await.release.unwrap();
    // Workers stay those of the live release.
    let before = ["web.1.1", "worker.1.1"];
    assert_both(&world, &live, &before, &next, 10, &["web.2.1"]).await;
    let told = world.store.deployment(2).unwrap();
    assert_eq!(told.release.as_ref(), Some(&next));
    let findings = engine.doctor().await;
    let said = format!("canary 10 %: release {next}");
    assert!(
        findings
            .iter()
            .any(|f| f.level == Level::Fine && f.message == said),
        "{findings:?}"
    );

    succeeds(&engine, share(50)).await;
    assert_both(&world, &live, &before, &next, 50, &["web.2.1"]).await;
    let begun = world.instance("web.2.1").unwrap().started_at;

    world.journal.clear();
    let promoted = succeeds(&engine, PROMOTE).await;
    assert_eq!(promoted.release.as_ref(), Some(&next));
    world.assert_serves(&next, &["web.2.1", "worker.2.1"]).await;
    assert_eq!(routed(&world), None);
    assert_eq!(
        world.instance("web.2.1").unwrap().started_at,
        begun,
        "the same instance"
    );
    assert_eq!(world.journal.count("drain shop.production.web.1.1"), 1);
    assert_eq!(world.journal.count("drain shop.production.web.2.1"), 0);
    // As after any deploy, the way back is the release before.
    let back = engine.way_back(&shop()).unwrap();
    assert_eq!(back, Act::Rollback { to: live.clone() });
    succeeds(&engine, back).await;
    world.assert_serves(&live, &["web.5.1", "worker.5.1"]).await;
}

#[tokio::test]
async fn a_canary_is_ended_by_a_rollback_and_replaced_by_another_canary() {
    let world = World::new();
    let (engine, live) = world.with_live_shop().await;
    let second = succeeds(&engine, canary(&world, &[("a", "2")], 10))
        .await
        .release
        .unwrap();
    let third = succeeds(&engine, canary(&world, &[("a", "3")], 20))
        .await
        .release
        .unwrap();
    assert_both(&world, &live, &["web.1.1"], &third, 20, &["web.3.1"]).await;
    assert_ne!(second, third);
    let back = engine.way_back(&shop()).unwrap();
    assert_eq!(back, Act::Abandon);
    world.journal.clear();
    let ended = succeeds(&engine, back).await;
    assert_eq!(ended.release, Some(third), "what it is about");
    world.assert_serves(&live, &["web.1.1"]).await;
    assert_eq!(routed(&world), None);
    assert_eq!(world.journal.count("drain shop.production.web.3.1"), 1);
    // And a named release ends one, too.
    succeeds(&engine, canary(&world, &[("a", "4")], 20)).await;
    succeeds(&engine, Act::Rollback { to: second.clone() }).await;
    world.assert_serves(&second, &["web.6.1"]).await;
    assert_eq!(routed(&world), None);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_the_next_command() {
    let world = World::new();
    let engine = world.with_shop().await;
    let refused = async |act: Act| {
        let failure = engine.submit(&shop(), act, "test").await.unwrap_err();
        assert_eq!(failure.kind, Kind::Conflict, "{failure}");
        (failure.message, failure.hint.unwrap())
    };
    let (why, hint) = refused(canary(&world, &[("a", "1")], 10)).await;
    assert!(
        why.contains("no release is live") && hint.contains("without `--canary`"),
        "{why} {hint}"
    );
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    for act in [PROMOTE, share(5), Act::Abandon] {
        let (why, hint) = refused(act).await;
        assert!(
            why.contains("it has none") && hint.contains("--canary 10 -p shop"),
            "{why} {hint}"
        );
    }
    let next = succeeds(&engine, canary(&world, &[("a", "2")], 10))
        .await
        .release
        .unwrap();
    for act in [world.deploy(&[("a", "3")]), Act::Apply] {
        let (why, hint) = refused(act).await;
        assert!(why.contains(&format!("release {next} is its canary")), "{why}");
        assert!(
            hint.contains("`hostkit promote -p shop`") && hint.contains("`hostkit rollback -p shop`"),
            "{hint}"
        );
    }
    succeeds(&engine, Act::Stop).await;
    for act in [PROMOTE, canary(&world, &[("a", "3")], 10)] {
        let (why, hint) = refused(act).await;
        assert!(
            why.contains("it is stopped") && hint.contains("hostkit start"),
            "{why} {hint}"
        );
    }
}

#[tokio::test]
async fn stop_start_restart_and_scale_leave_a_canary() {
    let world = World::new();
    let (engine, live) = world.with_live_shop().await;
    let next = succeeds(&engine, canary(&world, &[("a", "2")], 10))
        .await
        .release
        .unwrap();
    succeeds(&engine, Act::Restart).await;
    assert_both(&world, &live, &["web.3.1"], &next, 10, &["web.2.1"]).await;
    let two = Act::Scale {
        process: process("web"),
        count: 2,
    };
    succeeds(&engine, two).await;
    assert_both(
        &world,
        &live,
        &["web.3.1", "web.3.2"],
        &next,
        10,
        &["web.2.1", "web.2.2"],
    )
    .await;
    succeeds(&engine, Act::Stop).await;
    assert_eq!(world.running(), Vec::<String>::new());
    assert_eq!(routed(&world), None);
    succeeds(&engine, Act::Start).await;
    assert_both(
        &world,
        &live,
        &["web.6.1", "web.6.2"],
        &next,
        10,
        &["web.2.1", "web.2.2"],
    )
    .await;
}

#[tokio::test]
async fn a_canary_keeps_the_variables_it_was_frozen_with() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    let set = async |value: &str| {
        let pairs = variables(&[("COLOUR", value)]);
        engine.set_variables(&shop(), pairs, &[], "test").await.unwrap();
    };
    set("blue").await;
    succeeds(&engine, canary(&world, &[("a", "2")], 10)).await;
    set("green").await;
    let colour = |id: &str| {
        let workload = world
            .runtime
            .started_from(&world.instance(id).unwrap().id)
            .unwrap();
        workload
            .variables
            .get(&"COLOUR".parse().unwrap())
            .map(|value| value.reveal().to_owned())
    };
    assert_eq!(
        (colour("web.1.1"), colour("web.2.1").as_deref()),
        (None, Some("blue"))
    );
    let dotenv = std::fs::read_to_string(world.layout().dotenv(&shop())).unwrap();
    assert!(!dotenv.contains("blue"), "{dotenv}");
    succeeds(&engine, PROMOTE).await;
    let dotenv = std::fs::read_to_string(world.layout().dotenv(&shop())).unwrap();
    assert!(dotenv.contains("blue") && !dotenv.contains("green"), "{dotenv}");
}

#[tokio::test]
async fn a_canary_of_a_site_is_its_files_and_each_finds_the_others() {
    let world = World::new();
    world.builder.yields(Artifact {
        builder: "static".into(),
        files: Some(StaticFiles {
            root: "site".parse().unwrap(),
            single_page: false,
        }),
        programs: Default::default(),
        assumed: Vec::new(),
    });
    let (engine, live) = world.with_live_shop().await;
    let next = succeeds(&engine, canary(&world, &[("a", "2")], 10))
        .await
        .release
        .unwrap();
    let table = world.traffic.table();
    let roots = |target: &Target| match target {
        Target::Files { root, earlier, .. } => (root.clone(), earlier.clone()),
        other => panic!("{other:?}"),
    };
    let site = |release: &ReleaseName| world.layout().release(&shop(), release).join("site");
    let public = table
        .routes
        .iter()
        .find(|route| route.id == "shop/production/web")
        .unwrap();
    assert_eq!(roots(&public.target), (site(&live), vec![site(&next)]));
    let own = &table.canaries[0].routes[0];
    assert_eq!(roots(&own.target), (site(&next), vec![site(&live)]));
    succeeds(&engine, PROMOTE).await;
    assert!(world.traffic.table().canaries.is_empty());
    assert_eq!(
        world.store.environment(&shop()).unwrap().live.unwrap().release,
        next
    );
}

#[tokio::test]
async fn a_canary_that_is_not_healthy_never_was_and_the_live_release_stays() {
    let world = World::new();
    let (engine, live) = world.with_live_shop().await;
    for step in [StepName::Check, StepName::Switch] {
        world.settings.faults.add(Fault::Fail, Moment::After, step);
        fails(&engine, canary(&world, &[("a", "2")], 10)).await;
        world.assert_serves(&live, &["web.1.1"]).await;
        assert_eq!(routed(&world), None);
        assert!(world.store.environment(&shop()).unwrap().canary.is_none());
    }
    // After the switch it is ended by itself; the live release is not touched for that.
    world
        .settings
        .faults
        .add(Fault::Fail, Moment::Before, StepName::Confirm);
    let failed = fails(&engine, canary(&world, &[("a", "2")], 10)).await;
    engine.wait(failed.id + 1).await.unwrap();
    assert_eq!(world.store.deployment(failed.id + 1).unwrap().act, Act::Abandon);
    world.assert_serves(&live, &["web.1.1"]).await;
    assert_eq!(routed(&world), None);
}

#[tokio::test]
async fn doctor_says_that_a_canary_fails_and_its_instances_get_nothing() {
    let mut world = World::new();
    world.settings.reconcile_all_every = Duration::from_millis(100);
    let (engine, live) = world.with_live_shop().await;
    let next = succeeds(&engine, canary(&world, &[("a", "2")], 10))
        .await
        .release
        .unwrap();
    let id = world.instance("web.2.1").unwrap().id;
    world.traffic.set_status(TrafficStatus {
        ejected: vec![BackendId::from(&id)],
        ..TrafficStatus::default()
    });
    let why = format!("canary 10 %: release {next} does not answer, so its visitors get the live release");
    let is_said = |findings: &[hostkit_engine::Finding]| {
        let mut findings = findings.iter();
        findings.any(|f| f.level == Level::Problem && f.message == why && f.hint.is_some())
    };
    assert!(is_said(&engine.doctor().await));
    assert!(is_said(&engine.doctor_of(&shop()).await.unwrap()));
    let told = |wanted: bool| {
        let events = world.store.events(&EventQuery::default()).unwrap();
        let is_so = |what: &What| matches!(what, What::Canary { release, answers } if *release == next && *answers == wanted);
        events.iter().filter(|event| is_so(&event.what)).count()
    };
    until("an event tells it", || told(false) == 1).await;
    assert_eq!(told(true), 0);
    world.traffic.set_status(TrafficStatus::default());
    assert!(!is_said(&engine.doctor().await));
    until("an event tells that it is back", || told(true) == 1).await;
    let address = world.instance("web.2.1").unwrap().address.unwrap();
    world
        .probe
        .answer(address, Health::Unhealthy("it is broken".into()));
    world.runtime.crash(&id, 1);
    until("it is taken out", || {
        routed(&world).is_some_and(|(.., backends)| backends.is_empty())
    })
    .await;
    assert!(is_said(&engine.doctor().await));
    until("an event tells it", || told(false) == 2).await;
    assert_eq!(world.backends(), ["web.1.1"]);
    assert_eq!(
        world.store.environment(&shop()).unwrap().live.unwrap().release,
        live
    );
}

#[tokio::test]
async fn a_deletion_takes_the_canary_with_it() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    succeeds(&engine, canary(&world, &[("a", "2")], 10)).await;
    engine.delete_project(&shop().project).await.unwrap();
    assert_eq!(world.running(), Vec::<String>::new());
    assert!(world.traffic.table().canaries.is_empty());
    assert!(!world.layout().project(&shop().project).exists());
}

#[tokio::test]
async fn neither_the_live_release_nor_its_canary_is_tidied_away() {
    let world = World::new();
    let engine = world.with_shop().await;
    let keep = ("hostkit.toml", "[releases]\nkeep = 2");
    let live = succeeds(&engine, world.deploy(&[keep, ("a", "1")]))
        .await
        .release
        .unwrap();
    let next = succeeds(&engine, canary(&world, &[keep, ("a", "2")], 10))
        .await
        .release
        .unwrap();
    succeeds(&engine, Act::Restart).await;
    assert_eq!(world.folders(), [live.to_string(), next.to_string()]);
}

/// Submits an act that is interrupted at a moment; stops the engine there.
async fn interrupted(world: &World, engine: &Engine, act: Act, moment: Moment, step: StepName) -> u64 {
    world.settings.faults.add(Fault::Halt, moment, step);
    let id = engine.submit(&shop(), act, "test").await.unwrap().id;
    until("the fault", || world.settings.faults.is_empty()).await;
    engine.stop().await;
    id
}

#[tokio::test]
async fn each_act_on_a_canary_is_taken_up_at_every_step_also_after_a_loss_of_power() {
    for power in [false, true] {
        for step in StepName::ALL {
            for moment in [Moment::Before, Moment::After] {
                if power && moment == Moment::After {
                    continue;
                }
                let world = World::new();
                let (engine, live) = live_with_worker(&world).await;
                let files = [("a", "2"), PROCFILE];
                let resume = async |engine: std::sync::Arc<Engine>, act: Act| {
                    // What needs no build begins at `prepare`.
                    let is_deploy = matches!(act, Act::Deploy { .. });
                    let step = if is_deploy {
                        step
                    } else {
                        step.max(StepName::Prepare)
                    };
                    let id = interrupted(&world, &engine, act, moment, step).await;
                    if power {
                        world.lose_power();
                    }
                    let engine = world.engine().await;
                    let ended = engine.wait(id).await.unwrap();
                    assert_eq!(
                        ended.state,
                        DeploymentState::Succeeded,
                        "{step} {moment:?}: {:?}",
                        ended.failure
                    );
                    let all_run = || world.running().iter().any(|i| i.starts_with("worker"));
                    until("all runs", all_run).await;
                    (engine, ended.release.unwrap())
                };
                let routes = |own: Vec<&'static str>| {
                    let world = &world;
                    async move {
                        until("the routes", || {
                            routed(world).is_some_and(|(.., backends)| backends == own)
                        })
                        .await;
                        until("the live routes", || world.backends().len() == 1).await;
                    }
                };
                let before = ["web.1.1", "worker.1.1"];
                let (engine, next) = resume(engine, canary(&world, &files, 10)).await;
                routes(vec!["web.2.1"]).await;
                assert_both(&world, &live, &before, &next, 10, &["web.2.1"]).await;
                let (engine, _) = resume(engine, share(50)).await;
                routes(vec!["web.2.1"]).await;
                assert_both(&world, &live, &before, &next, 50, &["web.2.1"]).await;
                let (engine, _) = resume(engine, PROMOTE).await;
                until("the routes", || world.backends() == ["web.2.1"]).await;
                world.assert_serves(&next, &["web.2.1", "worker.2.1"]).await;
                let (engine, last) = resume(engine, canary(&world, &files, 10)).await;
                routes(vec!["web.5.1"]).await;
                assert_both(&world, &next, &["web.2.1", "worker.2.1"], &last, 10, &["web.5.1"]).await;
                let (engine, _) = resume(engine, Act::Abandon).await;
                until("the routes", || world.backends() == ["web.2.1"]).await;
                world.assert_serves(&next, &["web.2.1", "worker.2.1"]).await;
                assert_eq!(routed(&world), None);
                engine.stop().await;
            }
        }
    }
}

#[tokio::test]
async fn a_canary_stands_over_a_new_start_of_everything() {
    let world = World::new();
    let (engine, live) = world.with_live_shop().await;
    let next = succeeds(&engine, canary(&world, &[("a", "2")], 10))
        .await
        .release
        .unwrap();
    engine.stop().await;
    world.traffic.lose_everything();
    for instance in world.runtime.instances() {
        world.runtime.lose(&instance.id);
    }
    let engine = world.engine().await;
    until("both serve", || {
        world.backends() == ["web.1.1"]
            && routed(&world).is_some_and(|(.., backends)| backends == ["web.2.1"])
    })
    .await;
    assert_both(&world, &live, &["web.1.1"], &next, 10, &["web.2.1"]).await;
    // What was asked for while it was not there is refused as ever.
    let plain = world.deploy(&[("a", "3")]);
    assert_eq!(done(&engine, PROMOTE).await.state, DeploymentState::Succeeded);
    succeeds(&engine, plain).await;
}
