//! Instances that say, apart from being alive, whether they want requests.

use hostkit_core::deployment::Act;
use hostkit_core::traits::Health;
use hostkit_engine::Level;

use crate::bench::{World, shop, succeeds, until};

const MANIFEST: &str = "[process.web]\ncommand = \"x\"\ncount = 2\n[process.web.health]\npath = \"/alive\"\nready = \"/ready\"\n";

fn not_ready() -> Health {
    Health::Unhealthy("`/ready` answered 503".into())
}

#[tokio::test]
async fn one_that_wants_no_requests_gets_none_while_another_does_and_is_not_restarted() {
    let world = World::new();
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("hostkit.toml", MANIFEST)])).await;
    let address = |id: &str| world.instance(id).unwrap().address.unwrap();
    let (one, two) = (address("web.1.1"), address("web.1.2"));
    let begun = world.instance("web.1.1").unwrap().started_at;
    assert_eq!(world.backends(), ["web.1.1", "web.1.2"]);
    world.probe.answer_at(one, "/ready", not_ready());
    until("the first rests", || world.backends() == ["web.1.2"]).await;
    let findings = engine.doctor().await;
    let is_said = |f: &hostkit_engine::Finding| {
        f.subject == "shop.production.web.1.1"
            && f.level == Level::Warning
            && f.message.contains("wants no requests")
    };
    assert!(findings.iter().any(is_said), "{findings:?}");
    // Where none wants them, all are asked: somebody has to answer.
    world.probe.answer_at(two, "/ready", not_ready());
    until("both are asked", || world.backends() == ["web.1.1", "web.1.2"]).await;
    world.probe.answer_at(one, "/ready", Health::Healthy);
    until("the first is back", || world.backends() == ["web.1.1"]).await;
    world.probe.answer_at(two, "/ready", Health::Healthy);
    until("both are back", || world.backends() == ["web.1.1", "web.1.2"]).await;
    assert_eq!(world.journal.count("restart"), 0);
    assert_eq!(world.instance("web.1.1").unwrap().started_at, begun);
}

#[tokio::test]
async fn a_canary_that_wants_no_requests_leaves_them_to_the_live_release() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    let act = match world.deploy(&[("hostkit.toml", MANIFEST)]) {
        Act::Deploy { source, .. } => Act::Deploy {
            source,
            canary: Some(10.try_into().unwrap()),
        },
        other => other,
    };
    succeeds(&engine, act).await;
    for id in ["web.2.1", "web.2.2"] {
        world.probe.answer_at(
            world.instance(id).unwrap().address.unwrap(),
            "/ready",
            not_ready(),
        );
    }
    let is_empty = || {
        let table = world.traffic.table();
        let target = &table.canaries[0].routes[0].target;
        matches!(target, hostkit_core::route::Target::Instances { backends } if backends.is_empty())
    };
    until("nobody is sent there", is_empty).await;
    assert_eq!(world.backends(), ["web.1.1"]);
    assert_eq!(
        world
            .store
            .environment(&shop())
            .unwrap()
            .canary
            .unwrap()
            .generation,
        2
    );
}
