//! Add-ons that somebody else keeps: nothing is made there, nothing is taken away.

use hostkit_core::addon::{AddonHealth, AddonId, AddonKind, AddonSettings};
use hostkit_core::backup::BackupState;
use hostkit_core::deployment::Act;
use hostkit_core::kind::Kind;
use hostkit_core::secret::Secret;
use hostkit_engine::OutsideAddresses;
use hostkit_store::EventQuery;
use hostkit_testkit::fakes::Faults;

use crate::bench::{World, shop, succeeds, until};

fn redis() -> AddonId {
    AddonId::new(shop(), AddonKind::Redis)
}

fn address(text: &str) -> Secret {
    Secret::new(text)
}

/// What production is told as REDIS_URL.
fn told(world: &World) -> String {
    let text = std::fs::read_to_string(world.layout().dotenv(&shop())).unwrap();
    let line = text.lines().find_map(|line| line.strip_prefix("REDIS_URL="));
    line.unwrap().trim_matches(['"', '\'']).to_owned()
}

#[tokio::test]
async fn an_address_is_tried_told_changed_and_forgotten() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    let refused = engine
        .add_outside_addon(&redis(), &address("wrong-1@there"), "test")
        .await;
    assert_eq!(refused.unwrap_err().kind, Kind::Denied);
    assert!(engine.addons(&shop()).await.unwrap().is_empty());

    let added = engine
        .add_outside_addon(&redis(), &address("first@there"), "test")
        .await;
    let added = added.unwrap().addon.order;
    assert!(added.settings.outside && added.port.is_none());
    assert!(world.addon.accepted(&redis()).is_empty(), "nothing is made here");
    succeeds(&engine, Act::Restart).await;
    assert_eq!(told(&world), "first@there");

    // HostKit gives no credentials there, and sets nothing.
    let refused = engine.rotate_addon(&redis(), "test").await.unwrap_err();
    assert!(refused.hint.unwrap().contains("--outside -"));
    for settings in [AddonSettings::default(), added.settings.clone()] {
        let refused = engine.change_addon(&redis(), &settings, "test").await;
        assert_eq!(refused.unwrap_err().kind, Kind::Conflict);
    }

    // Another address: one that does not work changes nothing.
    let refused = engine
        .move_outside_addon(&redis(), &address("wrong-2@there"), "test")
        .await;
    assert_eq!(refused.unwrap_err().kind, Kind::Denied);
    let before = world.store.addon(&redis()).unwrap();
    assert_eq!(before.order.credentials, added.credentials);
    let moved = engine
        .move_outside_addon(&redis(), &address("second@there"), "test")
        .await;
    assert!(moved.unwrap().rotation.is_some());
    let is_one = || world.store.addon(&redis()).unwrap().order.credentials.len() == 1;
    until("the old address is forgotten", is_one).await;
    assert_eq!(told(&world), "second@there");

    engine.remove_addon(&redis(), true).await.unwrap();
    assert!(world.store.addon(&redis()).is_err());
}

#[tokio::test]
async fn one_of_our_own_has_no_address_and_one_elsewhere_needs_one() {
    let world = World::new();
    let engine = world.with_shop().await;
    let settings = AddonSettings {
        outside: true,
        ..AddonSettings::default()
    };
    let refused = engine.add_addon(&redis(), &settings, "test").await.unwrap_err();
    assert_eq!(refused.kind, Kind::Invalid);
    let own = AddonSettings::default();
    engine.add_addon(&redis(), &own, "test").await.unwrap();
    let refused = engine
        .move_outside_addon(&redis(), &address("first@there"), "test")
        .await;
    assert_eq!(refused.unwrap_err().kind, Kind::Conflict);
    let refused = engine.change_addon(&redis(), &settings, "test").await;
    assert_eq!(refused.unwrap_err().kind, Kind::Conflict);
    let databases = AddonId::new(shop(), AddonKind::Postgres);
    let refused = engine
        .add_outside_addon(&databases, &address("first@there"), "test")
        .await;
    assert!(refused.unwrap_err().message.contains("uses none elsewhere"));
}

#[tokio::test]
async fn what_is_kept_elsewhere_stands_in_no_backups_way_and_is_told_to_be_in_none() {
    let mut world = World::new();
    world.makes_backups = true;
    let engine = world.with_shop().await;
    engine
        .add_outside_addon(&redis(), &address("first@there"), "test")
        .await
        .unwrap();
    let backup = crate::backups::made(&engine).await;
    assert_eq!(backup.state, BackupState::Proven, "{backup:?}");
    assert!(backup.parts.iter().all(|part| part.name.to_string() != "redis"));
    assert_eq!(engine.backups(&shop()).unwrap().left_out, [AddonKind::Redis]);
    // Nothing of it is lost here: no backup is made for it.
    assert!(engine.remove_addon(&redis(), true).await.unwrap().is_none());
    assert_eq!(engine.backups(&shop()).unwrap().backups.len(), 1);
    assert!(engine.backups(&shop()).unwrap().left_out.is_empty());
}

#[tokio::test]
async fn a_project_is_made_with_what_is_elsewhere_or_not_at_all() {
    let world = World::new();
    let engine = world.engine().await;
    let (name, with) = (shop().project, |text: &str| {
        OutsideAddresses::from([(AddonKind::Redis, address(text))])
    });
    for (wrong, kind) in [
        ("wrong@there", Kind::Denied),
        ("first@nobody", Kind::Unavailable),
        ("first", Kind::Invalid),
    ] {
        let made = engine.create_project_with(&name, &with(wrong), "test").await;
        let provisioned = engine.provision_project(&name, &with(wrong), "test").await;
        for refused in [made.unwrap_err(), provisioned.unwrap_err()] {
            assert_eq!(refused.kind, kind, "{refused:?}");
            assert!(
                refused.details.concat().contains("nothing was made"),
                "{refused:?}"
            );
        }
        assert!(world.store.projects().unwrap().is_empty());
        let of_it = EventQuery {
            project: Some(name.clone()),
            ..EventQuery::default()
        };
        assert!(world.store.events(&of_it).unwrap().is_empty());
    }
    let databases = OutsideAddresses::from([(AddonKind::Postgres, address("first@there"))]);
    let refused = engine.create_project_with(&name, &databases, "test").await;
    assert!(refused.unwrap_err().message.contains("uses none elsewhere"));

    engine
        .create_project_with(&name, &with("first@there"), "test")
        .await
        .unwrap();
    let order = world.store.addon(&redis()).unwrap().order;
    assert!(order.settings.outside);
    assert_eq!(order.credentials[0].secret, address("first@there"));
    // A name that is taken is told without asking anybody.
    let asked = world.outside.asked();
    let refused = engine
        .create_project_with(&name, &with("second@there"), "test")
        .await;
    assert_eq!(refused.unwrap_err().kind, Kind::Conflict);
    assert_eq!(world.outside.asked(), asked);
    assert_eq!(
        world.store.addon(&redis()).unwrap().order.credentials,
        order.credentials
    );
}

#[tokio::test]
async fn a_project_that_is_there_gets_what_is_elsewhere_once() {
    let world = World::new();
    let engine = world.with_shop().await;
    let (name, with) = (shop().project, |text: &str| {
        OutsideAddresses::from([(AddonKind::Redis, address(text))])
    });
    let refused = engine
        .provision_project(&name, &with("wrong@there"), "test")
        .await;
    assert_eq!(refused.unwrap_err().kind, Kind::Denied);
    assert!(world.store.addon(&redis()).is_err());
    for text in ["first@there", "second@there"] {
        engine
            .provision_project(&name, &with(text), "test")
            .await
            .unwrap();
        let order = world.store.addon(&redis()).unwrap().order;
        assert_eq!(order.credentials[0].secret, address("first@there"));
    }
}

#[tokio::test]
async fn a_creation_that_fails_after_its_addresses_were_tried_leaves_none_of_them() {
    let world = World::new();
    let engine = world.engine().await;
    let with = OutsideAddresses::from([(AddonKind::Redis, address("first@there"))]);
    let broken = Faults::broken("make a home");
    world.premises.faults.fail_next("ensure", broken);
    let name = shop().project;
    engine
        .create_project_with(&name, &with, "test")
        .await
        .unwrap_err();
    assert!(world.store.projects().unwrap().is_empty() && world.store.addons().unwrap().is_empty());

    // Control that is killed behind the one transaction finds all of it.
    world.store.create_project_with(&name, &with, "test").unwrap();
    drop(engine);
    let engine = world.engine().await;
    let is_kept = || world.store.addon(&redis()).unwrap().order.made;
    until("it was looked at", is_kept).await;
    assert_eq!(
        engine.addons(&shop()).await.unwrap()[0].state.health,
        AddonHealth::Ready
    );
}
