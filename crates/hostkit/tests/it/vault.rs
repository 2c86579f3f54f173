//! The master key is replaced while a project runs, and who set which variable when is known (REQUIREMENTS V1, V3).

use std::os::unix::fs::PermissionsExt;

use crate::harness::{Installation, projects};

#[test]
fn the_master_key_is_rotated_while_everything_goes_on() {
    let mut host = Installation::start();
    host.run(&["project", "create", "shop", "--with-redis"]).ok();
    host.run(&["env", "set", "COLOUR=red-and-long", "-p", "shop"])
        .ok();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "here"))
        .ok();
    let url = host.run(&["redis", "url", "shop"]).ok().out;
    let key = host.data().join("key");
    let old = std::fs::read(&key).unwrap();

    let rotated = host.run(&["vault", "rotate-key", "--json"]).ok().json();

    assert!(rotated["values"].as_u64().unwrap() >= 4, "{rotated}");
    let now = std::fs::read(&key).unwrap();
    assert!(now != old && now.len() == old.len());
    let hex = String::from_utf8(now).unwrap();
    assert!(
        !rotated
            .to_string()
            .contains(hex.trim_end().rsplit(' ').next().unwrap())
    );
    assert_eq!(
        std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let events = host.run(&["events"]).ok().all();
    assert!(events.contains("the master key was replaced by"), "{events}");

    // With both keys in the file, as after a kill in the middle; control ends it when it starts again.
    let both = [hex.as_bytes(), &old].concat();
    std::fs::write(&key, both).unwrap();
    host.kill("control");
    host.wait_for_control();
    assert_eq!(std::fs::read_to_string(&key).unwrap(), hex);
    host.run(&["down"]).ok();
    host.up();
    host.wait_for_text("shop", "/env?name=COLOUR", "red-and-long");
    assert_eq!(host.run(&["redis", "url", "shop"]).ok().out, url);
    assert_eq!(
        host.run(&["env", "get", "COLOUR", "-p", "shop"]).ok().out.trim(),
        "red-and-long"
    );
    // Also what earlier releases were frozen with.
    host.run(&["env", "set", "COLOUR=blue-and-long", "--apply", "-p", "shop"])
        .ok();
    host.run(&["vault", "rotate-key"]).ok();
    host.run(&["rollback", "-p", "shop"]).ok();
    assert_eq!(host.get("shop", "/env?name=COLOUR").body, "\"red-and-long\"");
}

#[test]
fn a_key_that_others_may_read_is_found() {
    let host = Installation::start();
    let said = host.run(&["doctor"]).all();
    assert!(said.contains("only its owner can read it"), "{said}");
    let key = host.data().join("key");
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o644)).unwrap();

    let said = host.run(&["doctor"]).failed().all();

    assert!(
        said.contains("others may use") && said.contains("chmod 600"),
        "{said}"
    );
}

#[test]
fn who_set_what_when_is_told_without_a_value() {
    let host = Installation::start();
    host.run(&["project", "create", "shop"]).ok();
    let token = host.run(&["token", "create", "ci-shop", "--project", "shop", "--json"]);
    let token = token.ok().json()["secret"].as_str().unwrap().to_owned();
    host.run(&["env", "set", "A=first-of-all", "B=beside-it", "-p", "shop"])
        .ok();
    let by_ci = host
        .prepared(&["env", "set", "A=second-of-all", "-p", "shop"])
        .env("HOSTKIT_TOKEN", token)
        .output()
        .unwrap();
    assert!(by_ci.status.success(), "{by_ci:?}");
    host.run(&["env", "unset", "B", "-p", "shop"]).ok();

    let said = host.run(&["env", "history", "-p", "shop", "--json"]).ok();

    let changes = said.json();
    let seen: Vec<(&str, bool)> = changes
        .as_array()
        .unwrap()
        .iter()
        .map(|change| {
            (
                change["name"].as_str().unwrap(),
                change["removed"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(seen[..2], [("B", true), ("A", false)]);
    assert_eq!(seen.len(), 4);
    assert_eq!(changes[1]["by"], "ci-shop");
    let table = host.run(&["env", "history", "A", "-p", "shop"]).ok();
    assert_eq!(
        table.out.lines().filter(|line| line.starts_with("A ")).count(),
        2,
        "{table:?}"
    );
    for text in [said.all(), table.all()] {
        assert!(!text.contains("of-all") && !text.contains("beside"), "{text}");
    }
}
