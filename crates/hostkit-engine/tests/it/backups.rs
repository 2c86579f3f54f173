//! Backups on a target in memory: made, proven, kept, restored; and every fault that a target has.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use hostkit_core::addon::{AddonId, AddonKind, AddonSettings};
use hostkit_core::backup::kit::RecoveryKit;
use hostkit_core::backup::schedule::BackupSchedule;
use hostkit_core::backup::target::TargetSettings;
use hostkit_core::backup::{Backup, BackupState, BackupUpdate, Cause};
use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::BackupPath;
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;
use hostkit_core::traits::BackupTarget;
use hostkit_engine::{BackupUpdates, Engine, Keeps, RestoreOrder};
use hostkit_store::EventQuery;
use hostkit_testkit::fakes::Faults;

use crate::bench::{World, shop, until, variables};

/// Bytes that do not get smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state.to_le_bytes()[0]
    };
    (0..length).map(next).collect()
}

/// An engine with backups, a project with a Redis, and two variables.
async fn started() -> (World, Arc<Engine>) {
    let mut world = World::new();
    world.makes_backups = true;
    let engine = world.with_shop().await;
    let redis = AddonId::new(shop(), AddonKind::Redis);
    engine
        .add_addon(&redis, &AddonSettings::default(), "test")
        .await
        .unwrap();
    let set = variables(&[("NAME", "canary-9c1f"), ("OTHER", "2")]);
    engine.set_variables(&shop(), set, &[], "test").await.unwrap();
    world.copies.set(&shop(), "redis", noise(200_000));
    (world, engine)
}

async fn ended(mut updates: BackupUpdates) -> Result<(Backup, Vec<String>), Failure> {
    while let Some(update) = updates.next().await {
        match update {
            BackupUpdate::Step { .. } => {}
            BackupUpdate::Done { backup, notes } => return Ok((*backup, notes)),
            BackupUpdate::Failed { failure } => return Err(failure),
            BackupUpdate::Recovered { recovered } => panic!("{recovered:?}"),
        }
    }
    panic!("an act ended without an outcome");
}

pub(crate) async fn made(engine: &Engine) -> Backup {
    ended(engine.back_up(&shop())).await.unwrap().0
}

async fn refused(engine: &Engine) -> Failure {
    ended(engine.back_up(&shop())).await.unwrap_err()
}

fn order(number: u64, to: &EnvironmentId) -> RestoreOrder {
    RestoreOrder {
        from: shop(),
        number,
        to: to.clone(),
        backup_first: true,
        by: "test".into(),
    }
}

fn path(text: &str) -> BackupPath {
    text.parse().unwrap()
}

async fn files(world: &World) -> Vec<String> {
    world.target.faults.clear();
    let all = world.target.list(None).await.unwrap();
    all.iter().map(|file| file.path.to_string()).collect()
}

fn told(world: &World, is: impl Fn(&What) -> bool) -> usize {
    let query = EventQuery {
        last: Some(1000),
        ..EventQuery::default()
    };
    world
        .store
        .events(&query)
        .unwrap()
        .iter()
        .filter(|event| is(&event.what))
        .count()
}

#[tokio::test]
async fn a_backup_is_read_back_proven_and_encrypted_and_its_manifest_comes_last() {
    let (world, engine) = started().await;

    let backup = made(&engine).await;

    assert_eq!(
        (backup.number, backup.state, backup.cause),
        (1, BackupState::Proven, Cause::Asked)
    );
    let entries = world.target.journal.entries();
    assert_eq!(
        entries,
        ["project", "variables", "redis", "manifest"].map(|name| format!("put shop/production/1/{name}"))
    );
    assert_eq!(world.copies.journal.entries(), ["stage redis", "discard redis"]);
    assert_eq!(
        told(&world, |what| matches!(
            what,
            What::BackupMade { proven: true, .. }
        )),
        1
    );
    for file in world.target.list(None).await.unwrap() {
        let pieces: Vec<_> = world.target.get(&file.path).await.unwrap().collect().await;
        let bytes: Vec<u8> = pieces.into_iter().flat_map(Result::unwrap).collect();
        assert!(!bytes.windows(11).any(|window| window == b"canary-9c1f"));
    }
    let key = std::fs::metadata(world.layout().backup_key()).unwrap();
    assert_eq!(std::os::unix::fs::MetadataExt::mode(&key) & 0o777, 0o600);
}

#[tokio::test]
async fn whatever_a_target_does_a_failed_backup_is_told_and_the_ones_before_stay() {
    let (world, engine) = started().await;
    made(&engine).await;
    // The next one of the same day would take its place.
    engine.hold_backup(&shop(), 1, true).unwrap();
    let before = files(&world).await;
    type Fault = fn(&World);
    let faults: [(&str, Fault, &str); 8] = [
        (
            "down",
            |w| w.target.faults.fail_always("put", Faults::broken("put")),
            "the test wants it so",
        ),
        (
            "down for lists",
            |w| w.target.faults.fail_always("list", Faults::broken("list")),
            "the test wants it so",
        ),
        ("hangs", |w| w.target.faults.block("put"), "nothing moved"),
        (
            "hangs when it is read",
            |w| w.target.faults.block("get"),
            "nothing moved",
        ),
        ("full", |w| w.target.set_room(Some(250_000)), "no room left"),
        ("lies", |w| w.target.set_keeps(Some(1000)), "does not come back"),
        (
            "breaks off",
            |w| w.target.set_breaks_at(Some(100_000)),
            "broke off",
        ),
        (
            "a copy fails",
            |w| w.copies.faults.fail_next("export", Faults::broken("export")),
            "the test wants it so",
        ),
    ];
    for (index, (name, fault, why)) in faults.into_iter().enumerate() {
        fault(&world);
        let failure = refused(&engine).await;
        assert!(failure.message.contains(why), "{name}: {failure}");
        world.target.faults.clear();
        world.target.set_room(None);
        world.target.set_keeps(None);
        world.target.set_breaks_at(None);
        let all = engine.backups(&shop()).unwrap().backups;
        assert_eq!(all[0].state, BackupState::Failed, "{name}");
        assert_eq!(all.last().unwrap().state, BackupState::Proven, "{name}");
        assert_eq!(
            told(&world, |what| matches!(what, What::BackupFailed { .. })),
            index + 1
        );
    }
    // What failed ones left goes with the next one, and the first one is still good.
    let next = made(&engine).await;
    assert_eq!(next.number, 10);
    let left: Vec<String> = files(&world)
        .await
        .into_iter()
        .filter(|file| !file.starts_with("shop/production/10/"))
        .collect();
    assert_eq!(left, before);
    let again = ended(engine.verify_backup(&shop(), 1)).await.unwrap().0;
    assert_eq!(again.state, BackupState::Proven);
}

#[tokio::test]
async fn a_flipped_bit_turns_a_backup_red_and_it_is_not_restored() {
    let (world, engine) = started().await;
    made(&engine).await;
    world.target.flip(&path("shop/production/1/redis"), 90_000);
    world.copies.set(&shop(), "redis", b"now".to_vec());
    world.copies.journal.clear();

    let failure = ended(engine.restore_backup(order(1, &shop()))).await.unwrap_err();
    assert_eq!(failure.kind, Kind::Conflict);
    assert!(failure.message.contains("`redis` is damaged"), "{failure}");
    assert_eq!(world.copies.journal.entries(), Vec::<String>::new());
    assert_eq!(world.copies.get(&shop(), "redis").unwrap(), b"now");

    let verified = ended(engine.verify_backup(&shop(), 1)).await.unwrap().0;
    assert_eq!(verified.state, BackupState::Damaged);
    assert!(verified.failure.unwrap().message.contains("`redis`"));
    assert!(told(&world, |what| matches!(what, What::BackupDamaged { .. })) >= 1);
}

/// At the target that is in use now there is nothing of it: that is no damage, and it is said where it is.
#[tokio::test]
async fn a_backup_at_a_target_that_was_left_is_not_called_damaged() {
    let (world, engine) = started().await;
    made(&engine).await;
    let before = engine.backup_target().unwrap();
    let elsewhere = TargetSettings::Folder("/elsewhere".into());
    engine.set_backup_target(&elsewhere).await.unwrap();
    for updates in [
        engine.verify_backup(&shop(), 1),
        engine.restore_backup(order(1, &shop())),
    ] {
        let refused = ended(updates).await.unwrap_err();
        assert_eq!(refused.kind, Kind::Conflict);
        assert!(refused.message.contains(&before.place()), "{refused}");
        assert!(refused.message.contains("/elsewhere"), "{refused}");
    }
    let part = "redis".parse().unwrap();
    assert!(engine.download_backup(&shop(), 1, &part).await.is_err());
    let state = || engine.backups(&shop()).unwrap().backups[0].state;
    assert_eq!(state(), BackupState::Proven);
    assert_eq!(told(&world, |what| matches!(what, What::BackupDamaged { .. })), 0);
    engine.set_backup_target(&before).await.unwrap();
    let verified = ended(engine.verify_backup(&shop(), 1)).await.unwrap().0;
    assert_eq!(verified.state, BackupState::Proven);
}

#[tokio::test]
async fn a_trial_that_brings_less_back_says_damaged_and_one_that_cannot_be_made_says_so() {
    let (world, engine) = started().await;
    world.copies.faults.fail_next("stage", Faults::broken("stage"));
    let untried = made(&engine).await;
    assert_eq!(untried.state, BackupState::Complete);
    assert!(untried.failure.unwrap().message.contains("the test wants it so"));
    world.copies.set_loses(1);
    let short = made(&engine).await;
    assert_eq!(short.state, BackupState::Damaged);
    let why = short.failure.unwrap().message;
    assert!(why.contains("200000 were backed up, 199999 came back"), "{why}");
}

#[tokio::test]
async fn a_restore_brings_data_and_variables_back_and_what_was_there_is_a_backup() {
    let (world, engine) = started().await;
    made(&engine).await;
    world.copies.set(&shop(), "redis", b"lost".to_vec());
    let set = variables(&[("NAME", "new"), ("LATER", "x")]);
    engine
        .set_variables(&shop(), set, &["OTHER".parse().unwrap()], "test")
        .await
        .unwrap();

    let (backup, notes) = ended(engine.restore_backup(order(1, &shop()))).await.unwrap();

    assert_eq!(backup.number, 1);
    assert!(notes[0].contains("backup 2"), "{notes:?}");
    assert_eq!(world.copies.get(&shop(), "redis").unwrap(), noise(200_000));
    let now = world.store.variables(&shop()).unwrap();
    let names: Vec<String> = now.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["NAME", "OTHER"]);
    assert_eq!(world.copies.staged(), 0);
    let all = engine.backups(&shop()).unwrap().backups;
    assert_eq!((all[0].number, all[0].cause), (2, Cause::Before));
}

#[tokio::test]
async fn a_restore_that_fails_leaves_what_is_there() {
    let (world, engine) = started().await;
    world.copies.set(&shop(), "redis.b", noise(10));
    made(&engine).await;
    for part in ["redis", "redis.b"] {
        world.copies.set(&shop(), part, b"now".to_vec());
    }
    let mut order = order(1, &shop());
    order.backup_first = false;
    world.copies.journal.clear();
    world.copies.set_loses(1);
    ended(engine.restore_backup(order.clone())).await.unwrap_err();
    world.copies.set_loses(0);
    world
        .copies
        .faults
        .fail_next("take_place", Faults::broken("take_place"));
    ended(engine.restore_backup(order)).await.unwrap_err();
    for part in ["redis", "redis.b"] {
        assert_eq!(world.copies.get(&shop(), part).unwrap(), b"now");
    }
    assert_eq!(world.copies.staged(), 0);
    // No backup, no restore: where what is there cannot be saved first, nothing is changed.
    world.target.faults.fail_always("put", Faults::broken("put"));
    let refused = ended(engine.restore_backup(self::order(1, &shop())))
        .await
        .unwrap_err();
    assert!(refused.message.contains("nothing was changed"), "{refused}");
    assert!(refused.hint.unwrap().contains("--no-backup"));
    assert_eq!(world.copies.get(&shop(), "redis").unwrap(), b"now");
}

#[tokio::test]
async fn on_another_machine_the_kit_brings_the_project_back() {
    let (world, engine) = started().await;
    engine
        .add_domain(&shop(), "shop.example.com", "test")
        .await
        .unwrap();
    made(&engine).await;
    let kit = engine.recovery_kit("test").unwrap();
    assert!(!engine.backups(&shop()).unwrap().kit_confirmed);
    engine
        .confirm_recovery_kit(&Secret::new("ABCDE"), "test")
        .unwrap_err();
    let key = RecoveryKit::parse(&kit).unwrap().key;
    let typed = Secret::new(key.reveal().to_lowercase().replace('-', " "));
    engine.confirm_recovery_kit(&typed, "test").unwrap();
    assert!(engine.backups(&shop()).unwrap().kit_confirmed);
    assert_eq!(engine.recovery_kit("test").unwrap_err().kind, Kind::Conflict);

    let mut other = World::new();
    other.makes_backups = true;
    other.target = world.target.clone();
    let elsewhere = other.engine().await;
    let wrong = elsewhere
        .adopt_recovery_kit(&Secret::new("nonsense"), "test")
        .await
        .unwrap_err();
    assert_eq!(wrong.kind, Kind::Invalid);
    assert_eq!(elsewhere.adopt_recovery_kit(&kit, "test").await.unwrap(), 1);
    assert_eq!(elsewhere.adopt_recovery_kit(&kit, "test").await.unwrap(), 0);
    let found = elsewhere.newest_backup(&shop()).unwrap();
    let (_, notes) = ended(elsewhere.restore_backup(order(found.number, &shop())))
        .await
        .unwrap();

    assert!(notes.iter().all(|note| !note.contains("left out")), "{notes:?}");
    assert_eq!(other.copies.get(&shop(), "redis").unwrap(), noise(200_000));
    assert_eq!(
        other.store.variables(&shop()).unwrap(),
        world.store.variables(&shop()).unwrap()
    );
    assert_eq!(other.store.domains_of(&shop()).unwrap().len(), 1);
    // Numbers go on above those that are there.
    assert_eq!(made(&elsewhere).await.number, 2);
    // Whoever has backups of its own under another key keeps it.
    let third = started().await;
    made(&third.1).await;
    let refused = third.1.adopt_recovery_kit(&kit, "test").await.unwrap_err();
    assert!(refused.message.contains("under another key"), "{refused}");
}

#[tokio::test]
async fn another_project_gets_what_is_in_a_backup_and_leaves_the_first_alone() {
    let (world, engine) = started().await;
    made(&engine).await;
    let copy = EnvironmentId::new("copy".parse().unwrap(), "production".parse().unwrap());
    ended(engine.restore_backup(order(1, &copy))).await.unwrap();
    assert_eq!(
        world.copies.get(&copy, "redis"),
        world.copies.get(&shop(), "redis")
    );
    assert_eq!(world.store.variables(&copy).unwrap().len(), 2);
    assert_eq!(engine.backups(&shop()).unwrap().backups.len(), 1);
}

#[tokio::test]
async fn they_are_made_by_themselves_retried_after_pauses_and_kept_by_the_rule() {
    let (mut world, engine) = started().await;
    let only_two = BackupSchedule {
        keep: hostkit_core::backup::retention::Retention {
            daily: 2,
            weekly: 0,
            monthly: 0,
            ..Default::default()
        },
        ..BackupSchedule::default()
    };
    engine.set_backup_schedule(&shop(), &only_two).unwrap();
    engine.stop().await;
    world.settings.reconcile_all_every = Duration::from_millis(20);
    let engine = world.engine().await;
    let count = |state: BackupState| {
        let all = world.store.backups_of(&shop()).unwrap();
        all.iter().filter(|backup| backup.state == state).count()
    };
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(count(BackupState::Proven), 0, "not before its time");
    let day = Duration::from_secs(24 * 3600);
    world.target.faults.fail_next("put", Faults::broken("put"));
    world.clock.advance(day);
    until("the first one fails", || count(BackupState::Failed) == 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(count(BackupState::Proven), 0, "not before the pause");
    world.clock.advance(Duration::from_secs(300));
    until("it is tried again", || count(BackupState::Proven) == 1).await;
    for _ in 0..3 {
        let newest = world.store.backups_of(&shop()).unwrap()[0].number;
        world.clock.advance(day);
        until("the next day's", || {
            let all = world.store.backups_of(&shop()).unwrap();
            all[0].number > newest && all[0].state == BackupState::Proven && all.len() <= 2
        })
        .await;
    }
    engine.stop().await;
    let numbers: std::collections::BTreeSet<String> = files(&world)
        .await
        .iter()
        .map(|file| file.split('/').nth(2).unwrap().to_owned())
        .collect();
    assert_eq!(numbers.into_iter().collect::<Vec<_>>(), ["4", "5"]);
}

#[tokio::test]
async fn one_that_was_cut_off_counts_for_nothing_and_leaves_nothing() {
    let (world, engine) = started().await;
    world.target.faults.block("get");
    let _updates = engine.back_up(&shop());
    until("its first file is there", || {
        world.target.journal.count("put") == 1
    })
    .await;
    engine.stop().await;
    world.target.faults.clear();
    assert_eq!(
        world.store.backup(&shop(), 1).unwrap().state,
        BackupState::Running
    );

    let engine = world.engine().await;
    until("the next start notes it", || {
        world.store.backup(&shop(), 1).unwrap().state == BackupState::Failed
    })
    .await;
    assert_eq!(made(&engine).await.number, 2);
    assert!(
        files(&world)
            .await
            .iter()
            .all(|file| file.starts_with("shop/production/2/"))
    );
}

#[tokio::test]
async fn what_is_taken_away_is_backed_up_first_or_stays() {
    let (world, engine) = started().await;
    let redis = AddonId::new(shop(), AddonKind::Redis);
    world.target.faults.fail_always("put", Faults::broken("put"));
    let refused = engine.remove_addon(&redis, true).await.unwrap_err();
    assert!(refused.message.contains("nothing was changed"), "{refused}");
    assert_eq!(engine.addons(&shop()).await.unwrap().len(), 1);
    let refused = engine.delete_project(&shop().project).await.unwrap_err();
    assert!(refused.message.contains("nothing was changed"), "{refused}");
    assert!(!world.store.project(&shop().project).unwrap().deleting);

    world.target.faults.clear();
    let kept = engine.remove_addon(&redis, true).await.unwrap().unwrap();
    assert_eq!((kept.cause, kept.state), (Cause::Before, BackupState::Proven));
    engine.delete_project(&shop().project).await.unwrap();
    let last = &engine.backups(&shop()).unwrap().backups[0];
    assert_eq!((last.cause, last.held), (Cause::Last, true));
    // From the last one it comes back, add-on and all, once the one with the data is asked for.
    ended(engine.restore_backup(order(kept.number, &shop())))
        .await
        .unwrap();
    assert_eq!(world.copies.get(&shop(), "redis").unwrap(), noise(200_000));

    let nothing = Keeps {
        archive: false,
        backup: false,
    };
    let before = engine.backups(&shop()).unwrap().backups.len();
    engine
        .delete_project_keeping(&shop().project, nothing)
        .await
        .unwrap();
    assert_eq!(engine.backups(&shop()).unwrap().backups.len(), before);
}

#[tokio::test]
async fn what_no_copies_are_made_of_is_told_and_is_not_lost_by_the_way() {
    let mut world = World::new();
    world.makes_backups = true;
    world.copies_nothing = true;
    let engine = world.with_shop().await;
    let redis = AddonId::new(shop(), AddonKind::Redis);
    engine
        .add_addon(&redis, &AddonSettings::default(), "test")
        .await
        .unwrap();
    let backup = made(&engine).await;
    assert_eq!(backup.state, BackupState::Complete);
    let why = "makes no copies of it";
    assert!(backup.failure.unwrap().message.contains(why));
    let refused = engine.remove_addon(&redis, true).await.unwrap_err();
    assert!(refused.message.contains(why), "{refused}");
    let refused = engine.delete_project(&shop().project).await.unwrap_err();
    assert!(refused.message.contains(why), "{refused}");
    engine.remove_addon(&redis, false).await.unwrap();
}
