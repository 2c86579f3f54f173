//! Ports belong to projects before anything runs behind them, and to nobody once it is gone.

use std::collections::BTreeMap;
use std::time::Duration;

use hostkit_core::deployment::{Act, StepName};
use hostkit_core::kind::Kind;
use hostkit_core::port_use::PortUse;
use hostkit_engine::Level;
use hostkit_testkit::fakes::Faults;

use crate::bench::{World, fails, process, shop, succeeds, until};

fn owned(ports: &[u16]) -> Option<BTreeMap<u16, PortUse>> {
    let used = || PortUse::of_project(shop().project);
    Some(ports.iter().map(|port| (*port, used())).collect())
}

#[tokio::test]
async fn a_port_has_its_owner_before_the_program_runs_and_none_after_it_is_gone() {
    let world = World::new();
    let engine = world.engine().await;
    assert_eq!(world.port_owners.owned(), owned(&[]));
    engine.create_project(&shop().project).await.unwrap();
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    assert_eq!(world.port_owners.owned(), owned(&[8001, 20000]));
    let entries = world.journal.entries();
    let at = |what: &str| {
        entries
            .iter()
            .position(|e| e == what)
            .unwrap_or_else(|| panic!("{what}: {entries:?}"))
    };
    assert!(at("own 8001 shop, 20000 shop") < at("ensure shop.production.web.1 x1"));
    // While both generations run both have theirs; afterwards the old one's is nobody's again.
    succeeds(&engine, world.deploy(&[("a", "2")])).await;
    assert_eq!(world.journal.count("own 8001 shop, 20000 shop, 20001 shop"), 1);
    until("the old port is nobody's", || {
        world.port_owners.owned() == owned(&[8001, 20001])
    })
    .await;
    engine.delete_project(&shop().project).await.unwrap();
    assert_eq!(world.port_owners.owned(), owned(&[]));
}

#[tokio::test]
async fn without_rules_nothing_is_started_and_what_serves_goes_on() {
    let world = World::new();
    let (engine, live) = world.with_live_shop().await;
    world
        .port_owners
        .faults
        .fail_always("own", Faults::broken("change the firewall"));
    let failed = fails(&engine, world.deploy(&[("a", "2")])).await;
    let failure = failed.failure.unwrap();
    assert_eq!(failed.steps.last().unwrap().name, StepName::Start);
    assert_eq!(failure.kind, Kind::Unavailable);
    assert_eq!(
        failure.message,
        "cannot start anything: ports are not kept apart: cannot change the firewall: the test wants it so"
    );
    world.assert_serves(&live, &["web.1.1"]).await;
    assert_eq!(world.journal.count("ensure shop.production.web.2"), 0);
    let findings = engine.doctor().await;
    let ports = findings
        .iter()
        .find(|finding| finding.subject == "ports")
        .unwrap();
    assert_eq!(ports.level, Level::Problem);
    assert!(!engine.health().await.is_healthy());
    world.port_owners.faults.clear();
    succeeds(&engine, world.deploy(&[("a", "3")])).await;
    assert!(engine.health().await.is_healthy());
}

#[tokio::test]
async fn a_lost_instance_comes_back_only_behind_rules() {
    let world = World::new();
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    world
        .port_owners
        .faults
        .fail_always("own", Faults::broken("change the firewall"));
    let id = world.instance("web.1.1").unwrap().id;
    world.journal.clear();
    world.runtime.lose(&id);
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(world.journal.count("ensure"), 0);
    world.port_owners.faults.clear();
    until("it is started again", || world.running() == ["web.1.1"]).await;
    drop(engine);
}

#[tokio::test]
async fn rules_that_somebody_took_away_come_back() {
    let mut world = World::new();
    world.settings.reconcile_all_every = Duration::from_millis(100);
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    world.port_owners.lose();
    until("they are back", || {
        world.port_owners.owned() == owned(&[8001, 20000])
    })
    .await;
    drop(engine);
}

#[tokio::test]
async fn a_start_without_rules_is_a_start_and_makes_up_for_it() {
    let world = World::new();
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    engine.stop().await;
    drop(engine);
    world.port_owners.lose();
    world
        .port_owners
        .faults
        .fail_always("own", Faults::broken("change the firewall"));
    let engine = world.engine().await;
    assert!(!engine.health().await.is_healthy());
    assert_eq!(world.running(), ["web.1.1"]);
    world.port_owners.faults.clear();
    until("they are back", || {
        world.port_owners.owned() == owned(&[8001, 20000])
    })
    .await;
    drop(engine);
}

#[tokio::test]
async fn more_instances_are_more_ports_and_a_stopped_environment_keeps_its_stable_one() {
    let world = World::new();
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    let process = process("web");
    succeeds(&engine, Act::Scale { process, count: 3 }).await;
    assert_eq!(world.port_owners.owned(), owned(&[8001, 20000, 20001, 20002]));
    succeeds(&engine, Act::Stop).await;
    until("only the stable port is owned", || {
        world.port_owners.owned() == owned(&[8001])
    })
    .await;
    drop(engine);
}
