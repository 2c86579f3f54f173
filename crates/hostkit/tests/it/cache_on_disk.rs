//! Answers on the disk of a running installation: they outlive the front door, and no deploy and no purge.

use std::path::Path;

use crate::harness::{Installation, projects, wait_until};

/// What the cache did, and the answer.
fn ask(host: &Installation, path: &str) -> (String, String) {
    let answer = host.get("shop", path);
    let result = answer.header("x-hostkit-cache").unwrap_or("-");
    (result.to_owned(), answer.body.clone())
}

/// How many answers lie below the folder.
fn files(host: &Installation) -> usize {
    fn below(folder: &Path) -> usize {
        let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
        entries
            .map(|entry| match entry.path() {
                path if path.is_dir() => below(&path),
                _ => 1,
            })
            .sum()
    }
    below(&host.data().join("proxy/cache"))
}

fn hit(text: &str) -> (String, String) {
    ("HIT".to_owned(), text.to_owned())
}

#[test]
fn a_front_door_that_is_replaced_or_killed_has_its_answers_and_a_deploy_takes_them() {
    let host = Installation::start_with_cache_on_disk();
    let deploy = |text: &str| {
        let folder = projects::node(&host.sources(), "shop", text);
        host.deploy("shop", &folder).ok();
    };
    deploy("one");
    assert_eq!(ask(&host, "/kept/a").1, "one 1");
    assert_eq!(ask(&host, "/kept/a").1, "one 2");
    assert_eq!(ask(&host, "/kept/a"), hit("one 2"));
    assert_eq!(ask(&host, "/kept/b").1, "one 3");
    wait_until("both are on the disk", || files(&host) == 2);
    host.replace("proxy");
    assert_eq!(ask(&host, "/kept/a"), hit("one 2"));
    let old = host.pid("proxy");
    host.kill("proxy");
    wait_until("another one runs", || host.pid("proxy") != old);
    assert_eq!(ask(&host, "/kept/b"), hit("one 3"));

    host.run(&["cache", "purge", "/kept/b", "--project", "shop"]).ok();
    assert_eq!(files(&host), 1);
    host.replace("proxy");
    assert_eq!(ask(&host, "/kept/a"), hit("one 2"));
    assert_ne!(ask(&host, "/kept/b").1, "one 3");

    deploy("two");
    wait_until("nothing of the first release is left", || files(&host) == 0);
    assert_eq!(ask(&host, "/kept/a").1, "two 1");
    host.run(&["rollback", "--project", "shop"]).ok();
    // Its instances are new, and so is what is kept of it.
    assert_eq!(ask(&host, "/kept/a").1, "one 1");
}
