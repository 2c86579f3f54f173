//! What package managers keep for builds stays in bounds, and no build loses it under its hands.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::size::ByteSize;
use hostkit_engine::Engine;

use crate::bench::{World, shop, succeeds, until};

const KB: usize = 1024;

fn cache(world: &World) -> PathBuf {
    world.layout().cache(&shop().project)
}

fn fill(folder: &Path, kilobytes: usize) {
    std::fs::create_dir_all(folder.join("deep/er")).unwrap();
    std::fs::write(folder.join("deep/er/file"), vec![1; kilobytes * KB]).unwrap();
}

/// Everything in the project's folder that has to do with its cache.
fn names(world: &World) -> Vec<String> {
    let mut names = Vec::new();
    let project = world.layout().project(&shop().project);
    for entry in std::fs::read_dir(&project).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.starts_with("cache") {
            // It may be moved just now.
            let inside = std::fs::read_dir(project.join(&name)).into_iter().flatten();
            names.extend(
                inside
                    .flatten()
                    .map(|e| format!("{name}/{}", e.file_name().to_string_lossy())),
            );
            names.push(name);
        }
    }
    names.sort();
    names
}

/// A world in which 100 KB may be kept, with one build behind it; stopped.
async fn built() -> World {
    let mut world = World::new();
    world.settings.cache_size = ByteSize(100 * KB as u64);
    let engine = world.with_shop().await;
    succeeds(&engine, world.deploy(&[("a", "1")])).await;
    engine.stop().await;
    world
}

/// The sweep of a start looks at every cache.
async fn start(world: &World) -> Arc<Engine> {
    world.engine().await
}

#[tokio::test]
async fn beyond_its_size_the_largest_goes() {
    let world = built().await;
    for (name, kilobytes) in [
        ("npm", 90),
        ("pip", 20),
        ("uv", 30),
        ("sets/node", 500),
        ("scratch-1", 500),
    ] {
        fill(&cache(&world).join(name), kilobytes);
    }
    let _engine = start(&world).await;
    until("the sweep", || {
        names(&world) == ["cache", "cache/pip", "cache/scratch-1", "cache/sets", "cache/uv"]
    })
    .await;
}

#[tokio::test]
async fn where_nothing_was_built_for_long_nothing_is_kept() {
    let world = built().await;
    fill(&cache(&world).join("npm"), 1);
    fill(&cache(&world).join("sets/node"), 1);
    world
        .clock
        .advance(world.settings.cache_age - Duration::from_secs(5));
    let engine = start(&world).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    engine.stop().await;
    assert!(names(&world).contains(&"cache/npm".to_owned()));
    world.clock.advance(Duration::from_secs(10));
    let engine = start(&world).await;
    until("the sweep", || names(&world).is_empty()).await;
    // The next build finds a place.
    succeeds(&engine, world.deploy(&[("a", "2")])).await;
    assert_eq!(names(&world), ["cache"]);
}

#[tokio::test]
async fn while_something_is_built_it_is_left_alone() {
    let world = built().await;
    let engine = start(&world).await;
    world.builder.faults.block("build");
    let building = engine
        .submit(&shop(), world.deploy(&[("a", "2")]), "test")
        .await
        .unwrap();
    until("the build", || world.journal.count("build") > 1).await;
    // The next start takes the build up, and sweeps.
    engine.stop().await;
    fill(&cache(&world).join("npm"), 900);
    let engine = start(&world).await;
    until("the build", || world.journal.count("build") > 2).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(names(&world), ["cache", "cache/npm"]);
    world.builder.faults.release("build");
    engine.wait(building.id).await.unwrap();
    engine.stop().await;
    let _engine = start(&world).await;
    until("the sweep", || names(&world) == ["cache"]).await;
}

#[tokio::test]
async fn an_interruption_in_the_middle_is_made_good() {
    let world = built().await;
    // Taken aside and not put back.
    let cache = cache(&world);
    fill(&cache.join("pip"), 1);
    std::fs::rename(&cache, cache.with_file_name("cache.aside")).unwrap();
    fill(&cache.with_file_name("cache.trash").join("npm"), 1);
    let engine = start(&world).await;
    until("the sweep", || names(&world) == ["cache", "cache/pip"]).await;
    engine.stop().await;
    // And meanwhile a build made a new one.
    fill(&cache.with_file_name("cache.aside").join("uv"), 1);
    let _engine = start(&world).await;
    until("the sweep", || names(&world) == ["cache", "cache/pip"]).await;
}

#[tokio::test]
async fn links_lead_us_to_nothing_of_others() {
    let world = built().await;
    let precious = world.folder.path().join("precious");
    fill(&precious.join("npm"), 900);
    let kept = precious.join("npm/deep/er/file");
    // A link within: it goes, and what it leads to stays.
    let cache = cache(&world);
    std::os::unix::fs::symlink(&precious, cache.join("pip")).unwrap();
    fill(&cache.join("uv"), 900);
    let engine = start(&world).await;
    until("the sweep", || !cache.join("uv").exists()).await;
    engine.stop().await;
    assert!(kept.exists());
    // A link in place of the whole.
    std::fs::remove_dir_all(&cache).unwrap();
    std::os::unix::fs::symlink(&precious, &cache).unwrap();
    let engine = start(&world).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    engine.stop().await;
    assert!(kept.exists());
    world.clock.advance(world.settings.cache_age * 2);
    let _engine = start(&world).await;
    until("the sweep", || std::fs::symlink_metadata(&cache).is_err()).await;
    assert!(kept.exists());
}
