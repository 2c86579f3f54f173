//! The history of databases, on a server and a target in memory: kept, bounded, brought back; cut off at every step.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use hostkit_core::addon::{AddonId, AddonKind, AddonSettings};
use hostkit_core::backup::history::{HistorySettings, Window};
use hostkit_core::backup::{BackupUpdate, Cause, Recovered};
use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::{BackupTarget, Clock, History};
use hostkit_engine::{BackupUpdates, Engine, MomentOrder};
use hostkit_store::EventQuery;
use hostkit_testkit::fakes::Faults;
use jiff::Timestamp;

use crate::bench::{World, shop, until};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn world() -> World {
    let mut world = World::new();
    world.makes_backups = true;
    world.settings.reconcile_all_every = Duration::from_millis(20);
    world.settings.history_patience = Duration::from_millis(100);
    world
}

fn settings(on: bool, days: u32) -> HistorySettings {
    HistorySettings { on, days }
}

/// An engine with a project whose data are `first`, and a history of them.
async fn started(world: &World) -> Arc<Engine> {
    let engine = world.with_shop().await;
    keep(world, &engine).await;
    engine
}

async fn keep(world: &World, engine: &Engine) {
    let redis = AddonId::new(shop(), AddonKind::Redis);
    engine
        .add_addon(&redis, &AddonSettings::default(), "test")
        .await
        .unwrap();
    write(world, "first");
    engine.set_history(settings(true, 7), "test").await.unwrap();
    soon(|| manifests(world) == 1).await;
    moment(world);
    world.history.file_now().await.unwrap();
    soon(|| windows(engine).len() == 1).await;
}

async fn soon(holds: impl FnMut() -> bool) {
    until("the history is as it should be", holds).await;
}

/// How many bases were made.
fn manifests(world: &World) -> usize {
    let puts = world.target.journal.entries();
    puts.iter()
        .filter(|put| put.starts_with("put cluster.") && put.ends_with("/manifest"))
        .count()
}

fn windows(engine: &Engine) -> Vec<Window> {
    engine.history().unwrap().windows
}

/// What a project has from now on, in its Redis and in what is filed of it.
fn write(world: &World, text: &str) {
    world.copies.set(&shop(), "redis", text.into());
    world.history.write(&shop(), text.as_bytes());
}

/// A moment after all that was done, and before all that is done next.
fn moment(world: &World) -> Timestamp {
    world.clock.advance(Duration::from_secs(2));
    let now = world.clock.now();
    world.clock.advance(Duration::from_secs(2));
    now
}

fn data(world: &World, id: &EnvironmentId) -> String {
    String::from_utf8(world.copies.get(id, "redis").unwrap_or_default()).unwrap()
}

fn order(at: Timestamp) -> MomentOrder {
    MomentOrder {
        from: shop(),
        at,
        to: shop(),
        backup_first: true,
        by: "test".into(),
    }
}

async fn ended(mut updates: BackupUpdates) -> Result<Recovered, Failure> {
    while let Some(update) = updates.next().await {
        match update {
            BackupUpdate::Step { .. } => {}
            BackupUpdate::Recovered { recovered } => return Ok(*recovered),
            BackupUpdate::Failed { failure } => return Err(failure),
            BackupUpdate::Done { backup, .. } => panic!("{backup:?}"),
        }
    }
    panic!("an act ended without an outcome");
}

async fn files(world: &World, folder: &str) -> Vec<String> {
    let all = world.target.list(None).await.unwrap();
    let all = all.iter().map(|file| file.path.to_string());
    all.filter(|path| path.contains(folder)).collect()
}

fn told(world: &World, is: impl Fn(&What) -> bool) -> usize {
    let query = EventQuery {
        last: Some(1000),
        ..EventQuery::default()
    };
    let events = world.store.events(&query).unwrap();
    events.iter().filter(|event| is(&event.what)).count()
}

async fn filed(world: &World) -> usize {
    world.history.filed().await.unwrap().len()
}

#[tokio::test]
async fn databases_come_back_as_they_were_and_what_was_there_is_a_backup() {
    let world = world();
    let engine = started(&world).await;
    moment(&world);
    write(&world, "before");
    let then = moment(&world);
    write(&world, "after");

    let recovered = ended(engine.restore_moment(order(then))).await.unwrap();

    assert_eq!((data(&world, &shop()).as_str(), recovered.at), ("before", then));
    let parts: Vec<String> = recovered.parts.iter().map(ToString::to_string).collect();
    assert_eq!(parts, ["redis"]);
    let backups = engine.backups(&shop()).unwrap();
    assert_eq!(
        (backups.backups.len(), backups.backups[0].cause),
        (1, Cause::Before)
    );
    assert_eq!(backups.history.unwrap().windows.len(), 1);
    assert_eq!(world.history.pasts(), 0);
    assert_eq!(
        told(&world, |what| matches!(what, What::DatabasesRecovered { .. })),
        1
    );
    // Nothing of it lies anywhere in plain text.
    for file in world.target.list(None).await.unwrap() {
        let pieces: Vec<_> = world.target.get(&file.path).await.unwrap().collect().await;
        let bytes: Vec<u8> = pieces.into_iter().flat_map(Result::unwrap).collect();
        assert!(
            !bytes.windows(6).any(|window| window == b"before"),
            "{}",
            file.path
        );
    }

    // Into another project, which is made; and it is not backed up first where that is declined.
    let copy = EnvironmentId::new("copy".parse().unwrap(), shop().environment);
    let elsewhere = MomentOrder {
        to: copy.clone(),
        backup_first: false,
        ..order(then)
    };
    ended(engine.restore_moment(elsewhere)).await.unwrap();
    assert_eq!(data(&world, &copy), "before");
    assert_eq!(world.store.backups().unwrap().len(), 1);
}

#[tokio::test]
async fn moments_that_cannot_be_had_are_told_from_each_other_and_change_nothing() {
    let world = world();
    let engine = world.with_shop().await;
    let refused = async |at| ended(engine.restore_moment(order(at))).await.unwrap_err();
    let early = moment(&world);
    let none = refused(early).await;
    assert_eq!(none.kind, Kind::Conflict);
    assert!(none.message.contains("no history of databases is kept"), "{none}");
    keep(&world, &engine).await;
    let now = moment(&world);
    for (at, kind, why) in [
        (early, Kind::NotFound, "before all that is kept"),
        (
            now + jiff::SignedDuration::from_hours(1),
            Kind::Invalid,
            "it has not come yet",
        ),
    ] {
        let failure = refused(at).await;
        assert_eq!(failure.kind, kind, "{failure}");
        assert!(failure.message.contains(why), "{failure}");
        assert!(
            failure.hint.as_ref().unwrap().contains("any moment from 2025"),
            "{failure:?}"
        );
    }
    let stranger = MomentOrder {
        from: EnvironmentId::new("other".parse().unwrap(), shop().environment),
        ..order(now)
    };
    let failure = ended(engine.restore_moment(stranger)).await.unwrap_err();
    assert!(failure.message.contains("it had no database then"), "{failure}");
    engine.set_history(settings(false, 7), "test").await.unwrap();
    moment(&world);
    let later = moment(&world);
    let failure = refused(later).await;
    assert!(failure.message.contains("not all was filed"), "{failure}");
    assert_eq!(
        (data(&world, &shop()).as_str(), world.history.pasts()),
        ("first", 0)
    );
    assert_eq!(world.store.backups().unwrap().len(), 0);
}

#[tokio::test]
async fn whatever_fails_what_is_there_stays_and_nothing_is_left_beside() {
    let world = world();
    let engine = started(&world).await;
    moment(&world);
    write(&world, "before");
    let then = moment(&world);
    write(&world, "after");
    let fail = |faults: &Faults, method| faults.fail_next(method, Faults::broken(method));
    for step in ["file_now", "recover", "export", "stage", "take_place", "get"] {
        match step {
            "stage" | "take_place" => fail(&world.copies.faults, step),
            "get" => fail(&world.target.faults, step),
            _ => fail(&world.history.faults, step),
        }
        let without = MomentOrder {
            backup_first: false,
            ..order(then)
        };
        // Each is as young as what was filed last.
        moment(&world);
        let at = if step == "file_now" { moment(&world) } else { then };
        let failure = ended(engine.restore_moment(MomentOrder { at, ..without }))
            .await
            .unwrap_err();
        assert!(
            failure.message.contains("the test wants it so"),
            "{step}: {failure}"
        );
        assert_eq!(data(&world, &shop()), "after", "{step}");
        assert_eq!((world.history.pasts(), world.copies.staged()), (0, 0), "{step}");
    }
    // What comes back with something missing does not take the place either.
    world.copies.set_loses(1);
    let failure = ended(engine.restore_moment(MomentOrder {
        backup_first: false,
        ..order(then)
    }))
    .await
    .unwrap_err();
    assert!(
        failure.message.contains("bytes: 6 were backed up, 5 came back"),
        "{failure}"
    );
    assert_eq!(
        (data(&world, &shop()).as_str(), world.copies.staged()),
        ("after", 0)
    );
    world.copies.set_loses(0);
    ended(engine.restore_moment(order(then))).await.unwrap();
    assert_eq!(data(&world, &shop()), "before");
}

#[tokio::test]
async fn cut_off_anywhere_nothing_is_half_done_and_the_next_start_clears_up() {
    for step in ["recover", "export", "stage", "take_place"] {
        let world = world();
        let engine = started(&world).await;
        moment(&world);
        write(&world, "before");
        let then = moment(&world);
        write(&world, "after");
        let faults = match step {
            "stage" | "take_place" => &world.copies.faults,
            _ => &world.history.faults,
        };
        faults.block(step);
        let mut updates = engine.restore_moment(MomentOrder {
            backup_first: false,
            ..order(then)
        });
        while let Ok(Some(_)) = tokio::time::timeout(Duration::from_millis(200), updates.next()).await {}
        engine.stop().await;
        drop(engine);
        faults.clear();
        assert_eq!(data(&world, &shop()), "after", "{step}");

        let engine = world.engine().await;
        soon(|| world.history.journal.count("sweep shop/production") > 0).await;
        assert_eq!(world.history.pasts(), 0, "{step}");
        ended(engine.restore_moment(order(then))).await.unwrap();
        assert_eq!(data(&world, &shop()), "before", "{step}");
    }
}

#[tokio::test]
async fn while_the_target_is_away_it_waits_is_told_and_goes_on_without_a_gap() {
    let world = world();
    let engine = started(&world).await;
    world
        .target
        .faults
        .fail_always("put", Faults::broken("write to the target"));
    moment(&world);
    write(&world, "before");
    let then = moment(&world);
    write(&world, "after");
    world.history.end_piece();
    let is_held_up = |what: &What| matches!(what, What::HistoryHeldUp { .. });
    soon(|| told(&world, is_held_up) == 1).await;
    assert!(
        engine
            .history()
            .unwrap()
            .trouble
            .unwrap()
            .contains("the test wants it so")
    );
    let findings = engine.doctor().await;
    assert!(
        findings
            .iter()
            .any(|finding| finding.subject == "history of databases")
    );
    assert_eq!(filed(&world).await, 1);

    world.target.faults.clear();
    soon(|| told(&world, |what| matches!(what, What::HistoryGoesOn)) == 1).await;
    assert_eq!((filed(&world).await, windows(&engine).len()), (0, 1));
    assert_eq!(engine.history().unwrap().trouble, None);
    assert_eq!(told(&world, is_held_up), 1);
    ended(engine.restore_moment(order(then))).await.unwrap();
    assert_eq!(data(&world, &shop()), "before");
}

#[tokio::test]
async fn what_somebody_put_between_the_pieces_is_told_and_holds_none_up() {
    let world = world();
    let engine = started(&world).await;
    world.history.plant_link();
    let is_held_up = |what: &What| matches!(what, What::HistoryHeldUp { .. });
    soon(|| told(&world, is_held_up) == 1).await;
    let trouble = engine.history().unwrap().trouble.unwrap();
    assert!(trouble.contains("it is a symbolic link"), "{trouble}");
    let before = world.history.journal.count("forget ");
    for word in ["second", "third"] {
        write(&world, word);
        world.history.end_piece();
    }
    soon(|| world.history.journal.count("forget ") == before + 2).await;
    assert_eq!(filed(&world).await, 1, "the link alone");
    assert_eq!(told(&world, is_held_up), 1);
}

#[tokio::test]
async fn before_it_fills_the_disk_it_is_thrown_away_and_a_new_base_begins_a_new_window() {
    let mut world = world();
    world.settings.history_waiting = ByteSize::mib(40);
    let engine = started(&world).await;
    moment(&world);
    write(&world, "before");
    let kept = moment(&world);
    write(&world, "after");
    world.history.end_piece();
    let reaches = |at: Timestamp| windows(&engine).last().is_some_and(|window| window.to >= at);
    soon(|| reaches(kept)).await;
    world
        .target
        .faults
        .fail_always("put", Faults::broken("write to the target"));
    let lost = moment(&world);
    for _ in 0..3 {
        moment(&world);
        write(&world, "lost");
        world.history.end_piece();
    }
    soon(|| told(&world, |what| matches!(what, What::HistoryGap { .. })) == 1).await;
    assert_eq!(filed(&world).await, 0);
    world.target.faults.clear();
    moment(&world);
    write(&world, "later");
    world.history.end_piece();
    soon(|| {
        world.clock.advance(Duration::from_secs(120));
        windows(&engine).len() == 2
    })
    .await;

    let failure = ended(engine.restore_moment(order(lost))).await.unwrap_err();
    assert!(failure.message.contains("something is missing"), "{failure}");
    assert!(failure.hint.unwrap().contains(", or from"));
    let now = moment(&world);
    for (at, text) in [(kept, "before"), (now, "later")] {
        ended(engine.restore_moment(order(at))).await.unwrap();
        assert_eq!(data(&world, &shop()), text);
    }
}

#[tokio::test]
async fn what_is_too_old_goes_and_what_is_needed_stays() {
    let world = world();
    let engine = started(&world).await;
    for day in 1..=20 {
        world.clock.advance(DAY);
        write(&world, &format!("day {day}"));
        world.history.end_piece();
        let now = world.clock.now();
        soon(|| windows(&engine).last().is_some_and(|window| window.to >= now)).await;
        // A week passes here sooner than a base is made.
        match day {
            7 => soon(|| manifests(&world) == 2).await,
            15 => soon(|| manifests(&world) == 3).await,
            _ => {}
        }
    }
    // What is not needed any more goes in the round after the one that found it so.
    let now = world.clock.now();
    let age = |window: &Window| now.duration_since(window.from).as_hours();
    soon(|| matches!(&windows(&engine)[..], [one] if age(one) <= 15 * 24)).await;
    let window = windows(&engine)[0];
    assert!(age(&window) >= 7 * 24, "{window}");
    assert!(
        files(&world, "/manifest")
            .await
            .iter()
            .filter(|path| path.starts_with("cluster."))
            .count()
            <= 2
    );
    assert!(files(&world, "/log/").await.len() <= 16);
    ended(engine.restore_moment(order(now - jiff::SignedDuration::from_hours(7 * 24 - 1))))
        .await
        .unwrap();
    assert_eq!(data(&world, &shop()), "day 13");

    // Nothing is kept any more, and what was kept goes in its time.
    engine.set_history(settings(false, 2), "test").await.unwrap();
    world.clock.advance(DAY * 30);
    soon(|| windows(&engine).is_empty()).await;
    assert_eq!(files(&world, "cluster.postgres").await, Vec::<String>::new());
}

#[tokio::test]
async fn a_base_that_cannot_be_made_is_tried_again_and_leaves_nothing() {
    let world = world();
    world.history.faults.fail_next("base", Faults::broken("copy"));
    let engine = world.with_shop().await;
    write(&world, "first");
    engine.set_history(settings(true, 7), "test").await.unwrap();
    soon(|| engine.history().unwrap().trouble.is_some()).await;
    assert_eq!(files(&world, "/base/").await, Vec::<String>::new());
    soon(|| {
        world.clock.advance(Duration::from_secs(30));
        manifests(&world) == 1
    })
    .await;
    soon(|| engine.history().unwrap().trouble.is_none()).await;
}

#[tokio::test]
async fn a_server_is_started_anew_for_whoever_chooses_a_history_and_for_nothing_else() {
    let world = world();
    world.history.lose_start();
    let engine = world.with_shop().await;
    let starts = || world.history.journal.count("start anew");
    // What stands in the way is told before anything was chosen.
    world
        .history
        .faults
        .fail_next("needs_start", Faults::broken("somebody else"));
    engine.set_history(settings(true, 7), "test").await.unwrap_err();
    assert_eq!(engine.history().unwrap().settings, settings(false, 7));
    engine.set_history(settings(false, 9), "test").await.unwrap();
    assert_eq!((starts(), engine.history_needs_start().await), (0, true));
    keep(&world, &engine).await;
    assert_eq!((starts(), engine.history_needs_start().await), (1, false));
    engine.set_history(settings(true, 8), "test").await.unwrap();
    assert_eq!(starts(), 1);
    // Lost later, it is told, and waits for somebody to choose again.
    world.history.lose_start();
    soon(|| {
        let trouble = engine.history().unwrap().trouble;
        trouble.is_some_and(|why| why.contains("started anew"))
    })
    .await;
    assert_eq!(starts(), 1);
    engine.set_history(settings(true, 8), "test").await.unwrap();
    soon(|| engine.history().unwrap().trouble.is_none()).await;
    assert_eq!(starts(), 2);
}
