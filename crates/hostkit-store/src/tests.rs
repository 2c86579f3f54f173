//! The store on a real file in a temporary folder.

use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

use hostkit_core::access::Role;
use hostkit_core::deployment::{Act, DeploymentState, StepName, StepState};
use hostkit_core::domain::DomainName;
use hostkit_core::event::What;
use hostkit_core::kind::Kind;
use hostkit_core::layout::Layout;
use hostkit_core::manifest::Manifest;
use hostkit_core::names::{EnvironmentName, ProcessName, ProjectName, ReleaseName, VariableName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::release::{Artifact, Release};
use hostkit_core::secret::Secret;
use hostkit_core::source::SourceId;
use hostkit_core::traits::Clock;
use hostkit_core::variables::Variables;
use jiff::Timestamp;

use crate::{EventQuery, Live, Outcome, Standing, StepEnd, Store};

pub(crate) struct Fixed;
impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        "2025-02-15T12:00:00Z".parse().unwrap()
    }
}

pub(crate) struct Bench {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Store,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&Layout::new(folder.path()), Arc::new(Fixed)).unwrap();
        Bench { folder, store }
    }
    pub(crate) fn layout(&self) -> Layout {
        Layout::new(self.folder.path())
    }
}

fn open(layout: &Layout) -> Result<Store, hostkit_core::kind::Failure> {
    Store::open(layout, Arc::new(Fixed))
}

pub(crate) fn project(name: &str) -> ProjectName {
    name.parse().unwrap()
}

pub(crate) fn production(name: &str) -> EnvironmentId {
    EnvironmentId::new(project(name), EnvironmentName::production())
}

fn source(digit: char) -> SourceId {
    SourceId::parse(&digit.to_string().repeat(64)).unwrap()
}

pub(crate) fn release(id: &EnvironmentId, name: &str) -> Release {
    Release {
        environment: id.clone(),
        name: name.parse().unwrap(),
        source: source('a'),
        artifact: Artifact {
            builder: "static".into(),
            files: None,
            programs: Default::default(),
            assumed: Vec::new(),
        },
        manifest: Manifest::default(),
        processes: Default::default(),
        created_at: Fixed.now(),
        bytes: 1,
    }
}

pub(crate) fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs
        .iter()
        .map(|(k, v)| (k.parse().unwrap(), Secret::new(*v)))
        .collect()
}

#[test]
fn files_are_private_and_state_outlives_the_process() {
    let bench = Bench::new();
    bench.store.create_project(&project("shop")).unwrap();
    assert!(bench.store.bootstrap_token(&bench.layout()).unwrap());
    assert!(!bench.store.bootstrap_token(&bench.layout()).unwrap());
    for path in [
        bench.layout().database(),
        bench.layout().key(),
        bench.layout().token(),
    ] {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", path.display());
    }
    let Bench { folder, store } = bench;
    drop(store);
    let store = open(&Layout::new(folder.path())).unwrap();
    assert_eq!(store.projects().unwrap().len(), 1);
}

#[test]
fn a_first_start_cut_short_takes_the_token_that_lies_there() {
    let bench = Bench::new();
    let text = format!("hk_{}", "1".repeat(64));
    std::fs::write(bench.layout().token(), format!("{text}\n")).unwrap();
    assert!(bench.store.bootstrap_token(&bench.layout()).unwrap());
    assert_eq!(bench.store.caller(&text).unwrap().unwrap().role, Role::Admin);
}

#[test]
fn a_second_opener_is_refused() {
    let bench = Bench::new();
    let refused = open(&bench.layout()).err().unwrap();
    assert_eq!(refused.kind, Kind::Conflict);
    assert!(
        refused.message.contains("another HostKit uses this data folder"),
        "{refused}"
    );
}

#[test]
fn a_newer_schema_is_refused() {
    let Bench { folder, store } = Bench::new();
    drop(store);
    let layout = Layout::new(folder.path());
    let sql = rusqlite::Connection::open(layout.database()).unwrap();
    sql.pragma_update(None, "user_version", 8).unwrap();
    drop(sql);
    let refused = open(&layout).err().unwrap();
    assert!(
        refused
            .message
            .ends_with("it was written by a newer HostKit (schema 8, this one knows 7)"),
        "{refused}"
    );
    assert!(refused.hint.is_some());
}

#[test]
fn foreign_and_damaged_files_are_refused_and_left_alone() {
    let Bench { folder, store } = Bench::new();
    drop(store);
    let layout = Layout::new(folder.path());
    let good = std::fs::read(layout.database()).unwrap();
    for bytes in [
        b"this is no database at all".repeat(99),
        good[..good.len() / 2].to_vec(),
    ] {
        std::fs::write(layout.database(), &bytes).unwrap();
        let refused = open(&layout).err().unwrap();
        assert!(refused.message.starts_with("cannot open `"), "{refused}");
        assert!(refused.hint.is_some(), "{refused}");
        assert_eq!(std::fs::read(layout.database()).unwrap(), bytes);
    }
    std::fs::remove_file(layout.database()).unwrap();
    let sql = rusqlite::Connection::open(layout.database()).unwrap();
    sql.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(sql);
    assert!(
        open(&layout)
            .err()
            .unwrap()
            .message
            .contains("not a HostKit database")
    );
}

/// An empty database would want nothing of what runs.
#[test]
fn a_lost_database_is_not_replaced_while_projects_are_there() {
    let Bench { folder, store } = Bench::new();
    drop(store);
    let layout = Layout::new(folder.path());
    let good = std::fs::read(layout.database()).unwrap();
    std::fs::create_dir_all(layout.project(&project("shop"))).unwrap();
    for lose in [
        |layout: &Layout| std::fs::remove_file(layout.database()).unwrap(),
        |layout: &Layout| std::fs::write(layout.database(), b"").unwrap(),
    ] {
        lose(&layout);
        let refused = open(&layout).err().unwrap();
        assert!(refused.message.contains("projects are still here"), "{refused}");
        assert!(refused.hint.is_some(), "{refused}");
    }
    std::fs::write(layout.database(), good).unwrap();
    drop(open(&layout).unwrap());

    std::fs::remove_file(layout.database()).unwrap();
    std::fs::remove_dir_all(layout.projects()).unwrap();
    open(&layout).unwrap();
}

#[test]
fn a_lost_key_is_not_replaced() {
    let Bench { folder, store } = Bench::new();
    drop(store);
    let layout = Layout::new(folder.path());
    std::fs::remove_file(layout.key()).unwrap();
    assert!(
        open(&layout)
            .err()
            .unwrap()
            .message
            .starts_with("cannot read the key")
    );
    assert!(!layout.key().exists());
}

#[test]
fn the_schema_file_equals_the_sum_of_migrations() {
    let dump = |sql: &rusqlite::Connection| -> Vec<String> {
        let mut statement = sql
            .prepare("SELECT sql FROM sqlite_master WHERE sql NOT NULL ORDER BY name")
            .unwrap();
        let rows = statement.query_map([], |r| r.get(0)).unwrap();
        rows.map(Result::unwrap).collect()
    };
    let Bench { folder, store } = Bench::new();
    drop(store);
    let migrated = rusqlite::Connection::open(Layout::new(folder.path()).database()).unwrap();
    let fresh = rusqlite::Connection::open_in_memory().unwrap();
    fresh.execute_batch(include_str!("../schema.sql")).unwrap();
    assert_eq!(dump(&migrated), dump(&fresh));
}

#[test]
fn values_are_sealed_and_bound_to_their_place() {
    let bench = Bench::new();
    let (store, id) = (&bench.store, production("shop"));
    store.create_project(&id.project).unwrap();
    let set = variables(&[("A", "canary-81723"), ("B", "")]);
    store.change_variables(&id, &set, &[], "cli").unwrap();
    assert_eq!(store.variables(&id).unwrap(), set);
    let a: VariableName = "A".parse().unwrap();
    assert_eq!(store.variable(&id, &a).unwrap().reveal(), "canary-81723");
    for entry in std::fs::read_dir(bench.folder.path()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(12).any(|w| w == b"canary-81723"));
    }
    // A value moved to another name cannot be read: it was not sealed for that place.
    store
        .write("test", |write| {
            Ok(write
                .sql
                .execute("UPDATE variable SET name = 'C' WHERE name = 'A'", [])?)
        })
        .unwrap();
    assert!(
        store
            .variables(&id)
            .unwrap_err()
            .message
            .starts_with("cannot decrypt")
    );
    store
        .change_variables(
            &id,
            &Variables::new(),
            &["C".parse().unwrap(), "NONE".parse().unwrap()],
            "cli",
        )
        .unwrap();
    let names = store.variable_names(&id).unwrap();
    assert_eq!(names.iter().map(|v| v.name.as_str()).collect::<Vec<_>>(), ["B"]);
    assert_eq!(store.variable(&id, &a).unwrap_err().kind, Kind::NotFound);
}

#[test]
fn the_newest_waiting_deploy_wins() {
    let bench = Bench::new();
    let (store, id) = (&bench.store, production("shop"));
    store.create_project(&id.project).unwrap();
    let deploy = |d: char| {
        store
            .submit(
                &id,
                &Act::Deploy {
                    source: source(d),
                    canary: None,
                },
                "cli",
            )
            .unwrap()
            .id
    };
    let first = deploy('a');
    let restart = store.submit(&id, &Act::Restart, "cli").unwrap().id;
    let last = deploy('b');
    let skipped = store.deployment(first).unwrap();
    assert_eq!(
        (skipped.state, skipped.skipped_for),
        (DeploymentState::Skipped, Some(last))
    );
    assert_eq!(store.next_queued(&id).unwrap().unwrap().id, restart);
    assert!(store.begin_deployment(restart).unwrap());
    assert!(!store.begin_deployment(restart).unwrap());
    assert_eq!(store.next_queued(&id).unwrap().unwrap().id, last);
    assert_eq!(store.unfinished_deployments().unwrap().len(), 2);
}

#[test]
fn steps_and_their_saved_state_are_kept_until_the_end() {
    let bench = Bench::new();
    let (store, id) = (&bench.store, production("shop"));
    store.create_project(&id.project).unwrap();
    let number = store.submit(&id, &Act::Stop, "cli").unwrap().id;
    store.begin_deployment(number).unwrap();
    store.begin_step(number, StepName::Switch).unwrap();
    let name: ReleaseName = "20250215-120000".parse().unwrap();
    let end = StepEnd {
        name: StepName::Switch,
        state: StepState::Done,
        milliseconds: Some(3),
        saga: "{}",
        release: Some(&name),
    };
    store.end_step(number, end).unwrap();
    assert_eq!(store.saga(number).unwrap().as_deref(), Some("{}"));
    let outcome = Outcome {
        state: DeploymentState::Succeeded,
        failure: None,
        probe: None,
        message: "done".into(),
    };
    store.finish_deployment(number, &outcome).unwrap();
    assert_eq!(store.saga(number).unwrap(), None);
    let found = store.deployment(number).unwrap();
    assert_eq!(found.release, Some(name));
    assert_eq!(found.steps[0].milliseconds, Some(3));
    assert_eq!(store.deployments(&id, 5).unwrap(), [found]);
    assert_eq!(store.prune_deployments(&id, 0).unwrap(), [number]);
}

#[test]
fn ports_stay_and_foreign_ones_are_passed_over() {
    let bench = Bench::new();
    let (store, id) = (&bench.store, production("shop"));
    store.create_project(&id.project).unwrap();
    let web = ProcessName::web();
    assert_eq!(store.assign_port(&id, &web, |p| p != 8001).unwrap(), 8002);
    assert_eq!(store.assign_port(&id, &web, |_| false).unwrap(), 8002);
    let other: ProcessName = "ml".parse().unwrap();
    assert_eq!(store.assign_port(&id, &other, |_| true).unwrap(), 8001);
    assert_eq!(store.environment(&id).unwrap().ports.len(), 2);
    let third: ProcessName = "third".parse().unwrap();
    assert_eq!(
        store.assign_port(&id, &third, |_| false).unwrap_err().kind,
        Kind::Unavailable
    );
}

#[test]
fn deletion_leaves_no_row_but_the_event_that_says_so() {
    let bench = Bench::new();
    let (store, id) = (&bench.store, production("shop"));
    store.create_project(&project("shop2")).unwrap();
    let rows = || -> Vec<(String, i64)> {
        store
            .read("count rows", |sql| {
                let mut tables = sql.prepare(
                    "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'",
                )?;
                let names = tables
                    .query_map([], |r| r.get(0))?
                    .collect::<rusqlite::Result<Vec<String>>>()?;
                names
                    .into_iter()
                    .map(|t| {
                        Ok((
                            t.clone(),
                            sql.query_row(&format!("SELECT count(*) FROM {t}"), [], |r| r.get(0))?,
                        ))
                    })
                    .collect()
            })
            .unwrap()
    };
    let before = rows();
    store.create_project(&id.project).unwrap();
    let name: ReleaseName = "20250215-120000".parse().unwrap();
    store
        .change_variables(&id, &variables(&[("A", "b")]), &[], "cli")
        .unwrap();
    store
        .add_release(&release(&id, "20250215-120000"), &variables(&[("A", "b")]))
        .unwrap();
    store.assign_port(&id, &ProcessName::web(), |_| true).unwrap();
    let number = store.submit(&id, &Act::Restart, "cli").unwrap().id;
    store.begin_deployment(number).unwrap();
    store.begin_step(number, StepName::Start).unwrap();
    let live = Some(Live {
        release: name,
        generation: number,
    });
    store
        .switch(
            &id,
            &Standing {
                live,
                ..Standing::default()
            },
        )
        .unwrap();
    let token = store
        .create_token("ci", Role::Developer, Some(&id.project))
        .unwrap();
    store.begin_delete(&id.project).unwrap();
    assert_eq!(
        store.submit(&id, &Act::Restart, "cli").unwrap_err().kind,
        Kind::Conflict
    );
    assert_eq!(store.environments().unwrap().len(), 1);
    store.finish_delete(&id.project).unwrap();
    store.finish_delete(&id.project).unwrap();
    assert_eq!(store.caller(token.reveal()).unwrap(), None);
    let after = rows();
    for ((table, before), (_, after)) in before.iter().zip(&after) {
        let more = i64::from(table == "event");
        // The token's own two events name no project and stay.
        let tokens = i64::from(table == "event");
        assert_eq!(*after, before + more + tokens, "{table}");
    }
    // A project of the same name starts afresh, with numbers that were never used.
    store.create_project(&id.project).unwrap();
    assert!(store.submit(&id, &Act::Restart, "cli").unwrap().id > number);
}

#[test]
fn releases_keep_their_variables() {
    let bench = Bench::new();
    let (store, id) = (&bench.store, production("shop"));
    store.create_project(&id.project).unwrap();
    let set = variables(&[("A", "$ ' \" \\ # = \u{1f980}\n"), ("B", "")]);
    store.add_release(&release(&id, "20250215-120000"), &set).unwrap();
    store
        .add_release(&release(&id, "20250215-120000-10"), &set)
        .unwrap();
    store
        .add_release(&release(&id, "20250215-120000-2"), &set)
        .unwrap();
    let names: Vec<String> = store
        .releases(&id)
        .unwrap()
        .iter()
        .map(|r| r.name.to_string())
        .collect();
    assert_eq!(
        names,
        ["20250215-120000-2", "20250215-120000-10", "20250215-120000"]
    );
    let name: ReleaseName = names[2].parse().unwrap();
    assert_eq!(store.release_variables(&id, &name).unwrap(), set);
    store.remove_release(&id, &name).unwrap();
    store.remove_release(&id, &name).unwrap();
    assert_eq!(store.release(&id, &name).unwrap_err().kind, Kind::NotFound);
}

#[test]
fn a_token_can_be_replaced_in_one_go() {
    let bench = Bench::new();
    let store = &bench.store;
    let first = store.replace_token("admin", Role::Admin, None).unwrap();
    let second = store.replace_token("admin", Role::Admin, None).unwrap();
    assert_ne!(first.reveal(), second.reveal());
    assert_eq!(store.caller(first.reveal()).unwrap(), None);
    assert!(store.caller(second.reveal()).unwrap().is_some());
    assert_eq!(store.tokens().unwrap().len(), 1);
    // What cannot be made leaves the old one as it is.
    let ghost = ProjectName::parse("ghost").unwrap();
    store
        .replace_token("admin", Role::Admin, Some(&ghost))
        .unwrap_err();
    assert!(store.caller(second.reveal()).unwrap().is_some());
}

#[test]
fn tokens_are_stored_as_hashes_and_can_be_revoked() {
    let bench = Bench::new();
    let store = &bench.store;
    let token = store.create_token("ci", Role::Viewer, None).unwrap();
    assert_eq!(
        store.create_token("ci", Role::Viewer, None).unwrap_err().kind,
        Kind::Conflict
    );
    assert_eq!(
        store
            .create_token("no spaces", Role::Viewer, None)
            .unwrap_err()
            .kind,
        Kind::Invalid
    );
    assert_eq!(
        store
            .caller(token.reveal())
            .unwrap()
            .unwrap()
            .identity
            .to_string(),
        "token `ci`"
    );
    assert_eq!(store.caller("hk_0").unwrap(), None);
    assert_eq!(store.tokens().unwrap().len(), 1);
    store.revoke_token("ci").unwrap();
    assert_eq!(store.revoke_token("ci").unwrap_err().kind, Kind::NotFound);
    assert_eq!(store.caller(token.reveal()).unwrap(), None);
}

#[test]
fn events_are_told_in_order_and_listed_by_query() {
    let bench = Bench::new();
    let heard = Arc::new(std::sync::Mutex::new(Vec::new()));
    let sink = heard.clone();
    bench
        .store
        .listen(move |event| sink.lock().unwrap().push(event.clone()));
    bench.store.create_project(&project("shop")).unwrap();
    bench.store.create_project(&project("shop2")).unwrap();
    assert!(bench.store.create_project(&project("shop")).is_err());
    let all = bench.store.events(&EventQuery::default()).unwrap();
    assert_eq!(*heard.lock().unwrap(), all);
    assert_eq!(all.len(), 2);
    let query = EventQuery {
        project: Some(project("shop2")),
        ..EventQuery::default()
    };
    let mine = bench.store.events(&query).unwrap();
    assert_eq!(mine, [all[1].clone()]);
    assert!(query.matches(&all[1]) && !query.matches(&all[0]));
    let later = EventQuery {
        after: Some(all[0].id),
        ..EventQuery::default()
    };
    assert_eq!(bench.store.events(&later).unwrap(), [all[1].clone()]);
}

#[test]
fn a_domain_is_added_once_and_goes_with_its_project() {
    let bench = Bench::new();
    let (store, shop, other) = (&bench.store, production("shop"), production("other"));
    for id in [&shop, &other] {
        store.create_project(&id.project).unwrap();
    }
    let host: DomainName = "shop.example.com".parse().unwrap();
    let added = store.add_domain(&shop, &host, "ci").unwrap();
    assert_eq!((&added.environment, added.added_by.as_str()), (&shop, "ci"));
    for id in [&shop, &other] {
        let refused = store.add_domain(id, &host, "ci").unwrap_err();
        assert_eq!(refused.kind, Kind::Conflict, "{refused}");
        // Whose it is, is nobody else's business.
        assert!(!refused.message.contains("shop/production`: it was added to `"));
    }
    let nowhere = EnvironmentId::new(shop.project.clone(), "staging".parse().unwrap());
    let missing = store.add_domain(&nowhere, &host, "ci").unwrap_err();
    assert_eq!(missing.kind, Kind::NotFound);
    assert!(
        !store.remove_domain(&other, &host, "ci").unwrap(),
        "it is another's"
    );
    assert_eq!(store.domains().unwrap(), std::slice::from_ref(&added));
    assert_eq!(store.domains_of(&shop).unwrap(), [added]);
    assert_eq!(store.domains_of(&other).unwrap(), []);
    assert!(store.remove_domain(&shop, &host, "ci").unwrap());
    assert!(!store.remove_domain(&shop, &host, "ci").unwrap());
    let told: Vec<What> = store
        .events(&EventQuery::default())
        .unwrap()
        .into_iter()
        .map(|event| event.what)
        .filter(|what| matches!(what, What::DomainAdded { .. } | What::DomainRemoved { .. }))
        .collect();
    let (domain, by) = (host.clone(), String::from("ci"));
    let removed = What::DomainRemoved {
        domain: domain.clone(),
        by: by.clone(),
    };
    assert_eq!(told, [What::DomainAdded { domain, by }, removed]);
    store.add_domain(&shop, &host, "ci").unwrap();
    store.begin_delete(&shop.project).unwrap();
    assert_eq!(
        store
            .add_domain(&shop, &"b.example".parse().unwrap(), "ci")
            .unwrap_err()
            .kind,
        Kind::Conflict
    );
    store.finish_delete(&shop.project).unwrap();
    assert_eq!(store.domains().unwrap(), []);
    store.add_domain(&other, &host, "ci").unwrap();
}

#[test]
fn a_database_of_the_first_schema_is_brought_up_to_date_with_what_is_in_it() {
    let Bench { folder, store } = Bench::new();
    store.create_project(&project("shop")).unwrap();
    drop(store);
    let layout = Layout::new(folder.path());
    let sql = rusqlite::Connection::open(layout.database()).unwrap();
    sql.execute_batch("DROP TABLE domain; DROP TABLE credential; DROP TABLE addon_made; DROP TABLE addon; DROP TABLE shared_service; DROP TABLE backup; DROP TABLE backup_count; DROP TABLE backup_schedule; DROP TABLE backup_place; ALTER TABLE environment DROP COLUMN canary")
        .unwrap();
    sql.pragma_update(None, "user_version", 1).unwrap();
    drop(sql);
    let store = open(&layout).unwrap();
    assert_eq!(store.projects().unwrap().len(), 1);
    let host: DomainName = "shop.example.com".parse().unwrap();
    store.add_domain(&production("shop"), &host, "ci").unwrap();
    drop(store);
    assert_eq!(open(&layout).unwrap().domains().unwrap().len(), 1);
}

#[test]
fn a_canary_is_part_of_how_an_environment_stands() {
    let Bench { folder, store } = Bench::new();
    let id = production("shop");
    store.create_project(&id.project).unwrap();
    assert_eq!(store.environment(&id).unwrap().standing(), Standing::default());
    let standing = Standing {
        live: Some(Live {
            release: "20250215-120000".parse().unwrap(),
            generation: 1,
        }),
        canary: Some(crate::Canary {
            release: "20250215-130000".parse().unwrap(),
            generation: 2,
            percent: 10.try_into().unwrap(),
        }),
        ..Standing::default()
    };
    store.switch(&id, &standing).unwrap();
    drop(store);
    let store = open(&Layout::new(folder.path())).unwrap();
    assert_eq!(store.environment(&id).unwrap().standing(), standing);
    let ended = Standing {
        canary: None,
        ..standing
    };
    store.switch(&id, &ended).unwrap();
    assert_eq!(store.environments().unwrap()[0].standing(), ended);
    // A deployment of a version before says nothing of canaries.
    let before = r#"{"live":null,"previous":null,"stopped":false,"counts":{}}"#;
    assert_eq!(
        serde_json::from_str::<Standing>(before).unwrap(),
        Standing::default()
    );
}
