//! What followers are told, and what nobody is.

use futures_util::StreamExt;
use hostkit_core::deployment::{DeploymentState, StepState};
use hostkit_core::event::What;
use hostkit_core::log::{LogQuery, LogStream};
use hostkit_engine::DeploymentUpdate;
use hostkit_store::EventQuery;

use crate::bench::{World, done, shop, succeeds, until, variables};

const CANARY: &str = "canary-81723-swordfish";

#[tokio::test]
async fn a_follower_sees_everything_early_or_late() {
    let world = World::new();
    let engine = world.with_shop().await;
    world.builder.prints(&["installing", "done"]);
    world.builder.faults.block("build");
    let deployment = engine
        .submit(&shop(), world.deploy(&[("a", "1")]), "test")
        .await
        .unwrap();
    let early = tokio::spawn(engine.follow(deployment.id).await.unwrap().collect::<Vec<_>>());
    until("the build", || world.journal.count("build") > 0).await;
    world.builder.faults.release("build");
    let early = early.await.unwrap();
    let late: Vec<_> = engine.follow(deployment.id).await.unwrap().collect().await;
    for updates in [&early, &late] {
        let lines: Vec<&str> = updates
            .iter()
            .filter_map(|u| match u {
                DeploymentUpdate::Line(line) => Some(line.text.as_str()),
                DeploymentUpdate::Changed(_) => None,
            })
            .collect();
        assert!(lines.windows(2).any(|w| w == ["installing", "done"]), "{lines:?}");
        let Some(DeploymentUpdate::Changed(last)) = updates.last() else {
            panic!("ends with a line");
        };
        assert_eq!(last.state, DeploymentState::Succeeded);
    }
    let running = |u: &DeploymentUpdate| matches!(u, DeploymentUpdate::Changed(d) if d.steps.iter().any(|s| s.state == StepState::Running));
    assert!(early.iter().any(running));
}

#[tokio::test]
async fn values_of_variables_are_told_nowhere() {
    let world = World::new();
    let engine = world.with_shop().await;
    engine
        .set_variables(&shop(), variables(&[("SECRET", CANARY)]), &[], "test")
        .await
        .unwrap();
    world.builder.prints(&[&format!("building with {CANARY}")]);
    let deployment = succeeds(&engine, world.deploy(&[("a", "1")])).await;
    let id = world.instance("web.1.1").unwrap().id;
    world
        .runtime
        .print(&id, LogStream::Out, &format!("the key is {CANARY}"));
    // Also the value of before, which the live release still has.
    engine
        .set_variables(&shop(), variables(&[("SECRET", "another-value-5")]), &[], "test")
        .await
        .unwrap();
    let lines: Vec<_> = engine
        .logs(&shop(), &LogQuery::default())
        .await
        .unwrap()
        .collect()
        .await;
    assert_eq!(lines.last().unwrap().text, "the key is [masked]");
    let lines = vec![format!("bad key {CANARY}")];
    world.runtime.behave(
        None,
        None,
        hostkit_testkit::fakes::Behaviour::CrashAtStart(1, lines),
    );
    engine
        .set_variables(&shop(), variables(&[("SECRET", CANARY)]), &[], "test")
        .await
        .unwrap();
    let failed = done(&engine, world.deploy(&[("a", "2")])).await;
    assert!(format!("{failed:?}").contains("[masked]"));
    let events = world.store.events(&EventQuery::default()).unwrap();
    let log = std::fs::read_to_string(world.layout().deployment_log(&shop(), deployment.id)).unwrap();
    assert!(log.contains("building with [masked]"));
    let all = format!(
        "{failed:?}{events:?}{log}{:?}",
        world.store.deployment(deployment.id)
    );
    assert!(!all.contains(CANARY));
}

#[tokio::test]
async fn a_value_is_not_found_out_by_looking_for_it() {
    let world = World::new();
    let engine = world.with_shop().await;
    let set = async |value| {
        let set = variables(&[("SECRET", value)]);
        engine.set_variables(&shop(), set, &[], "test").await.unwrap();
    };
    set(CANARY).await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    let id = world.instance("web.1.1").unwrap().id;
    world
        .runtime
        .print(&id, LogStream::Out, &format!("key={CANARY};"));
    // It is another one by now, also in the live release; the old one still stands in the log.
    set("another-value-5").await;
    succeeds(&engine, world.deploy(&[("a", "2")])).await;
    for (looked_for, found) in [
        ("key=", &["key=[masked];"][..]),
        ("masked", &["key=[masked];"]),
        (&CANARY[..3], &[]),
        (CANARY, &[]),
        (";", &["key=[masked];"]),
    ] {
        let query = LogQuery {
            grep: Some(looked_for.to_owned()),
            last: Some(1),
            ..LogQuery::default()
        };
        let lines: Vec<_> = engine.logs(&shop(), &query).await.unwrap().collect().await;
        let texts: Vec<&str> = lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!(texts, found, "{looked_for}");
    }
}

#[tokio::test]
async fn what_no_program_could_be_started_with_is_refused() {
    let world = World::new();
    let engine = world.with_shop().await;
    let large = "x".repeat(120 * 1024);
    let names: Vec<String> = (0..8).map(|n| format!("V{n}")).collect();
    let pairs: Vec<(&str, &str)> = names.iter().map(|n| (n.as_str(), large.as_str())).collect();
    engine
        .set_variables(&shop(), variables(&pairs), &[], "test")
        .await
        .unwrap();
    let more = variables(&[("MORE", &large)]);
    let failure = engine
        .set_variables(&shop(), more.clone(), &[], "test")
        .await
        .unwrap_err();
    assert!(failure.message.contains("1MB are taken"), "{failure}");
    // In place of another one there is room.
    engine
        .set_variables(&shop(), more, &["V0".parse().unwrap()], "test")
        .await
        .unwrap();
    let none = world.store.events(&EventQuery {
        after: Some(u64::MAX),
        ..EventQuery::default()
    });
    assert!(none.unwrap().is_empty(), "nothing comes after the end of numbers");
}

#[tokio::test]
async fn reserved_names_and_impossible_values_are_refused() {
    let world = World::new();
    let engine = world.with_shop().await;
    for (name, value) in [
        ("PORT", "1".to_owned()),
        ("A", "x\0".to_owned()),
        ("A", "x".repeat(200_000)),
    ] {
        let set = variables(&[(name, &value)]);
        assert!(engine.set_variables(&shop(), set, &[], "test").await.is_err());
    }
}

#[tokio::test]
async fn events_tell_each_step_once_and_are_followed_without_a_gap() {
    let world = World::new();
    let engine = world.with_shop().await;
    let query = EventQuery {
        project: Some(shop().project),
        ..EventQuery::default()
    };
    let mut events = engine.events(&query, true).unwrap();
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    let mut seen = Vec::new();
    while let Some(event) = events.next().await {
        let last = matches!(
            &event.what,
            What::Deployment {
                state: DeploymentState::Succeeded,
                ..
            }
        );
        seen.push(event);
        if last {
            break;
        }
    }
    assert_eq!(seen, world.store.events(&query).unwrap());
    assert!(seen.windows(2).all(|w| w[0].id < w[1].id));
    let steps = seen
        .iter()
        .filter(|e| {
            matches!(
                e.what,
                What::Step {
                    state: StepState::Done,
                    ..
                }
            )
        })
        .count();
    assert_eq!(steps, 9);
    assert_eq!(engine.events(&query, false).unwrap().count().await, seen.len());
}
