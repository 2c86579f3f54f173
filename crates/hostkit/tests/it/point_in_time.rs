//! Databases that come back as they were at a moment: of one project, and of no other.

use std::process::Stdio;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::Value;

use crate::backups::psql;
use crate::harness::{Installation, wait_until};

fn history(host: &Installation) -> Value {
    host.run(&["backup", "history", "--json"]).ok().json()
}

/// Keeps every change from now on, and waits until there are moments.
fn keep(host: &Installation) {
    host.run(&["backup", "history", "on"]).ok();
    wait_until("there are moments", || {
        !history(host)["windows"].as_array().unwrap().is_empty()
    });
}

fn notes(host: &Installation, project: &str) -> String {
    psql(
        host,
        project,
        "SELECT coalesce(string_agg(text, ',' ORDER BY text), '') FROM notes",
    )
}

fn insert(host: &Installation, project: &str, text: &str) {
    psql(host, project, &format!("INSERT INTO notes VALUES ('{text}')"));
}

/// A moment a second after all that was done, and a second before all that is done next.
fn moment() -> Timestamp {
    std::thread::sleep(Duration::from_secs(1));
    let now = Timestamp::now();
    std::thread::sleep(Duration::from_secs(1));
    now
}

fn restore(host: &Installation, to: Timestamp, more: &[&str]) -> crate::harness::Said {
    let at = to.to_string();
    let words = ["backup", "restore", "shop", "--to-time", &at, "--yes"];
    host.run(&[&words, more].concat())
}

#[test]
fn the_row_of_a_second_later_is_absent_the_one_before_is_there_and_nobody_elses_change() {
    let host = Installation::start();
    let begun = moment();
    for project in ["shop", "blog"] {
        host.run(&["project", "create", project, "--with-db"]).ok();
        psql(&host, project, "CREATE TABLE notes (text text)");
    }
    let none = restore(&host, moment(), &[]).failed();
    assert!(
        none.err.contains("no history of databases is kept"),
        "{}",
        none.err
    );
    assert!(none.err.contains("hostkit backup history on"), "{}", none.err);
    keep(&host);
    insert(&host, "shop", "a");
    let between = moment();
    insert(&host, "shop", "b");
    insert(&host, "blog", "b");

    let restored = restore(&host, between, &[]).ok();
    assert!(restored.err.contains("found as they were at"), "{}", restored.err);
    assert!(restored.err.contains("before is backup 1"), "{}", restored.err);
    assert_eq!(
        (notes(&host, "shop"), notes(&host, "blog")),
        ("a".into(), "b".into())
    );
    let list = host.run(&["backup", "list", "shop"]).ok();
    assert!(list.out.contains("any moment from"), "{}", list.out);
    let told = host.run(&["events", "--project", "shop"]).ok().out;
    assert!(
        told.contains("brought back to those of shop/production at"),
        "{told}"
    );

    // What was there before the restore was a moment, too: for another project.
    insert(&host, "shop", "c");
    let elsewhere = restore(&host, moment(), &["--to", "copy", "--json"]).ok().json();
    assert_eq!(elsewhere["parts"][0], "postgres");
    assert_eq!(
        (notes(&host, "copy"), notes(&host, "shop")),
        ("a,c".into(), "a,c".into())
    );

    let from = history(&host)["windows"][0]["from"].as_str().unwrap().to_owned();
    let from: Timestamp = from.parse().unwrap();
    let before = restore(&host, from - jiff::SignedDuration::from_millis(1500), &[]).failed();
    assert!(before.err.contains("before all that is kept"), "{}", before.err);
    assert!(before.err.contains("any moment from"), "{}", before.err);
    let stranger = restore(&host, begun, &[]).failed();
    assert!(stranger.err.contains("it was made on"), "{}", stranger.err);
    let future = restore(&host, Timestamp::now() + jiff::SignedDuration::from_hours(1), &[]).failed();
    assert!(future.err.contains("it has not come yet"), "{}", future.err);
    assert_eq!(notes(&host, "shop"), "a,c");
}

/// The pieces that wait to be taken away.
fn waiting(host: &Installation) -> usize {
    std::fs::read_dir(host.data().join("services/postgres/data/spool"))
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().len() == 24)
        .count()
}

#[test]
fn neither_a_target_that_is_away_nor_a_control_that_is_killed_loses_a_moment() {
    let host = Installation::start();
    let disk = tempfile::tempdir().unwrap();
    let (target, away) = (disk.path().join("backups"), disk.path().join("away"));
    host.run(&["backup", "target", "folder", target.to_str().unwrap()])
        .ok();
    host.run(&["project", "create", "shop", "--with-db"]).ok();
    psql(&host, "shop", "CREATE TABLE notes (text text)");
    keep(&host);
    std::fs::rename(&target, &away).unwrap();
    insert(&host, "shop", "a");
    let between = moment();
    insert(&host, "shop", "b");
    let refused = restore(&host, between, &[]).failed();
    assert!(refused.err.contains("backups"), "{}", refused.err);
    assert_eq!((notes(&host, "shop"), waiting(&host)), ("a,b".into(), 1));
    let told = |what: &str| host.run(&["events"]).ok().out.contains(what);
    wait_until("it is told", || told("wait on the disk"));
    std::fs::rename(&away, &target).unwrap();
    wait_until("its end is told", || told("taken away again"));
    assert_eq!(waiting(&host), 0);

    let scratch = host
        .data()
        .join("projects/shop/environments/production/services/postgres");
    let at = between.to_string();
    let words = [
        "backup",
        "restore",
        "shop",
        "--to-time",
        &at,
        "--yes",
        "--no-backup",
    ];
    let mut restoring = host
        .prepared(&words)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the server as it was is made", || {
        scratch.join("data/cluster").is_dir()
    });
    host.kill("control");
    restoring.wait().unwrap();
    host.wait_for_control();
    wait_until("what was cut off is gone", || !scratch.exists());
    assert_eq!(notes(&host, "shop"), "a,b");
    restore(&host, between, &[]).ok();
    assert_eq!(notes(&host, "shop"), "a");
    assert!(!scratch.exists());
}
