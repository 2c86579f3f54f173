//! Every act, when all goes well.

use hostkit_core::deployment::{Act, StepName};
use hostkit_core::kind::Kind;
use hostkit_core::release::{Artifact, StaticFiles};
use hostkit_core::route::{NothingReason, Target};

use crate::bench::{World, done, fails, process, shop, succeeds, until, variables};

#[tokio::test]
async fn what_visitors_do_not_get_during_maintenance_is_not_counted_as_lost() {
    let world = World::new();
    let (engine, _) = world.with_live_shop().await;
    let away = ("hostkit.toml", "[routing]\nmaintenance = true");
    let begun = succeeds(&engine, world.deploy(&[away, ("a", "2")])).await;
    assert_eq!(begun.probe, None);
    let during = succeeds(&engine, world.deploy(&[away, ("a", "3")])).await;
    assert_eq!(during.probe, None);
    let over = succeeds(&engine, world.deploy(&[("a", "4")])).await;
    assert_eq!(over.probe, None);
    let after = succeeds(&engine, world.deploy(&[("a", "5")])).await;
    assert_eq!(after.probe.unwrap().lost, 0);
}

#[tokio::test]
async fn a_deploy_replaces_the_one_before_and_leaves_nothing() {
    let world = World::new();
    let engine = world.with_shop().await;
    let first = succeeds(&engine, world.deploy(&[("a", "1")])).await;
    let release = first.release.clone().unwrap();
    world.assert_serves(&release, &["web.1.1"]).await;
    let names: Vec<StepName> = first.steps.iter().map(|s| s.name).collect();
    assert_eq!(names, StepName::ALL);
    assert_eq!(release.as_str(), "20250215-120001");
    let second = succeeds(&engine, world.deploy(&[("a", "2")])).await;
    world
        .assert_serves(second.release.as_ref().unwrap(), &["web.2.1"])
        .await;
    let text = std::fs::read_to_string(world.layout().current(&shop()).join("a")).unwrap();
    assert_eq!(text, "2");
    assert_eq!(engine.previous_release(&shop()).unwrap(), release);
    let probe = second.probe.unwrap();
    assert_eq!(probe.lost, 0);
    // Drained before it was stopped, and only after traffic had left.
    let entries = world.journal.entries();
    let at = |what: &str| {
        entries
            .iter()
            .position(|e| e.starts_with(what))
            .unwrap_or_else(|| panic!("{what}"))
    };
    assert!(at("ensure shop.production.web.2") < at("drain shop.production.web.1.1"));
    assert!(at("drain shop.production.web.1.1") < at("remove shop.production.web.1"));
}

#[tokio::test]
async fn two_releases_of_one_second_have_two_names() {
    let world = World::new();
    let engine = world.with_shop().await;
    let act = world.deploy(&[("a", "1")]);
    succeeds(&engine, act.clone()).await;
    let second = succeeds(&engine, act).await;
    assert_eq!(second.release.unwrap().as_str(), "20250215-120001-2");
}

#[tokio::test]
async fn a_rollback_brings_files_and_variables_back_without_a_build() {
    let world = World::new();
    let engine = world.with_shop().await;
    engine
        .set_variables(&shop(), variables(&[("COLOUR", "red")]), &[], "test")
        .await
        .unwrap();
    let first = succeeds(&engine, world.deploy(&[("a", "1")]))
        .await
        .release
        .unwrap();
    engine
        .set_variables(&shop(), variables(&[("COLOUR", "blue")]), &[], "test")
        .await
        .unwrap();
    succeeds(&engine, world.deploy(&[("a", "2")])).await;
    let colour = |id: &str| {
        let instance = world.instance(id).unwrap();
        let workload = world.runtime.started_from(&instance.id).unwrap();
        workload.variables[&"COLOUR".parse().unwrap()].reveal().to_owned()
    };
    assert_eq!(colour("web.2.1"), "blue");
    let back = succeeds(&engine, Act::Rollback { to: first.clone() }).await;
    assert_eq!(back.steps[0].name, StepName::Prepare);
    world.assert_serves(&first, &["web.3.1"]).await;
    assert_eq!(colour("web.3.1"), "red");
    assert_eq!(world.journal.count("build"), 2);
    let dotenv = std::fs::read_to_string(world.layout().dotenv(&shop())).unwrap();
    assert!(dotenv.contains("red") && !dotenv.contains("blue"), "{dotenv}");
    let own = "PROJECT_NAME=shop\nHOST=127.0.0.1\nPORT=8001\n";
    assert!(dotenv.starts_with(own), "{dotenv}");
    // And forth again: the release before is the one rolled back from.
    let to = engine.previous_release(&shop()).unwrap();
    succeeds(&engine, Act::Rollback { to }).await;
    assert_eq!(colour("web.4.1"), "blue");
}

#[tokio::test]
async fn apply_takes_todays_variables_into_a_release_of_its_own() {
    let world = World::new();
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    engine
        .set_variables(&shop(), variables(&[("COLOUR", "red")]), &[], "test")
        .await
        .unwrap();
    world.clock.advance(std::time::Duration::from_secs(1));
    let applied = succeeds(&engine, Act::Apply).await;
    world
        .assert_serves(applied.release.as_ref().unwrap(), &["web.2.1"])
        .await;
    assert_eq!(world.folders().len(), 2);
    assert_eq!(world.journal.count("build"), 1);
}

#[tokio::test]
async fn restart_scale_stop_and_start() {
    let world = World::new();
    let engine = world.with_shop().await;
    let release = succeeds(&engine, world.deploy(&[("a", "1")]))
        .await
        .release
        .unwrap();
    succeeds(&engine, Act::Restart).await;
    world.assert_serves(&release, &["web.2.1"]).await;
    let scale = |count| Act::Scale {
        process: process("web"),
        count,
    };
    succeeds(&engine, scale(0)).await;
    world.assert_serves(&release, &[]).await;
    succeeds(&engine, scale(3)).await;
    world
        .assert_serves(&release, &["web.2.1", "web.2.2", "web.2.3"])
        .await;
    succeeds(&engine, scale(1)).await;
    world.assert_serves(&release, &["web.2.1"]).await;
    assert_eq!(world.journal.count("drain shop.production.web.2.1"), 1);
    succeeds(&engine, scale(2)).await;
    // The number stays across deployments.
    let next = succeeds(&engine, world.deploy(&[("a", "2")]))
        .await
        .release
        .unwrap();
    world.assert_serves(&next, &["web.7.1", "web.7.2"]).await;
    succeeds(&engine, Act::Stop).await;
    assert_eq!(world.running(), Vec::<String>::new());
    let table = world.traffic.table();
    let target = &table
        .routes
        .iter()
        .find(|r| r.id == "shop/production/web")
        .unwrap()
        .target;
    assert_eq!(
        *target,
        Target::Nothing {
            reason: NothingReason::Stopped
        }
    );
    let refused = engine.submit(&shop(), Act::Restart, "test").await.unwrap_err();
    assert_eq!(refused.kind, Kind::Conflict);
    succeeds(&engine, Act::Stop).await;
    succeeds(&engine, Act::Start).await;
    world.assert_serves(&next, &["web.10.1", "web.10.2"]).await;
    succeeds(&engine, Act::Start).await;
    world.assert_serves(&next, &["web.10.1", "web.10.2"]).await;
}

#[tokio::test]
async fn fifty_restarts_end_with_one_instance() {
    let mut world = World::new();
    world.settings.settle = std::time::Duration::ZERO;
    let engine = world.with_shop().await;
    let release = succeeds(&engine, world.deploy(&[("a", "1")]))
        .await
        .release
        .unwrap();
    for _ in 0..50 {
        succeeds(&engine, Act::Restart).await;
    }
    world.assert_serves(&release, &["web.51.1"]).await;
}

#[tokio::test]
async fn what_cannot_be_done_is_refused_at_once() {
    let world = World::new();
    let engine = world.with_shop().await;
    for act in [Act::Restart, Act::Stop, Act::Start, Act::Apply] {
        let refused = engine.submit(&shop(), act, "test").await.unwrap_err();
        assert_eq!(refused.kind, Kind::Conflict, "{refused}");
        assert!(refused.message.ends_with("nothing was deployed yet"), "{refused}");
    }
    assert_eq!(engine.previous_release(&shop()).unwrap_err().kind, Kind::Conflict);
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    let unknown = Act::Rollback {
        to: "20200101-000000".parse().unwrap(),
    };
    assert_eq!(
        engine.submit(&shop(), unknown, "test").await.unwrap_err().kind,
        Kind::NotFound
    );
    let scale = |name: &str, count| Act::Scale {
        process: process(name),
        count,
    };
    let refused = engine.submit(&shop(), scale("wep", 2), "test").await.unwrap_err();
    assert_eq!(refused.hint.as_deref(), Some("its processes are `web`"));
    assert_eq!(
        engine
            .submit(&shop(), scale("web", 65), "test")
            .await
            .unwrap_err()
            .kind,
        Kind::Invalid
    );
    let mut nowhere = shop();
    nowhere.project = "nowhere".parse().unwrap();
    assert_eq!(
        engine
            .submit(&nowhere, Act::Restart, "test")
            .await
            .unwrap_err()
            .kind,
        Kind::NotFound
    );
}

#[tokio::test]
async fn processes_follow_the_procfile_and_the_manifest() {
    let world = World::new();
    let engine = world.with_shop().await;
    let files = [("Procfile", "web: run web\nworker: run worker")];
    succeeds(&engine, world.deploy(&files)).await;
    assert_eq!(world.running(), ["web.1.1", "worker.1.1"]);
    assert!(world.instance("worker.1.1").unwrap().address.is_none());
    let release = succeeds(&engine, world.deploy(&[("Procfile", "web: run web")]))
        .await
        .release
        .unwrap();
    world.assert_serves(&release, &["web.2.1"]).await;
    let manifest = "[process.web]\ncommand = \"run web\"\n[process.ml]\ncommand = \"run ml\"\ncount = 2\ninternal = true\n";
    succeeds(&engine, world.deploy(&[("hostkit.toml", manifest)])).await;
    assert_eq!(world.running(), ["ml.3.1", "ml.3.2", "web.3.1"]);
    let web = world.instance("web.3.1").unwrap();
    let variables = world.runtime.started_from(&web.id).unwrap().variables;
    let port = world.store.environment(&shop()).unwrap().ports[&process("ml")];
    assert_eq!(variables[&"ML_PORT".parse().unwrap()].reveal(), port.to_string());
}

#[tokio::test]
async fn kept_files_stay_from_release_to_release() {
    let world = World::new();
    let engine = world.with_shop().await;
    let manifest = ("hostkit.toml", "keep = [\"data/app.db\", \"uploads\"]");
    succeeds(&engine, world.deploy(&[manifest, ("uploads/shipped", "1")])).await;
    let current = world.layout().current(&shop());
    std::fs::write(current.join("uploads/user"), "kept").unwrap();
    std::fs::write(current.join("data/app.db"), "rows").unwrap();
    succeeds(&engine, world.deploy(&[manifest, ("uploads/shipped", "2")])).await;
    let read = |path: &str| std::fs::read_to_string(current.join(path)).unwrap();
    assert_eq!(
        (read("uploads/user"), read("data/app.db"), read("uploads/shipped")),
        ("kept".into(), "rows".into(), "1".into())
    );
}

#[tokio::test]
async fn the_last_releases_are_kept_and_the_live_and_previous_always() {
    let world = World::new();
    let engine = world.with_shop().await;
    let manifest = ("hostkit.toml", "[releases]\nkeep = 2\n");
    let first = succeeds(&engine, world.deploy(&[manifest, ("a", "1")]))
        .await
        .release
        .unwrap();
    let second = succeeds(&engine, world.deploy(&[manifest, ("a", "2")]))
        .await
        .release
        .unwrap();
    succeeds(&engine, world.deploy(&[manifest, ("a", "3")])).await;
    until("the first to go", || world.folders().len() == 2).await;
    assert!(!world.folders().contains(&first.to_string()));
    succeeds(&engine, Act::Rollback { to: second.clone() }).await;
    // A failed deploy on top takes neither of the two.
    world
        .builder
        .faults
        .fail_next("build", hostkit_testkit::fakes::Faults::broken("build"));
    fails(&engine, world.deploy(&[manifest, ("a", "4")])).await;
    until("two to stay", || world.folders().len() == 2).await;
    world.assert_serves(&second, &["web.4.1"]).await;
}

#[tokio::test]
async fn a_project_is_deleted_without_a_trace_and_its_neighbour_untouched() {
    let world = World::new();
    let engine = world.with_shop().await;
    let other: hostkit_core::names::ProjectName = "shop2".parse().unwrap();
    engine.create_project(&other).await.unwrap();
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    let mut of_other = shop();
    of_other.project = other.clone();
    let source = world.sources.add(&other, &[("a", "1")]);
    let deployment = engine
        .submit(&of_other, Act::Deploy { source, canary: None }, "test")
        .await
        .unwrap();
    engine.wait(deployment.id).await.unwrap();
    // One more is under way, stuck in its build.
    world.builder.faults.block("build");
    let stuck = engine
        .submit(&shop(), world.deploy(&[("a", "2")]), "test")
        .await
        .unwrap();
    engine.delete_project(&shop().project).await.unwrap();
    world.builder.faults.release("build");
    assert!(engine.wait(stuck.id).await.is_err());
    assert!(!world.layout().project(&shop().project).exists());
    assert_eq!(
        engine.delete_project(&shop().project).await.unwrap_err().kind,
        Kind::NotFound
    );
    let left: Vec<String> = world
        .runtime
        .instances()
        .iter()
        .map(|i| i.id.to_string())
        .collect();
    assert_eq!(left, ["shop2.production.web.2.1"]);
    assert!(
        world
            .traffic
            .table()
            .routes
            .iter()
            .all(|r| !r.id.starts_with("shop/"))
    );
    assert_eq!(world.store.projects().unwrap().len(), 1);
    engine.create_project(&shop().project).await.unwrap();
    done(&engine, world.deploy(&[("a", "1")])).await;
}

#[tokio::test]
async fn a_process_with_a_folder_of_its_own_is_built_apart_and_put_into_place() {
    let world = World::new();
    let engine = world.with_shop().await;
    let manifest = "[process.web]\n[process.quotes]\nroot = \"quotes\"\ninternal = true\n";
    let files = [("hostkit.toml", manifest), ("a", "1"), ("quotes/b", "2")];
    let release = succeeds(&engine, world.deploy(&files)).await.release.unwrap();
    assert_eq!(world.journal.count("build"), 2);
    let folder = world.layout().release(&shop(), &release);
    let read = |path: &str| std::fs::read_to_string(folder.join(path)).unwrap();
    assert_eq!((read("a"), read("quotes/b")), ("1".into(), "2".into()));
    let quotes = world.instance("quotes.1.1").unwrap();
    let workload = world.runtime.started_from(&quotes.id).unwrap();
    assert_eq!(workload.directory, folder.join("quotes"));
    assert_eq!(world.running(), ["quotes.1.1", "web.1.1"]);
}

#[tokio::test]
async fn the_front_door_is_told_where_files_of_other_kept_releases_lie() {
    let world = World::new();
    let engine = world.with_shop().await;
    let dist: hostkit_core::names::RelativePath = "dist".parse().unwrap();
    world.builder.yields(Artifact {
        builder: "fake".into(),
        files: Some(StaticFiles {
            root: dist.clone(),
            single_page: false,
        }),
        programs: Default::default(),
        assumed: Vec::new(),
    });
    let mut names = Vec::new();
    for number in 0..5 {
        let act = world.deploy(&[("dist/index.html", &format!("{number}"))]);
        names.push(succeeds(&engine, act).await.release.unwrap());
    }
    let told = || {
        let route = world.traffic.table().routes[0].clone();
        match route.target {
            Target::Files { root, earlier, .. } => std::iter::once(root).chain(earlier).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        }
    };
    let folder = |at: usize| dist.under(&world.layout().release(&shop(), &names[at]));
    assert_eq!(told(), [4, 3, 2, 1].map(folder));
    succeeds(&engine, Act::Rollback { to: names[2].clone() }).await;
    assert_eq!(told(), [2, 4, 3, 1].map(folder));
}

#[tokio::test]
async fn the_cache_of_an_environment_that_there_is_is_purged() {
    let world = World::new();
    let engine = world.with_shop().await;
    let purged = engine.purge(&shop(), Some("/a".into())).await.unwrap();
    assert_eq!(purged.addresses, 1);
    assert!(
        world
            .journal
            .entries()
            .iter()
            .any(|entry| entry == "purge shop/production /a")
    );
    let mut other = shop();
    other.project = "nobody".parse().unwrap();
    assert_eq!(engine.purge(&other, None).await.unwrap_err().kind, Kind::NotFound);
}
