//! What projects need on the machine comes and goes with them, whatever happens in between.

use hostkit_core::event::What;
use hostkit_core::kind::Kind;
use hostkit_core::names::ProjectName;
use hostkit_engine::OutsideAddresses;
use hostkit_store::EventQuery;
use hostkit_testkit::fakes::Faults;

use crate::bench::{World, shop, until};

fn name() -> ProjectName {
    shop().project
}

const ALL: [&str; 3] = ["account", "home", "rights"];

#[tokio::test]
async fn a_project_has_all_it_needs_before_it_is_answered_and_nothing_after_its_deletion() {
    let world = World::new();
    let engine = world.engine().await;
    engine.create_project(&name()).await.unwrap();
    assert_eq!(world.premises.parts(&name()), ALL);
    engine.delete_project(&name()).await.unwrap();
    assert!(world.premises.parts(&name()).is_empty());
    assert!(world.store.projects().unwrap().is_empty());
}

#[tokio::test]
async fn a_creation_that_fails_leaves_nothing_and_can_be_tried_again() {
    let world = World::new();
    let engine = world.engine().await;
    world
        .premises
        .faults
        .fail_next("ensure", Faults::broken("make a home"));
    let failure = engine.create_project(&name()).await.unwrap_err();
    assert_eq!(failure.message, "cannot make a home: the test wants it so");
    assert!(world.premises.parts(&name()).is_empty());
    assert!(world.store.projects().unwrap().is_empty());
    engine.create_project(&name()).await.unwrap();
}

#[tokio::test]
async fn a_creation_whose_undoing_fails_is_removed_at_the_next_start() {
    let world = World::new();
    let engine = world.engine().await;
    world
        .premises
        .faults
        .fail_next("ensure", Faults::broken("make a home"));
    world
        .premises
        .faults
        .fail_next("remove", Faults::broken("remove an account"));
    let failure = engine.create_project(&name()).await.unwrap_err();
    assert!(
        failure.details[0].contains("cannot remove an account"),
        "{failure:?}"
    );
    engine.stop().await;
    let _engine = world.engine().await;
    until("removal", || world.store.projects().unwrap().is_empty()).await;
    assert!(world.premises.parts(&name()).is_empty());
}

#[tokio::test]
async fn an_account_that_is_not_ours_is_not_touched() {
    let world = World::new();
    let engine = world.engine().await;
    world.premises.stranger("shop");
    let failure = engine.create_project(&name()).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Conflict);
    assert_eq!(world.premises.journal.count("remove"), 0);
    assert!(world.store.projects().unwrap().is_empty());
}

#[tokio::test]
async fn a_caller_that_leaves_does_not_leave_half_a_project() {
    let world = World::new();
    let engine = world.engine().await;
    world.premises.faults.block("ensure");
    let caller = {
        let engine = engine.clone();
        tokio::spawn(async move { engine.create_project(&name()).await })
    };
    until("the first part", || world.premises.parts(&name()) == ["account"]).await;
    caller.abort();
    world.premises.faults.release("ensure");
    until("all parts", || world.premises.parts(&name()) == ALL).await;
}

#[tokio::test]
async fn a_deletion_waits_for_the_creation_that_is_under_way() {
    let world = World::new();
    let engine = world.engine().await;
    world.premises.faults.block("ensure");
    let creation = {
        let engine = engine.clone();
        tokio::spawn(async move { engine.create_project(&name()).await })
    };
    until("the first part", || world.premises.parts(&name()) == ["account"]).await;
    let deletion = {
        let engine = engine.clone();
        tokio::spawn(async move { engine.delete_project(&name()).await })
    };
    until("the mark", || world.store.project(&name()).unwrap().deleting).await;
    world.premises.faults.release("ensure");
    assert_eq!(creation.await.unwrap().unwrap_err().kind, Kind::Conflict);
    deletion.await.unwrap().unwrap();
    assert!(world.premises.parts(&name()).is_empty());
}

#[tokio::test]
async fn what_is_missing_at_a_start_is_made_and_told() {
    let world = World::new();
    // As a control that was killed right after the row was written leaves it.
    world.store.create_project(&name()).unwrap();
    let engine = world.engine().await;
    until("all parts", || world.premises.parts(&name()) == ALL).await;
    engine.stop().await;
    world.premises.lose(&name(), "rights");
    let _engine = world.engine().await;
    until("all parts", || world.premises.parts(&name()) == ALL).await;
    until("the event", || {
        let query = EventQuery::default();
        let events = world.store.events(&query).unwrap();
        let mended = What::ProjectMended {
            changes: vec!["made rights".into()],
        };
        events.iter().any(|event| event.what == mended)
    })
    .await;
}

#[tokio::test]
async fn provisioning_again_mends_and_changes_nothing_else() {
    let world = World::new();
    let engine = world.engine().await;
    let first = engine
        .provision_project(&name(), &OutsideAddresses::new(), "test")
        .await
        .unwrap();
    assert!(first.is_new);
    assert_eq!(
        first.changes,
        ["made account", "made home", "made rights", "port 8001"]
    );
    let again = engine
        .provision_project(&name(), &OutsideAddresses::new(), "test")
        .await
        .unwrap();
    assert!(!again.is_new);
    assert_eq!(again.changes, [""; 0]);
    assert_eq!(again.project, first.project);
    world.premises.lose(&name(), "home");
    let mended = engine
        .provision_project(&name(), &OutsideAddresses::new(), "test")
        .await
        .unwrap();
    assert_eq!(
        (mended.is_new, mended.changes),
        (false, vec!["made home".to_owned()])
    );
    // A bare creation of what is there stays a conflict.
    let failure = engine.create_project(&name()).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Conflict);
}

#[tokio::test]
async fn a_project_that_goes_is_not_provisioned() {
    let world = World::new();
    let engine = world.engine().await;
    engine.create_project(&name()).await.unwrap();
    world.store.begin_delete(&name()).unwrap();
    let failure = engine
        .provision_project(&name(), &OutsideAddresses::new(), "test")
        .await
        .unwrap_err();
    assert_eq!(failure.kind, Kind::Conflict);
    assert_eq!(
        failure.message,
        "cannot provision project `shop`: it is being deleted"
    );
}

#[tokio::test]
async fn a_project_has_its_port_before_anything_runs_and_keeps_it() {
    let world = World::new();
    let engine = world.engine().await;
    let made = engine.create_project(&name()).await.unwrap();
    let ports = |project: &hostkit_store::Project| project.environments[0].ports.clone();
    assert_eq!(ports(&made).into_values().collect::<Vec<_>>(), [8001]);
    let other = engine.create_project(&"other".parse().unwrap()).await.unwrap();
    assert_eq!(ports(&other).into_values().collect::<Vec<_>>(), [8002]);
    assert_eq!(
        ports(
            &engine
                .provision_project(&name(), &OutsideAddresses::new(), "test")
                .await
                .unwrap()
                .project
        ),
        ports(&made)
    );
}

#[tokio::test]
async fn without_accounts_there_are_no_keys() {
    let world = World::new();
    let engine = world.engine().await;
    engine.create_project(&name()).await.unwrap();
    let failure = engine.operator_keys(&name()).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Conflict);
    assert_eq!(
        failure.message,
        "cannot list keys of `shop`: in local mode projects have no accounts to log in to"
    );
}

#[tokio::test]
async fn a_deletion_that_has_no_room_for_the_archive_changes_nothing() {
    let world = World::new();
    let engine = world.engine().await;
    engine.create_project(&name()).await.unwrap();
    world
        .archives
        .faults
        .fail_next("check", Faults::broken("archive"));
    engine.delete_project(&name()).await.unwrap_err();
    assert!(!world.store.project(&name()).unwrap().deleting);
    assert_eq!(world.premises.parts(&name()), ALL);
    // Once it has begun, what fails removes nothing, and the next one goes on.
    world.archives.faults.fail_next("keep", Faults::broken("archive"));
    engine.delete_project(&name()).await.unwrap_err();
    assert_eq!(world.premises.parts(&name()), ALL);
    let archive = engine.delete_project(&name()).await.unwrap().unwrap();
    assert_eq!(archive.file, "/archives/shop-0.tar.zst");
    assert!(world.premises.parts(&name()).is_empty());
    assert!(world.store.projects().unwrap().is_empty());
}

#[tokio::test]
async fn a_deletion_is_archived_once_however_often_it_is_interrupted() {
    let world = World::new();
    let engine = world.engine().await;
    engine.create_project(&name()).await.unwrap();
    world
        .premises
        .faults
        .fail_next("remove", Faults::broken("remove a home"));
    engine.delete_project(&name()).await.unwrap_err();
    engine.stop().await;
    let engine = world.engine().await;
    until("removal", || world.store.projects().unwrap().is_empty()).await;
    assert_eq!(world.archives.journal.count("archive"), 1);
    engine.create_project(&name()).await.unwrap();
    let keeps = hostkit_engine::Keeps {
        archive: false,
        backup: false,
    };
    engine.delete_project_keeping(&name(), keeps).await.unwrap();
    assert_eq!(world.archives.journal.count("archive"), 1);
}
