//! The production checklist looks at what there is.

use std::time::Duration;

use hostkit_core::kind::Kind;
use hostkit_core::traits::Health;
use hostkit_engine::{Engine, Level};
use tokio::time::{Instant, sleep};

use crate::bench::{World, shop, succeeds, variables};

/// What was found that is not as it should be.
async fn bad(engine: &Engine) -> Vec<String> {
    let findings = engine.doctor_of(&shop()).await.unwrap();
    let bad = findings.into_iter().filter(|f| f.level > Level::Fine);
    bad.map(|f| f.subject).collect()
}

/// Waits until this is found.
async fn until_bad(engine: &Engine, subject: &str) {
    let begun = Instant::now();
    while !bad(engine).await.iter().any(|found| found == subject) {
        assert!(begun.elapsed() < Duration::from_secs(60), "not found: {subject}");
        sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn the_checklist_of_an_environment_follows_what_is() {
    let world = World::new();
    let engine = world.with_shop().await;
    let mut nobody = shop();
    nobody.project = "nobody".parse().unwrap();
    assert_eq!(engine.doctor_of(&nobody).await.unwrap_err().kind, Kind::NotFound);
    assert_eq!(bad(&engine).await, ["release"]);
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    assert_eq!(bad(&engine).await, ["health path of web", "rollback"]);
    succeeds(&engine, world.deploy(&[("a", "2")])).await;
    assert_eq!(bad(&engine).await, ["health path of web"]);
    let set = variables(&[("SESSION_SECRET", "short")]);
    engine.set_variables(&shop(), set, &[], "test").await.unwrap();
    assert_eq!(
        bad(&engine).await,
        ["variables", "secret SESSION_SECRET", "health path of web"]
    );
    let web = world.instance("web.2.1").unwrap();
    let broken = Health::Unhealthy("GET / answered 500".into());
    world.probe.answer(web.address.unwrap(), broken);
    until_bad(&engine, "health of web").await;
    world.runtime.crash(&web.id, 1);
    until_bad(&engine, "restarts of web").await;
}
