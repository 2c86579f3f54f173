//! Who gets a host name.

use hostkit_core::deployment::{Act, Deployment, DeploymentState, StepName};
use hostkit_core::kind::Kind;
use hostkit_core::project::EnvironmentId;
use hostkit_engine::Engine;
use hostkit_engine::faults::{Fault, Moment};

use crate::bench::{World, done, shop, succeeds, until};

const NAME: &str = "www.example.com";

/// A project of another name, which exists.
async fn project(engine: &Engine, name: &str) -> EnvironmentId {
    let id = EnvironmentId::new(name.parse().unwrap(), shop().environment);
    engine.create_project(&id.project).await.unwrap();
    id
}

/// Asks for a deployment that claims these host names.
async fn claim(world: &World, engine: &Engine, id: &EnvironmentId, hosts: &[&str]) -> Deployment {
    let manifest = format!("hosts = {hosts:?}");
    let source = world.sources.add(&id.project, &[("hostkit.toml", &manifest)]);
    engine
        .submit(id, Act::Deploy { source, canary: None }, "test")
        .await
        .unwrap()
}

/// The environments whose routes have [`NAME`].
fn holders(world: &World) -> Vec<EnvironmentId> {
    let name = NAME.parse().unwrap();
    let routes = world.traffic.table().routes.into_iter();
    routes
        .filter(|route| route.hosts.contains(&name))
        .filter_map(|route| route.environment)
        .collect()
}

#[tokio::test]
async fn of_two_first_deploys_at_one_moment_one_gets_the_name() {
    let world = World::new();
    let engine = world.with_shop().await;
    let ids = [
        project(&engine, "left").await,
        project(&engine, "right").await,
        project(&engine, "third").await,
    ];
    // All of them have passed the first look at the names when the first one switches.
    world.probe.faults.block("check");
    let mut asked = Vec::new();
    for id in &ids {
        asked.push(claim(&world, &engine, id, &[NAME]).await);
    }
    let checks = |d: &Deployment| {
        let now = world.store.deployment(d.id).unwrap();
        now.steps.last().is_some_and(|s| s.name == StepName::Check)
    };
    until("the checks", || asked.iter().all(checks)).await;
    world.probe.faults.release("check");
    let mut winners = Vec::new();
    for deployment in &asked {
        let ended = engine.wait(deployment.id).await.unwrap();
        if ended.state == DeploymentState::Succeeded {
            winners.push(ended.environment);
            continue;
        }
        let failure = ended.failure.unwrap();
        assert_eq!(failure.kind, Kind::Conflict, "{failure}");
        assert!(failure.message.contains("taken by another project"), "{failure}");
        // It never stood: nothing of it is live, and nothing was routed to it.
        let environment = world.store.environment(&ended.environment).unwrap();
        assert_eq!(environment.live, None);
        let theirs = |i: &hostkit_core::workload::Instance| i.id.workload.environment == ended.environment;
        assert!(!world.runtime.instances().iter().any(theirs));
        let routed = |route: &hostkit_core::route::Route| {
            route.environment.as_ref() == Some(&ended.environment) && route.release.is_some()
        };
        assert!(!world.traffic.tables().iter().any(|t| t.routes.iter().any(routed)));
    }
    assert_eq!(winners.len(), 1, "{winners:?}");
    assert_eq!(holders(&world), winners);
}

#[tokio::test]
async fn a_name_is_given_up_when_the_deployment_that_drops_it_is_final() {
    let world = World::new();
    let engine = world.with_shop().await;
    let other = project(&engine, "other").await;
    let with = format!("hosts = [{NAME:?}]");
    succeeds(&engine, world.deploy(&[("hostkit.toml", &with)])).await;
    // The next release gives the name up, has switched, and may still be taken back.
    let faults = &world.settings.faults;
    faults.add(Fault::Halt, Moment::After, StepName::Switch);
    let giving = engine
        .submit(&shop(), world.deploy(&[("a", "2")]), "test")
        .await
        .unwrap();
    until("the switch", || faults.is_empty()).await;
    let early = claim(&world, &engine, &other, &[NAME]).await;
    let failure = engine.wait(early.id).await.unwrap().failure.unwrap();
    assert_eq!(failure.kind, Kind::Conflict, "{failure}");
    engine.stop().await;
    let engine = world.engine().await;
    assert_eq!(
        engine.wait(giving.id).await.unwrap().state,
        DeploymentState::Succeeded
    );
    let late = claim(&world, &engine, &other, &[NAME]).await;
    assert_eq!(
        engine.wait(late.id).await.unwrap().state,
        DeploymentState::Succeeded
    );
    assert_eq!(holders(&world), std::slice::from_ref(&other));
    // Nor does the one who had it get it back while another has it.
    let first = world.store.releases(&shop()).unwrap().pop().unwrap().name;
    let back = done(&engine, Act::Rollback { to: first }).await;
    assert_eq!(back.failure.unwrap().kind, Kind::Conflict);
    assert_eq!(holders(&world), [other]);
}

#[tokio::test]
async fn a_switch_that_is_interrupted_keeps_its_name() {
    let world = World::new();
    let engine = world.with_shop().await;
    let other = project(&engine, "other").await;
    let faults = &world.settings.faults;
    faults.add(Fault::Halt, Moment::After, StepName::Switch);
    let first = claim(&world, &engine, &other, &[NAME]).await;
    until("the switch", || faults.is_empty()).await;
    let late = claim(&world, &engine, &shop(), &[NAME]).await;
    assert_eq!(engine.wait(late.id).await.unwrap().state, DeploymentState::Failed);
    engine.stop().await;
    let engine = world.engine().await;
    assert_eq!(
        engine.wait(first.id).await.unwrap().state,
        DeploymentState::Succeeded
    );
    assert_eq!(holders(&world), [other]);
}

#[tokio::test]
async fn hosts_of_others_are_not_taken() {
    let world = World::new();
    let engine = world.with_shop().await;
    let own = ("hostkit.toml", "hosts = [\"shop.example.com\"]");
    succeeds(&engine, world.deploy(&[own])).await;
    // Sorted before `shop`: who comes first by name does not matter.
    let thief = EnvironmentId::new("another".parse().unwrap(), shop().environment);
    engine.create_project(&thief.project).await.unwrap();
    for (host, why) in [
        ("shop.example.com", "taken by another project"),
        ("shop.localhost", "taken by another project"),
        ("hostkit.localhost", "HostKit's own"),
        ("localhost", "HostKit's own"),
    ] {
        let manifest = format!("hosts = [\"{host}\"]");
        let source = world.sources.add(&thief.project, &[("hostkit.toml", &manifest)]);
        let act = Act::Deploy { source, canary: None };
        let deployment = engine.submit(&thief, act, "test").await.unwrap();
        let ended = engine.wait(deployment.id).await.unwrap();
        let failure = ended.failure.unwrap();
        assert_eq!(failure.kind, Kind::Conflict);
        assert!(failure.message.contains(why), "{failure}");
        let table = world.traffic.table();
        let routes = table
            .routes
            .iter()
            .filter(|r| r.environment.as_ref() == Some(&thief));
        for route in routes {
            assert_eq!(route.hosts.len(), 1, "{:?}", route.hosts);
        }
    }
    // Its holder keeps it through further releases.
    succeeds(&engine, world.deploy(&[own, ("a", "2")])).await;
    let table = world.traffic.table();
    let name = "shop.example.com".parse().unwrap();
    let holder = table.routes.iter().find(|r| r.hosts.contains(&name)).unwrap();
    assert_eq!(holder.environment, Some(shop()));
}
