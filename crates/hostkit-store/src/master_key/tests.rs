use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use hostkit_core::addon::{AddonId, AddonKind, AddonSettings};
use hostkit_core::layout::Layout;
use hostkit_core::names::ReleaseName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::services::ServiceRole;

use super::*;
use crate::seal::key_file::KeyFiles;
use crate::tests::{Bench, Fixed, production, project, release, variables};

/// One of everything that is sealed.
fn fill(store: &Store) -> EnvironmentId {
    store.create_project(&project("shop")).unwrap();
    let shop = production("shop");
    store
        .change_variables(
            &shop,
            &variables(&[("A", "one"), ("B", "two\nlines ü")]),
            &[],
            "cli",
        )
        .unwrap();
    store
        .add_release(&release(&shop, "20250215-120000"), &variables(&[("A", "zero")]))
        .unwrap();
    let redis = AddonId::new(shop.clone(), AddonKind::Redis);
    store
        .add_addon(&redis, &AddonSettings::default(), None, "cli")
        .unwrap();
    store
        .shared_service(ServiceRole::Postgres, None, |_| true)
        .unwrap();
    shop
}

/// All that is sealed, as it is read.
fn read(store: &Store, shop: &EnvironmentId) -> Vec<String> {
    let name: ReleaseName = "20250215-120000".parse().unwrap();
    let mut all = Vec::new();
    for variables in [
        store.variables(shop).unwrap(),
        store.release_variables(shop, &name).unwrap(),
    ] {
        all.extend(variables.values().map(|value| value.reveal().to_owned()));
    }
    for addon in store.addons_of(shop).unwrap() {
        all.push(addon.order.operator.reveal().to_owned());
        all.extend(
            addon
                .order
                .credentials
                .iter()
                .map(|one| one.secret.reveal().to_owned()),
        );
    }
    let shared = store
        .shared_service(ServiceRole::Postgres, None, |_| true)
        .unwrap();
    all.push(shared.operator.reveal().to_owned());
    all
}

fn reopen(bench: Bench) -> Bench {
    let Bench { folder, store } = bench;
    drop(store);
    let store = Store::open(&Layout::new(folder.path()), Arc::new(Fixed)).unwrap();
    Bench { folder, store }
}

fn keys_in(path: &Path) -> usize {
    std::fs::read_to_string(path).unwrap().lines().count()
}

#[test]
fn everything_is_sealed_again_and_the_old_key_opens_nothing() {
    let bench = Bench::new();
    let shop = fill(&bench.store);
    let before = read(&bench.store, &shop);
    let key = bench.layout().key();
    let old = std::fs::read(&key).unwrap();

    let rotated = bench.store.rotate_master_key("admin").unwrap();

    assert_eq!(rotated.values, before.len() as u64);
    assert_eq!(rotated.key.len(), 8);
    assert_eq!(read(&bench.store, &shop), before);
    assert_eq!(keys_in(&key), 1);
    assert_eq!(
        std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let bench = reopen(bench);
    assert_eq!(read(&bench.store, &shop), before);
    let events = bench.store.events(&Default::default()).unwrap();
    assert!(events.iter().any(|event| matches!(
        &event.what, What::MasterKeyRotated { by, values } if by == "admin" && *values == rotated.values
    )));

    std::fs::write(&key, old).unwrap();
    let bench = reopen(bench);
    let why = bench.store.variables(&shop).unwrap_err();
    assert!(why.message.contains("encrypted with another key"), "{why}");
}

#[test]
fn whatever_cuts_a_rotation_short_leaves_everything_readable() {
    let bench = Bench::new();
    let shop = fill(&bench.store);
    let before = read(&bench.store, &shop);
    let file = KeyFiles::new(bench.layout().key(), None);
    let old = file.load(false).unwrap();

    // After the first step: both keys are in the file, nothing is sealed again.
    let new = MasterKey::random().unwrap();
    file.write(&[&new, &old[0]]).unwrap();
    let bench = reopen(bench);
    assert_eq!(read(&bench.store, &shop), before);
    assert_eq!(keys_in(&file.file), 1, "the next start ends it");
    assert_eq!(file.load(false).unwrap()[0].id(), new.id());

    // After the second: everything is sealed again, both keys are still there.
    file.write(&[&new, &old[0]]).unwrap();
    let bench = reopen(bench);
    assert_eq!(read(&bench.store, &shop), before);
    assert_eq!(keys_in(&file.file), 1);

    // Before the first: a file that is half written is not the key file.
    std::fs::write(bench.layout().key().with_extension("new"), "hostkit-key-1 12").unwrap();
    let bench = reopen(bench);
    bench.store.rotate_master_key("admin").unwrap();
    assert_eq!(read(&bench.store, &shop), before);
}

#[test]
fn a_value_that_cannot_be_read_ends_a_rotation_and_loses_no_key() {
    let bench = Bench::new();
    let shop = fill(&bench.store);
    let sql = rusqlite::Connection::open(bench.layout().database()).unwrap();
    let good: Vec<u8> = sql
        .query_row("SELECT sealed FROM variable WHERE name = 'A'", [], |row| {
            row.get(0)
        })
        .unwrap();
    let mut bad = good.clone();
    *bad.last_mut().unwrap() ^= 1;
    let put = |sealed: &[u8]| {
        sql.execute("UPDATE variable SET sealed = ?1 WHERE name = 'A'", [sealed])
            .unwrap()
    };
    put(&bad);

    let why = bench.store.rotate_master_key("admin").unwrap_err();

    assert!(why.message.contains("`shop/production/A`"), "{why}");
    assert_eq!(keys_in(&bench.layout().key()), 2);
    assert_eq!(
        bench
            .store
            .variable(&shop, &"B".parse().unwrap())
            .unwrap()
            .reveal(),
        "two\nlines ü"
    );
    // Control starts all the same, and says what cannot be read where it is asked for.
    let bench = reopen(bench);
    put(&good);
    assert_eq!(bench.store.variables(&shop).unwrap().len(), 2);
    bench.store.rotate_master_key("admin").unwrap();
    assert_eq!(keys_in(&bench.layout().key()), 1);
}

#[test]
fn what_is_written_meanwhile_is_not_lost() {
    let bench = Bench::new();
    let shop = fill(&bench.store);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for at in 0..200 {
                let set = variables(&[(&format!("N{at}"), "value")]);
                bench.store.change_variables(&shop, &set, &[], "cli").unwrap();
                bench.store.variables(&shop).unwrap();
            }
        });
        while !writer.is_finished() {
            bench.store.rotate_master_key("admin").unwrap();
        }
    });
    let bench = reopen(bench);
    assert_eq!(bench.store.variables(&shop).unwrap().len(), 202);
}

#[test]
fn a_key_that_systemd_gives_is_taken_and_not_replaced() {
    let bench = Bench::new();
    let shop = fill(&bench.store);
    let before = read(&bench.store, &shop);
    let credentials = tempfile::tempdir().unwrap();
    let given = KeyFiles::new(credentials.path().join("hostkit-key"), None);
    let key = MasterKey::random().unwrap();
    given.write(&[&key]).unwrap();
    let open = |folder: &Path| {
        Store::open_with(&Layout::new(folder), Arc::new(Fixed), Some(credentials.path())).unwrap()
    };
    let Bench { folder, store } = bench;
    drop(store);

    let store = open(folder.path());
    assert_eq!(read(&store, &shop), before);
    let refused = store.rotate_master_key("admin").unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(refused.hint.is_some());
    assert!(store.look_at_keys()[0].is_credential);
    drop(store);

    // The file is not needed any more.
    std::fs::remove_file(Layout::new(folder.path()).key()).unwrap();
    let store = open(folder.path());
    assert_eq!(read(&store, &shop), before);
    drop(store);

    // Another one is given before it.
    let next = MasterKey::random().unwrap();
    given.write(&[&next, &key]).unwrap();
    drop(open(folder.path()));
    given.write(&[&next]).unwrap();
    assert_eq!(read(&open(folder.path()), &shop), before);
}

#[test]
fn no_sealed_column_of_the_schema_is_missing() {
    let bench = Bench::new();
    let sql = rusqlite::Connection::open(bench.layout().database()).unwrap();
    let mut columns = sql
        .prepare(
            "SELECT t.name, c.name FROM sqlite_master t, pragma_table_info(t.name) c
             WHERE t.type = 'table' AND c.type = 'BLOB' ORDER BY 1, 2",
        )
        .unwrap();
    let mut found: Vec<(String, String)> = columns
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    // The hash of a token is no secret: nobody can go back from it.
    found.retain(|(table, _)| table != "token");
    let mut known: Vec<(String, String)> = resealing::SEALED
        .iter()
        .map(|(table, column, _)| ((*table).to_owned(), (*column).to_owned()))
        .collect();
    known.sort();
    assert_eq!(found, known);
}
