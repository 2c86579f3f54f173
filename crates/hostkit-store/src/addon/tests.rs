use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::size::ByteSize;

use super::*;
use crate::tests::Bench;

fn redis(project: &str) -> AddonId {
    let project = ProjectName::parse(project).unwrap();
    AddonId::new(
        EnvironmentId::new(project, EnvironmentName::production()),
        AddonKind::Redis,
    )
}

fn settings() -> AddonSettings {
    AddonSettings {
        memory: Some(ByteSize::mib(64)),
        keep_all: true,
        ..AddonSettings::default()
    }
}

fn numbers(addon: &Addon) -> Vec<u32> {
    addon.order.credentials.iter().map(|c| c.number).collect()
}

#[test]
fn an_addon_is_kept_with_its_secrets_sealed_and_goes_with_its_project() {
    let bench = Bench::new();
    let (store, id) = (&bench.store, redis("shop"));
    let any: fn(u16) -> bool = |_| true;
    let refused = store.add_addon(&id, &settings(), Some(any), "cli").unwrap_err();
    assert_eq!(refused.kind, Kind::NotFound, "{refused}");
    store.create_project(&id.environment.project).unwrap();
    let added = store.add_addon(&id, &settings(), Some(any), "cli").unwrap();
    assert_eq!(added, store.addon(&id).unwrap());
    assert_eq!(added.order.settings, settings());
    let again = store.add_addon(&id, &settings(), Some(any), "cli").unwrap_err();
    assert_eq!(again.kind, Kind::Conflict);
    for secret in [&added.order.operator, &added.order.credentials[0].secret] {
        let text = secret.reveal();
        assert!(text.len() == 64 && text.bytes().all(|b| b.is_ascii_hexdigit()));
        for file in std::fs::read_dir(bench.layout().data()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
            assert!(!bytes.windows(64).any(|window| window == text.as_bytes()));
        }
    }
    store.begin_delete(&id.environment.project).unwrap();
    store.finish_delete(&id.environment.project).unwrap();
    assert_eq!(store.addons().unwrap(), []);
}

#[test]
fn other_settings_are_kept_and_told_and_nothing_else_changes() {
    let bench = Bench::new();
    let (store, id) = (&bench.store, redis("shop"));
    let other = AddonSettings {
        memory: Some(ByteSize::mib(8)),
        ..AddonSettings::default()
    };
    store.create_project(&id.environment.project).unwrap();
    let missing = store.set_addon_settings(&id, &other, "cli").unwrap_err();
    assert_eq!(missing.kind, Kind::NotFound, "{missing}");
    let before = store.add_addon(&id, &settings(), None, "cli").unwrap();
    let changed = store.set_addon_settings(&id, &other, "cli").unwrap();
    assert_eq!(changed, store.addon(&id).unwrap());
    assert_eq!(changed.order.settings, other);
    assert_eq!(changed.order.credentials, before.order.credentials);
    let events = store.events(&crate::EventQuery::default()).unwrap();
    let told = events
        .iter()
        .filter(|event| matches!(event.what, What::AddonChanged { .. }));
    assert_eq!(told.count(), 1);
}

#[test]
fn each_addon_has_a_port_that_nobody_has() {
    let bench = Bench::new();
    let mut ports = Vec::new();
    for name in ["shop", "blog"] {
        let id = redis(name);
        bench.store.create_project(&id.environment.project).unwrap();
        let addon = bench
            .store
            .add_addon(&id, &settings(), Some(|port| port >= 19998), "cli");
        ports.push(addon.unwrap().order.port.unwrap());
    }
    ports.sort_unstable();
    assert_eq!(ports, [19998, 19999]);
    let storage = AddonId {
        kind: AddonKind::Storage,
        ..redis("shop")
    };
    let without = bench.store.add_addon(&storage, &settings(), None, "cli").unwrap();
    assert_eq!(without.order.port, None);
    let id = redis("third");
    bench.store.create_project(&id.environment.project).unwrap();
    let full = bench.store.add_addon(&id, &settings(), Some(|_| false), "cli");
    assert_eq!(full.unwrap_err().kind, Kind::Unavailable);
}

#[test]
fn a_rotation_has_two_credentials_until_it_is_finished_and_no_number_comes_twice() {
    let bench = Bench::new();
    let (store, id) = (&bench.store, redis("shop"));
    store.create_project(&id.environment.project).unwrap();
    let first = store.add_addon(&id, &settings(), None, "cli").unwrap();
    let begun = store.begin_rotation(&id, "cli").unwrap();
    assert_eq!(numbers(&begun), [2, 1]);
    assert_eq!(begun.order.credentials[1], first.order.credentials[0]);
    assert_eq!(store.begin_rotation(&id, "cli").unwrap(), begun);
    store.set_rotation(&id, 7).unwrap();
    assert_eq!(store.addon(&id).unwrap().rotation, Some(7));
    let finished = store.finish_rotation(&id).unwrap();
    assert_eq!((numbers(&finished), finished.rotation), (vec![2], None));
    assert_eq!(store.finish_rotation(&id).unwrap(), finished);
    assert_eq!(numbers(&store.begin_rotation(&id, "cli").unwrap()), [3, 2]);
}

#[test]
fn a_removal_that_was_begun_is_seen_until_it_is_finished() {
    let bench = Bench::new();
    let (store, id) = (&bench.store, redis("shop"));
    store.create_project(&id.environment.project).unwrap();
    assert_eq!(store.begin_addon_removal(&id).unwrap_err().kind, Kind::NotFound);
    store.add_addon(&id, &settings(), None, "cli").unwrap();
    assert!(store.begin_addon_removal(&id).unwrap().removing);
    assert!(store.addons_of(&id.environment).unwrap()[0].removing);
    store.finish_addon_removal(&id).unwrap();
    store.finish_addon_removal(&id).unwrap();
    assert_eq!(store.addons_of(&id.environment).unwrap(), []);
}

#[test]
fn a_secret_that_was_moved_to_another_addon_is_refused() {
    let bench = Bench::new();
    for name in ["shop", "blog"] {
        let id = redis(name);
        bench.store.create_project(&id.environment.project).unwrap();
        bench.store.add_addon(&id, &settings(), None, "cli").unwrap();
    }
    let moved = "UPDATE credential SET sealed = (SELECT sealed FROM credential WHERE project = 'blog')";
    bench
        .store
        .write("move a secret", |write| Ok(write.sql.execute(moved, [])?))
        .unwrap();
    let refused = bench.store.addon(&redis("shop")).unwrap_err();
    assert!(refused.message.contains("belongs to another place"), "{refused}");
    bench.store.addon(&redis("blog")).unwrap();
}

#[test]
fn what_was_made_once_is_known_and_settings_can_be_others() {
    let bench = Bench::new();
    let (store, id) = (&bench.store, redis("shop"));
    store.create_project(&id.environment.project).unwrap();
    let added = store.add_addon(&id, &settings(), None, "cli").unwrap();
    assert!(!added.order.made);
    for _ in 0..2 {
        store.note_addon_made(&id).unwrap();
    }
    let other = AddonSettings::default();
    let changed = store.set_addon_settings(&id, &other, "cli").unwrap();
    assert!(changed.order.made);
    assert_eq!(
        (changed.order.settings, changed.order.credentials),
        (other, added.order.credentials)
    );
    store.begin_addon_removal(&id).unwrap();
    store.finish_addon_removal(&id).unwrap();
    assert_eq!(
        store
            .set_addon_settings(&id, &settings(), "cli")
            .unwrap_err()
            .kind,
        Kind::NotFound
    );
    // One of the same name is another.
    assert!(!store.add_addon(&id, &settings(), None, "cli").unwrap().order.made);
}
