//! Killed under load, again and again: every write that was acknowledged is there, every other one whole or not at all,
//! and no file is left that nobody knows.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::house::{House, went_well};

const LOAD: &str = include_str!("load.py");

/// Kills of one run. `HOSTKIT_TEST_KILLS` says another number, for a night.
fn kills() -> u32 {
    let set = std::env::var("HOSTKIT_TEST_KILLS").ok();
    set.map_or(6, |text| text.parse().expect("HOSTKIT_TEST_KILLS is a number"))
}

fn files(folder: &Path) -> BTreeSet<String> {
    let folders = std::fs::read_dir(folder.join("objects/contents")).unwrap();
    let names = folders.flat_map(|folder| std::fs::read_dir(folder.unwrap().path()).unwrap());
    names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect()
}

fn known(folder: &Path) -> BTreeSet<String> {
    let index = rusqlite::Connection::open(folder.join("objects/index.sqlite")).unwrap();
    let verdict: String = index
        .query_row("PRAGMA integrity_check", [], |row| row.get(0))
        .unwrap();
    assert_eq!(verdict, "ok");
    let mut uses = index
        .prepare("SELECT lower(hex(content)) FROM content_use")
        .unwrap();
    uses.query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn nothing_acknowledged_is_lost_by_a_kill() {
    let mut house = House::start();
    let state = house.settings.folder.with_file_name("state.json");
    let state = state.to_str().unwrap().to_owned();
    let mut acknowledged = 0;
    for round in 0..kills() {
        let mut load = house
            .python(LOAD, &[&state, "load"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(load.stdout.take().unwrap()).lines();
        // A moment that is another one in each round, and not one of the clock.
        for _ in 0..1 + (round * 37) % 60 {
            assert_eq!(said.next().unwrap().unwrap(), "acknowledged");
        }
        house.kill();
        acknowledged += said.count() as u32 + 1 + (round * 37) % 60;
        assert!(load.wait().unwrap().success());
        house.begin();
        println!(
            "{}",
            went_well(&house.python(LOAD, &[&state, "check"]).output().unwrap())
        );
    }
    println!("{} kills, {acknowledged} writes acknowledged", kills());
    // The sweep at the start goes on beside the requests.
    let (begin, folder) = (Instant::now(), house.settings.folder.clone());
    while files(&folder) != known(&folder) {
        assert!(
            begin.elapsed() < Duration::from_secs(60),
            "files are left that nobody knows"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
