//! What programs on Node.js migrate and ask with, unchanged: Drizzle, Knex, Prisma. Migrations over the direct connection,
//! queries through PgBouncer.

use std::path::Path;
use std::process::Command;

use hostkit_core::traits::Addon;
use hostkit_testkit::sdks;
use tempfile::TempDir;

use super::run;
use crate::house::{House, order};

/// A folder as `npm install` leaves one, with these files.
fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let file = folder.path().join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    }
    std::os::unix::fs::symlink(sdks::node_modules(), folder.path().join("node_modules")).unwrap();
    folder
}

/// Runs a program of `node_modules`, or one of the folder's own.
fn node(house: &House, project: &str, folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("node");
    command.args(arguments).current_dir(folder);
    run(house, project, command)
}

#[tokio::test(flavor = "multi_thread")]
async fn drizzle_makes_and_runs_migrations_and_works_through_the_pool() {
    let house = House::shared().await;
    house.addon.ensure(&order("sdk-drizzle", &[1])).await.unwrap();
    let folder = folder(&[
        ("drizzle.config.js", include_str!("drizzle/drizzle.config.js")),
        ("schema.js", include_str!("drizzle/schema.js")),
        ("app.js", include_str!("drizzle/app.js")),
    ]);
    let node = |arguments: &[&str]| node(house, "sdk-drizzle", folder.path(), arguments);
    let kit = "node_modules/drizzle-kit/bin.cjs";
    node(&[kit, "generate", "--name", "first"]);
    // The second time there is nothing to do.
    for _ in 0..2 {
        node(&[kit, "migrate"]);
    }
    assert!(node(&["app.js"]).contains("all well"));
    house.addon.remove(&order("sdk-drizzle", &[1]).id).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn knex_migrates_forth_and_back_and_works_through_the_pool() {
    let house = House::shared().await;
    house.addon.ensure(&order("sdk-knex", &[1])).await.unwrap();
    let folder = folder(&[
        ("knexfile.js", include_str!("knex/knexfile.js")),
        (
            "migrations/20250101000000_first.js",
            include_str!("knex/first.js"),
        ),
        ("app.js", include_str!("knex/app.js")),
    ]);
    let node = |arguments: &[&str]| node(house, "sdk-knex", folder.path(), arguments);
    let cli = "node_modules/knex/bin/cli.js";
    for (step, said) in [
        ("migrate:latest", "Batch 1 run: 1 migrations"),
        ("migrate:rollback", "Batch 1 rolled back: 1 migrations"),
        ("migrate:latest", "Batch 1 run: 1 migrations"),
        ("migrate:latest", "Already up to date"),
    ] {
        let answer = node(&[cli, step]);
        assert!(answer.contains(said), "{step}: {answer}");
    }
    assert!(node(&["app.js"]).contains("all well"));
    house.addon.remove(&order("sdk-knex", &[1]).id).await.unwrap();
}

/// `prisma migrate deploy` needs a program that Prisma fetches from its own site when it is run. What its package brings
/// writes the same migration as SQL, which `psql` runs.
#[tokio::test(flavor = "multi_thread")]
async fn prisma_writes_a_migration_and_its_client_works_through_the_pool() {
    let house = House::shared().await;
    house.addon.ensure(&order("sdk-prisma", &[1])).await.unwrap();
    let folder = folder(&[
        ("schema.prisma", include_str!("prisma/schema.prisma")),
        ("prisma.config.mjs", include_str!("prisma/prisma.config.mjs")),
        ("app.js", include_str!("prisma/app.js")),
    ]);
    let node = |arguments: &[&str]| node(house, "sdk-prisma", folder.path(), arguments);
    let cli = "node_modules/prisma/build/index.js";
    let diff = [
        "--from-empty",
        "--to-schema-datamodel",
        "schema.prisma",
        "--script",
    ];
    node(&[&[cli, "migrate", "diff", "--output", "first.sql"], &diff[..]].concat());
    let mut migrate = Command::new("/bin/sh");
    migrate
        .args([
            "-euc",
            r#"exec psql "$DIRECT_URL" -X --set=ON_ERROR_STOP=1 --single-transaction --file=first.sql"#,
        ])
        .current_dir(folder.path());
    run(house, "sdk-prisma", migrate);
    node(&[cli, "generate"]);
    assert!(node(&["app.js"]).contains("all well"));
    house.addon.remove(&order("sdk-prisma", &[1]).id).await.unwrap();
}
