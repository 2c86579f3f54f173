//! Databases: what is recorded, what is done one after the other, and what is left where something fails.

use futures_util::StreamExt;
use hostkit_core::addon::{AddonId, AddonKind, AddonSettings};
use hostkit_core::database::DatabaseId;
use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::Dump;
use hostkit_engine::Engine;
use hostkit_store::EventQuery;
use hostkit_testkit::fakes::Faults;

use crate::bench::{World, shop, until};

fn database(label: &str) -> DatabaseId {
    DatabaseId::new(shop(), label.parse().unwrap())
}

fn coming(pieces: &[&[u8]]) -> Dump {
    let pieces: Vec<_> = pieces.iter().map(|piece| Ok(piece.to_vec())).collect();
    Box::pin(futures_util::stream::iter(pieces))
}

async fn with_database(world: &World) -> std::sync::Arc<Engine> {
    let engine = world.with_shop().await;
    let id = AddonId::new(shop(), AddonKind::Postgres);
    engine
        .add_addon(&id, &AddonSettings::default(), "test")
        .await
        .unwrap();
    world.databases.fill(&database("db"), b"rows");
    engine
}

fn happened(world: &World, wanted: impl Fn(&What) -> bool) -> usize {
    let events = world.store.events(&EventQuery::default()).unwrap();
    events.iter().filter(|event| wanted(&event.what)).count()
}

#[tokio::test]
async fn without_postgresql_every_one_of_them_says_how_to_add_it() {
    let world = World::new();
    let engine = world.with_shop().await;
    let refused = engine.databases(&shop()).await.unwrap_err();
    assert_eq!(refused.kind, Kind::NotFound);
    assert_eq!(
        refused.hint.as_deref(),
        Some("add one with `hostkit addon add shop postgres`")
    );
    let refused = engine
        .restore_database(&database("db"), coming(&[]), true, "test")
        .await
        .unwrap_err();
    assert_eq!(refused.kind, Kind::NotFound);
}

#[tokio::test]
async fn a_database_is_made_once_and_dropped_and_both_are_told() {
    let world = World::new();
    let engine = with_database(&world).await;
    let made = engine
        .create_database(&database("tenant_a"), "ann")
        .await
        .unwrap();
    assert_eq!(made.name, "shop_tenant_a");
    let twice = engine
        .create_database(&database("tenant_a"), "ann")
        .await
        .unwrap_err();
    assert_eq!(twice.kind, Kind::Conflict);
    world
        .databases
        .faults
        .fail_next("drop_database", Faults::broken("drop it"));
    engine
        .drop_database(&database("tenant_a"), true, "ann")
        .await
        .unwrap_err();
    assert_eq!(
        happened(&world, |what| matches!(what, What::DatabaseDropped { .. })),
        0
    );
    engine
        .drop_database(&database("tenant_a"), true, "ann")
        .await
        .unwrap();
    let gone = engine
        .drop_database(&database("tenant_a"), true, "ann")
        .await
        .unwrap_err();
    assert_eq!(gone.kind, Kind::NotFound);
    assert!(gone.hint.unwrap().contains("hostkit db create shop tenant_a"));
    assert_eq!(
        happened(
            &world,
            |what| matches!(what, What::DatabaseCreated { by, .. } if by == "ann")
        ),
        1
    );
    assert_eq!(
        happened(
            &world,
            |what| matches!(what, What::DatabaseDropped { by, .. } if by == "ann")
        ),
        1
    );
}

#[tokio::test]
async fn a_dump_is_told_first_and_so_is_its_failure() {
    let world = World::new();
    let engine = with_database(&world).await;
    let dump = engine.dump_database(&database("db"), "ann").await.unwrap();
    assert_eq!(
        happened(
            &world,
            |what| matches!(what, What::DatabaseDumped { by, .. } if by == "ann")
        ),
        1
    );
    let pieces: Vec<Result<Vec<u8>, Failure>> = dump.collect().await;
    assert!(pieces.iter().all(Result::is_ok));
    world
        .databases
        .faults
        .fail_next("dump_database", Faults::broken("read on"));
    let dump = engine.dump_database(&database("db"), "ann").await.unwrap();
    assert!(dump.collect::<Vec<_>>().await.pop().unwrap().is_err());
    let failed =
        |what: &What| matches!(what, What::DatabaseDumpFailed { reason, .. } if reason.contains("read on"));
    assert_eq!(happened(&world, failed), 1);
}

#[tokio::test]
async fn a_restore_that_fails_leaves_the_old_one_and_nothing_beside_it() {
    let world = World::new();
    let engine = with_database(&world).await;
    let (id, replaced) = (database("db"), |what: &What| {
        matches!(what, What::DatabaseReplaced { .. })
    });
    let restore = async |pieces: &[&[u8]]| engine.restore_database(&id, coming(pieces), true, "ann").await;
    restore(&[b"what is no dump"]).await.unwrap_err();
    for fault in ["restore_beside", "take_place"] {
        world.databases.faults.fail_next(fault, Faults::broken(fault));
        restore(&[b"PGD", b"MPnew"]).await.unwrap_err();
        assert!(!world.databases.waits(&id), "{fault}");
    }
    assert_eq!(world.databases.data(&id).unwrap(), b"rows");
    assert_eq!(happened(&world, replaced), 0);
    let restored = restore(&[b"PGD", b"MPnew"]).await.unwrap();
    assert_eq!(
        (restored.name.as_str(), restored.tables, restored.rows),
        ("shop_db", 1, 3)
    );
    assert_eq!(world.databases.data(&id).unwrap(), b"new");
    assert_eq!(happened(&world, replaced), 1);
}

#[tokio::test]
async fn one_change_at_a_time_and_the_second_is_told_so() {
    let world = World::new();
    let engine = with_database(&world).await;
    world.databases.faults.block("restore_beside");
    let first = tokio::spawn({
        let engine = engine.clone();
        async move {
            engine
                .restore_database(&database("db"), coming(&[b"PGDMPfirst"]), true, "ann")
                .await
        }
    });
    let refused = || async { engine.create_database(&database("other"), "bob").await };
    let mut second = refused().await;
    while second.is_ok() {
        engine
            .drop_database(&database("other"), true, "bob")
            .await
            .unwrap_or_default();
        tokio::task::yield_now().await;
        second = refused().await;
    }
    assert!(second.unwrap_err().message.contains("under way"));
    // Looks go on, and a caller who goes away does not stop it.
    engine.databases(&shop()).await.unwrap();
    first.abort();
    world.databases.faults.release("restore_beside");
    until("the first is done", || {
        world.databases.data(&database("db")).unwrap() == b"first"
    })
    .await;
}

#[tokio::test]
async fn a_clone_that_fails_takes_back_what_it_made_for_it() {
    let world = World::new();
    let engine = with_database(&world).await;
    let (from, to) = (database("db"), database("trial"));
    for fault in ["dump_database", "restore_beside", "take_place"] {
        world.databases.faults.fail_next(fault, Faults::broken(fault));
        engine.clone_database(&from, &to, true, "ann").await.unwrap_err();
        assert_eq!(world.databases.data(&to), None, "{fault}");
    }
    engine.clone_database(&from, &to, true, "ann").await.unwrap();
    assert_eq!(world.databases.data(&to).unwrap(), b"rows");
    world.databases.fill(&to, b"its own");
    world
        .databases
        .faults
        .fail_next("dump_database", Faults::broken("read"));
    engine.clone_database(&from, &to, true, "ann").await.unwrap_err();
    assert_eq!(world.databases.data(&to).unwrap(), b"its own");
    let itself = engine
        .clone_database(&from, &from, true, "ann")
        .await
        .unwrap_err();
    assert_eq!(itself.kind, Kind::Invalid);
}
