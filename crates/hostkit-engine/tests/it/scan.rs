//! Secrets in a source are told before it is built, and stop it where the manifest says so.

use hostkit_core::event::What;
use hostkit_core::kind::Kind;
use hostkit_engine::Engine;
use hostkit_store::EventQuery;

use crate::bench::{World, fails, shop, succeeds};

/// A line with something that looks like a key; put together here so that this file has none.
fn line() -> String {
    format!("key = 'sk_{}_{}'\n", "live", "4eC39HqLyjWDarjtT1zdp7dc")
}

fn log(world: &World, deployment: u64) -> String {
    std::fs::read_to_string(world.layout().deployment_log(&shop(), deployment)).unwrap()
}

fn told(world: &World) -> Vec<(u64, Vec<String>, bool)> {
    let events = world.store.events(&EventQuery::default()).unwrap().into_iter();
    let told = events.filter_map(|event| match event.what {
        What::SecretsFound {
            count,
            places,
            stopped,
            ..
        } => Some((count, places, stopped)),
        _ => None,
    });
    told.collect()
}

async fn read_contents(world: &World, engine: &Engine, files: &[(&str, &str)]) -> usize {
    let before = world.journal.count("read");
    succeeds(engine, world.deploy(files)).await;
    world.journal.count("read") - before
}

#[tokio::test]
async fn a_secret_is_told_by_place_and_kind_and_never_shown() {
    let world = World::new();
    let engine = world.with_shop().await;
    let text = line();
    let deployment = succeeds(&engine, world.deploy(&[("a", "1"), ("src/pay.rb", &text)])).await;
    let log = log(&world, deployment.id);
    assert!(log.contains("src/pay.rb:1: Stripe live key"), "{log}");
    assert!(!log.contains("4eC39HqLyjWDarjtT1zdp7dc"), "{log}");
    let places = vec!["src/pay.rb:1 stripe-live-key".to_owned()];
    assert_eq!(told(&world), [(1, places, false)]);
}

#[tokio::test]
async fn the_manifest_stops_ignores_or_does_not_look() {
    let world = World::new();
    let (engine, live) = world.with_live_shop().await;
    let text = line();
    let stop = "[scan]\nsecrets = \"stop\"\n";
    let deployment = fails(&engine, world.deploy(&[("hostkit.toml", stop), ("b", &text)])).await;
    let failure = deployment.failure.unwrap();
    assert_eq!(failure.kind, Kind::Invalid);
    assert_eq!(failure.message, "cannot build: there is a secret in the source");
    assert!(
        failure.details[0].starts_with("b:1: Stripe live key"),
        "{failure:?}"
    );
    assert!(!format!("{failure:?}").contains("4eC39HqLyjWDarjtT1zdp7dc"));
    assert_eq!(world.journal.count("build"), 1, "what was refused was built");
    world.assert_serves(&live, &["web.1.1"]).await;
    assert_eq!(told(&world).len(), 1);
    for rule in [
        "[scan]\nsecrets = \"off\"\n",
        "[scan]\nsecrets = \"stop\"\nignore = [\"b\"]\n",
    ] {
        succeeds(&engine, world.deploy(&[("hostkit.toml", rule), ("b", &text)])).await;
    }
    assert_eq!(told(&world).len(), 1);
}

#[tokio::test]
async fn what_was_clean_is_not_looked_at_again() {
    let world = World::new();
    let engine = world.with_shop().await;
    let text = line();
    let files = [("a", "1"), ("b", "2"), (".env", "A=1"), ("c", text.as_str())];
    assert_eq!(read_contents(&world, &engine, &files).await, 4);
    // Only what was not clean, or depends on its name.
    assert_eq!(read_contents(&world, &engine, &files).await, 2);
    assert_eq!(told(&world).len(), 2);
    let changed = [("a", "1"), ("b", "3")];
    assert_eq!(read_contents(&world, &engine, &changed).await, 1);
}
