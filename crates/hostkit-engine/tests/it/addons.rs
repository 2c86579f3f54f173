//! Add-ons: what programs are told of them, rotations, interruptions, and what becomes of them with their project.

use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use hostkit_core::addon::{AddonHealth, AddonId, AddonKind, AddonSettings};
use hostkit_core::deployment::{Act, DeploymentState};
use hostkit_core::event::What;
use hostkit_core::kind::Kind;
use hostkit_core::port_use::PortUse;
use hostkit_core::project::ADDON_PORTS;
use hostkit_engine::Engine;
use hostkit_store::EventQuery;
use hostkit_testkit::fakes::Faults;

use crate::bench::{World, shop, succeeds, until, variables};

fn redis() -> AddonId {
    AddonId::new(shop(), AddonKind::Redis)
}

async fn add(engine: &Engine) {
    let settings = AddonSettings::default();
    let report = engine.add_addon(&redis(), &settings, "test").await.unwrap();
    assert_eq!(report.state.health, AddonHealth::Ready);
}

/// The beginning of what an instance was told as REDIS_URL: `fake://1` for the first credential.
fn told(world: &World, instance: &str) -> Option<String> {
    let instance = world.instance(instance).unwrap();
    let workload = world.runtime.started_from(&instance.id).unwrap();
    let url = workload.variables.get(&"REDIS_URL".parse().unwrap())?;
    Some(url.reveal().split(':').take(2).collect::<Vec<_>>().join(":"))
}

fn happened(world: &World, wanted: impl Fn(&What) -> bool) -> bool {
    let events = world.store.events(&EventQuery::default()).unwrap();
    events.iter().any(|event| wanted(&event.what))
}

#[tokio::test]
async fn programs_are_told_of_it_from_the_next_start_on() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    add(&engine).await;
    assert_eq!(told(&world, "web.1.1"), None);
    succeeds(&engine, Act::Restart).await;
    assert_eq!(told(&world, "web.2.1").unwrap(), "fake://1");
    let dotenv = std::fs::read_to_string(world.layout().dotenv(&shop())).unwrap();
    assert!(dotenv.contains("REDIS_URL=fake://1:"), "{dotenv}");
    let list = engine.addons(&shop()).await.unwrap();
    assert_eq!(list.len(), 1);
    let port = list[0].addon.order.port.unwrap();
    assert!(ADDON_PORTS.contains(&port), "{port}");
    let twice = engine
        .add_addon(&redis(), &AddonSettings::default(), "test")
        .await;
    assert_eq!(twice.unwrap_err().kind, Kind::Conflict);
    let owned = world.port_owners.owned().unwrap();
    assert_eq!(owned.get(&port), Some(&PortUse::of_project(shop().project)));
}

/// As another installation's server that was down when it was looked whether its port is free.
#[tokio::test]
async fn one_whose_port_turns_out_to_be_somebody_elses_gets_another() {
    let mut world = World::new();
    // The first one that is asked for, from the second time on.
    static LOST: AtomicU16 = AtomicU16::new(0);
    world.port_is_free = |port| {
        !ADDON_PORTS.contains(&port)
            || LOST.compare_exchange(0, port, Ordering::Relaxed, Ordering::Relaxed) != Err(port)
    };
    let engine = world.with_shop().await;
    world
        .addon
        .faults
        .fail_next("ensure_addon", Faults::broken("start it"));
    add(&engine).await;
    let list = engine.addons(&shop()).await.unwrap();
    let (lost, port) = (LOST.load(Ordering::Relaxed), list[0].addon.order.port.unwrap());
    assert_ne!(port, lost);
    let owned = world.port_owners.owned().unwrap();
    assert!(!owned.contains_key(&lost) && owned.contains_key(&port));
    // Of a failure that has to do with no port it is told at once.
    engine.remove_addon(&redis(), false).await.unwrap();
    world
        .addon
        .faults
        .fail_next("ensure_addon", Faults::broken("start it"));
    let settings = AddonSettings::default();
    let failure = engine.add_addon(&redis(), &settings, "test").await.unwrap_err();
    assert!(failure.message.contains("start it"), "{failure}");
}

#[tokio::test]
async fn a_name_is_the_users_or_the_addons_and_never_both() {
    let world = World::new();
    let engine = world.with_shop().await;
    let url = variables(&[("REDIS_URL", "redis://elsewhere")]);
    engine
        .set_variables(&shop(), url.clone(), &[], "test")
        .await
        .unwrap();
    let refused = engine
        .add_addon(&redis(), &AddonSettings::default(), "test")
        .await
        .unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(refused.hint.unwrap().contains("hostkit env unset REDIS_URL"));
    assert!(world.addon.accepted(&redis()).is_empty());
    let name = "REDIS_URL".parse().unwrap();
    engine
        .set_variables(&shop(), variables(&[]), &[name], "test")
        .await
        .unwrap();
    add(&engine).await;
    let refused = engine.set_variables(&shop(), url, &[], "test").await.unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(refused.message.contains("its Redis gives it"), "{refused}");
}

#[tokio::test]
async fn a_rotation_ends_with_the_new_credential_alone_and_rollbacks_know_it() {
    let world = World::new();
    let (engine, first) = world.with_live_shop().await;
    add(&engine).await;
    succeeds(&engine, world.deploy(&[("a", "2")])).await;
    assert_eq!(told(&world, "web.2.1").unwrap(), "fake://1");
    let addon = engine.rotate_addon(&redis(), "test").await.unwrap();
    assert_eq!(
        engine.wait(addon.rotation.unwrap()).await.unwrap().state,
        DeploymentState::Succeeded
    );
    assert_eq!(told(&world, "web.3.1").unwrap(), "fake://2");
    until("the end of the rotation", || {
        world.addon.accepted(&redis()) == [2]
    })
    .await;
    let entries = world.journal.entries();
    let at = |what: &str| entries.iter().position(|entry| entry == what).unwrap();
    let both = at("accept shop/production redis 2 1");
    assert!(both < at("remove shop.production.web.2"));
    assert!(at("remove shop.production.web.2") < at("accept shop/production redis 2"));
    succeeds(&engine, Act::Rollback { to: first }).await;
    assert_eq!(told(&world, "web.4.1").unwrap(), "fake://2");
    assert!(happened(&world, |what| matches!(what, What::AddonRotated { .. })));
}

#[tokio::test]
async fn a_rotation_whose_restart_fails_keeps_both_until_a_deployment_succeeds() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    add(&engine).await;
    world.traffic.faults.fail_always("apply", Faults::broken("apply"));
    let addon = engine.rotate_addon(&redis(), "test").await.unwrap();
    let restart = engine.wait(addon.rotation.unwrap()).await.unwrap();
    assert_eq!(restart.state, DeploymentState::Failed);
    world.traffic.faults.clear();
    assert_eq!(world.addon.accepted(&redis()), [2, 1]);
    // Asked again it is the same rotation.
    assert_eq!(
        engine.rotate_addon(&redis(), "test").await.unwrap().rotation,
        addon.rotation
    );
    assert_eq!(world.addon.accepted(&redis()), [2, 1]);
    succeeds(&engine, world.deploy(&[("a", "2")])).await;
    until("the end of the rotation", || {
        world.addon.accepted(&redis()) == [2]
    })
    .await;
}

#[tokio::test]
async fn where_nothing_runs_a_rotation_is_over_at_once() {
    let world = World::new();
    let engine = world.with_shop().await;
    add(&engine).await;
    let addon = engine.rotate_addon(&redis(), "test").await.unwrap();
    assert_eq!((addon.order.credentials.len(), addon.rotation), (1, None));
    assert_eq!(world.addon.accepted(&redis()), [2]);
}

/// That it is over is said when the older credential is refused, and not before.
#[tokio::test]
async fn a_rotation_is_not_over_while_the_old_credential_is_not_refused() {
    let world = World::new();
    let engine = world.with_shop().await;
    add(&engine).await;
    // Ensured with both, then with the newer one alone.
    world
        .addon
        .faults
        .fail_always("ensure_addon", Faults::broken("refuse it"));
    engine.rotate_addon(&redis(), "test").await.unwrap_err();
    assert_eq!(world.addon.accepted(&redis()), [1]);
    let list = engine.addons(&shop()).await.unwrap();
    assert_eq!(list[0].addon.order.credentials.len(), 2);
    assert!(!happened(&world, |what| matches!(
        what,
        What::AddonRotated { .. }
    )));
    world.addon.faults.clear();
    until("the end of the rotation", || {
        happened(&world, |what| matches!(what, What::AddonRotated { .. }))
    })
    .await;
    assert_eq!(world.addon.accepted(&redis()), [2]);
}

#[tokio::test]
async fn settings_are_changed_or_stay_as_they_were() {
    let world = World::new();
    let engine = world.with_shop().await;
    add(&engine).await;
    assert!(world.store.addon(&redis()).unwrap().order.made);
    let wanted = AddonSettings {
        keep_all: true,
        ..AddonSettings::default()
    };
    world
        .addon
        .faults
        .fail_next("ensure_addon", Faults::broken("start it"));
    engine.change_addon(&redis(), &wanted, "test").await.unwrap_err();
    let kept = || world.store.addon(&redis()).unwrap().order.settings;
    assert_eq!(kept(), AddonSettings::default());
    let changed = engine.change_addon(&redis(), &wanted, "test").await.unwrap();
    assert_eq!((changed.addon.order.settings, kept()), (wanted.clone(), wanted));
    assert!(happened(&world, |what| matches!(what, What::AddonChanged { .. })));
}

#[tokio::test]
async fn one_that_does_not_work_is_a_finding() {
    let world = World::new();
    let engine = world.with_shop().await;
    add(&engine).await;
    let broken = async || {
        let whole = engine.doctor().await;
        let own = engine.doctor_of(&shop()).await.unwrap();
        let mut both = whole.iter().chain(&own);
        both.any(|finding| finding.message == "it does not work: it is not there")
    };
    assert!(!broken().await);
    world
        .addon
        .faults
        .fail_always("ensure_addon", Faults::broken("start it"));
    world.addon.lose(&redis());
    assert!(broken().await);
}

#[tokio::test]
async fn one_that_cannot_be_made_leaves_nothing() {
    let world = World::new();
    let engine = world.with_shop().await;
    world
        .addon
        .faults
        .fail_next("ensure_addon", Faults::broken("start it"));
    let refused = engine
        .add_addon(&redis(), &AddonSettings::default(), "test")
        .await;
    assert_eq!(
        refused.unwrap_err().message,
        "cannot start it: the test wants it so"
    );
    assert!(engine.addons(&shop()).await.unwrap().is_empty());
    add(&engine).await;
}

#[tokio::test]
async fn what_was_interrupted_or_lost_is_put_right_at_the_next_start() {
    let world = World::new();
    let engine = world.with_shop().await;
    add(&engine).await;
    engine.stop().await;
    world.addon.lose(&redis());
    world
        .addon
        .faults
        .fail_always("ensure_addon", Faults::broken("start it"));
    let engine = world.engine().await;
    until("word of it", || {
        happened(&world, |what| matches!(what, What::AddonDown { .. }))
    })
    .await;
    let down = engine.addons(&shop()).await.unwrap();
    assert!(matches!(down[0].state.health, AddonHealth::Down(_)));
    engine.stop().await;
    world.addon.faults.clear();
    let engine = world.engine().await;
    until("the add-on", || world.addon.accepted(&redis()) == [1]).await;
    world
        .addon
        .faults
        .fail_next("remove_addon", Faults::broken("remove it"));
    engine.remove_addon(&redis(), true).await.unwrap_err();
    assert!(engine.addons(&shop()).await.unwrap()[0].addon.removing);
    engine.stop().await;
    let _engine = world.engine().await;
    until("its end", || world.store.addons().unwrap().is_empty()).await;
    assert!(world.addon.accepted(&redis()).is_empty());
}

/// One that is as it was left is ensured no more, until it is lost or changed; where what all share does not work, that is
/// told of each, and its end.
#[tokio::test]
async fn one_look_at_all_is_enough_and_its_failure_is_everybodys() {
    let mut world = World::new();
    world.settings.reconcile_all_every = Duration::from_millis(20);
    let engine = world.with_shop().await;
    add(&engine).await;
    let faults = &world.addon.faults;
    faults.fail_always("ensure_addon", Faults::broken("start it"));
    faults.fail_always("settled_addons", Faults::broken("reach the server"));
    let down = |why: &'static str| {
        let told = move |what: &What| matches!(what, What::AddonDown { reason, .. } if reason.contains(why));
        happened(&world, told)
    };
    until("word of the server", || down("reach the server")).await;
    faults.clear();
    faults.fail_always("ensure_addon", Faults::broken("start it"));
    let back = || happened(&world, |what| matches!(what, What::AddonBack { .. }));
    until("its end", back).await;
    assert!(!down("start it"));
    world.addon.lose(&redis());
    until("word of what is lost", || down("start it")).await;
}

#[tokio::test]
async fn a_deploy_says_what_does_not_work() {
    let world = World::new();
    let engine = world.with_shop().await;
    add(&engine).await;
    world.addon.lose(&redis());
    world
        .addon
        .faults
        .fail_always("ensure_addon", Faults::broken("start it"));
    let deployment = succeeds(&engine, world.deploy(&[("a", "1")])).await;
    let log = std::fs::read_to_string(world.layout().deployment_log(&shop(), deployment.id)).unwrap();
    assert!(
        log.contains("warning: Redis does not work: it is not there"),
        "{log}"
    );
}

#[tokio::test]
async fn it_goes_with_its_project() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    add(&engine).await;
    world
        .addon
        .faults
        .fail_next("remove_addon", Faults::broken("remove it"));
    engine.delete_project(&shop().project).await.unwrap_err();
    assert_eq!(world.addon.accepted(&redis()), [1]);
    engine.delete_project(&shop().project).await.unwrap();
    assert!(world.addon.accepted(&redis()).is_empty());
    assert!(world.store.addons().unwrap().is_empty());
    let gone = engine.addons(&shop()).await.unwrap_err();
    assert_eq!(gone.kind, Kind::NotFound);
}

#[tokio::test]
async fn its_secrets_are_not_in_the_log_of_a_deployment() {
    let world = World::new();
    let engine = world.with_shop().await;
    add(&engine).await;
    let order = world.store.addon(&redis()).unwrap().order;
    let secret = order.credentials[0].secret.reveal();
    let line = format!("connecting to fake://1:{secret}@ with {secret}");
    world.builder.prints(&[&line]);
    let deployment = succeeds(&engine, world.deploy(&[("a", "1")])).await;
    let log = std::fs::read_to_string(world.layout().deployment_log(&shop(), deployment.id)).unwrap();
    assert!(log.contains("connecting to"), "{log}");
    assert!(!log.contains(secret), "{log}");
}

#[tokio::test]
async fn what_an_older_credential_gave_is_not_in_the_log_while_it_is_accepted() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    add(&engine).await;
    let order = world.store.addon(&redis()).unwrap().order;
    let secret = order.credentials[0].secret.reveal();
    world.traffic.faults.fail_always("apply", Faults::broken("apply"));
    let addon = engine.rotate_addon(&redis(), "test").await.unwrap();
    engine.wait(addon.rotation.unwrap()).await.unwrap();
    world.traffic.faults.clear();
    assert_eq!(world.addon.accepted(&redis()), [2, 1]);
    world
        .builder
        .prints(&[&format!("connecting to fake://1:{secret}@")]);
    let deployment = succeeds(&engine, world.deploy(&[("a", "2")])).await;
    let log = std::fs::read_to_string(world.layout().deployment_log(&shop(), deployment.id)).unwrap();
    assert!(log.contains("connecting to"), "{log}");
    // All of what was given, not the secret in it alone: another one may follow from it.
    assert!(!log.contains("fake://1:"), "{log}");
}
