use serde_json::{Value, json};

use super::backend::Backends;
use super::compile::{RawTable, compile};
use super::saved::SavedTable;
use super::*;
use crate::metrics::AllSeries;

fn route(id: &str, hosts: &[&str], prefix: &str) -> Value {
    json!({
        "id": id, "environment": null, "process": null, "hosts": hosts, "path_prefix": prefix, "ports": [],
        "target": {"type": "nothing", "reason": "stopped"}, "release": null, "hold": {"time": "1s", "requests": 5},
    })
}

fn compiled(routes: Vec<Value>) -> LiveTable {
    compile(
        &RawTable {
            version: 7,
            routes,
            canaries: Vec::new(),
        },
        &Backends::default(),
        &AllSeries::new(1),
    )
    .0
}

fn found<'a>(table: &'a LiveTable, host: &str, path: &str) -> Option<&'a str> {
    table.find(host.as_bytes(), path).map(|route| route.id.as_str())
}

#[test]
fn hosts_match_in_any_case_and_prefixes_on_borders_longest_first() {
    let table = compiled(vec![
        route("root", &["shop.localhost"], "/"),
        route("api", &["shop.localhost"], "/api"),
        route("v2", &["shop.localhost"], "/api/v2/"),
    ]);
    for (host, path, expected) in [
        ("shop.localhost", "/", Some("root")),
        ("SHOP.Localhost", "/x", Some("root")),
        ("shop.localhost.", "/x", Some("root")),
        ("shop.localhost", "/api", Some("api")),
        ("shop.localhost", "/api/", Some("api")),
        ("shop.localhost", "/apis", Some("root")),
        ("shop.localhost", "/api/v2", Some("v2")),
        ("shop.localhost", "/api/v2/x", Some("v2")),
        ("shop.localhost", "/api/v20", Some("api")),
        ("shop.localhost", "*", Some("root")),
        ("other.localhost", "/", None),
        ("", "/", None),
    ] {
        assert_eq!(found(&table, host, path), expected, "{host}{path}");
    }
}

#[test]
fn a_wildcard_is_one_label_and_goes_behind_the_name_itself() {
    let mut below = route("below", &[], "/");
    below["wildcards"] = json!(["shop.example.com"]);
    let mut api = route("api", &[], "/api");
    api["wildcards"] = json!(["shop.example.com"]);
    let table = compiled(vec![
        below.clone(),
        api,
        route("exact", &["a.shop.example.com"], "/"),
    ]);
    let long = format!("{}.shop.example.com", "a".repeat(64));
    for (host, path, expected) in [
        ("b.shop.example.com", "/", Some("below")),
        ("B.Shop.Example.com.", "/api/x", Some("api")),
        ("x_1-y.shop.example.com", "/", Some("below")),
        ("a.shop.example.com", "/", Some("exact")),
        ("a.shop.example.com", "/api", Some("exact")),
        ("shop.example.com", "/", None),
        ("a.b.shop.example.com", "/", None),
        (".shop.example.com", "/", None),
        ("*.shop.example.com", "/", None),
        ("a/b.shop.example.com", "/", None),
        ("<i>.shop.example.com", "/", None),
        (long.as_str(), "/", None),
        ("example.com", "/", None),
        ("com", "/", None),
        ("", "/", None),
    ] {
        assert_eq!(found(&table, host, path), expected, "{host}{path}");
    }
    assert_eq!(table.routes().count(), 3);
    let names: Vec<String> = table.names.iter().map(ToString::to_string).collect();
    assert_eq!(names, ["*.shop.example.com", "a.shop.example.com"]);
    // A second route for the same wildcard is put aside, as with a host.
    let mut again = below.clone();
    again["id"] = json!("again");
    let table = compiled(vec![below, again]);
    assert!(
        table.put_aside[0]
            .reason
            .contains("`*.shop.example.com/` belongs")
    );
}

#[test]
fn bad_entries_are_put_aside_and_the_others_serve() {
    let mut relative = route("relative", &["r.localhost"], "/");
    relative["target"] = json!({"type": "files", "root": "site", "single_page": false});
    let mut port = route("port", &["p.localhost"], "/");
    port["ports"] = json!([8001]);
    let mut same_port = route("same-port", &["q.localhost"], "/");
    same_port["ports"] = json!([8001]);
    let table = compiled(vec![
        route("good", &["a.localhost"], "/"),
        route("good", &["b.localhost"], "/"),
        route("bad-host", &["B AD"], "/"),
        route("upper-host", &["UPPER.localhost"], "/"),
        route("same-host", &["c.localhost", "a.localhost"], "/"),
        route("bad-prefix", &["d.localhost"], "x"),
        json!({"id": "torn"}),
        json!(17),
        relative,
        port,
        same_port,
        route("", &["e.localhost"], "/"),
        route("last", &["z.localhost"], "/"),
    ]);
    let aside: Vec<&str> = table.put_aside.iter().map(|aside| aside.route.as_str()).collect();
    assert_eq!(
        aside,
        [
            "good",
            "bad-host",
            "upper-host",
            "same-host",
            "bad-prefix",
            "torn",
            "#7",
            "relative",
            "same-port",
            ""
        ]
    );
    assert!(table.put_aside.iter().all(|aside| !aside.reason.is_empty()));
    for (host, expected) in [
        ("a.localhost", Some("good")),
        ("b.localhost", None),
        ("c.localhost", None),
        ("p.localhost", Some("port")),
        ("q.localhost", Some("same-port")),
        ("z.localhost", Some("last")),
    ] {
        assert_eq!(found(&table, host, "/"), expected, "{host}");
    }
    assert_eq!(table.ports[&8001].id, "port");
}

#[test]
fn a_backend_stays_the_same_over_tables_and_begins_nothing_once_retired() {
    let backends = Backends::default();
    let table = |address: &str| {
        let mut one = route("a", &["a.localhost"], "/");
        one["target"] = json!({"type": "instances", "backends": [{"id": "a.1", "address": address}]});
        let (_, keys) = compile(
            &RawTable {
                version: 1,
                routes: vec![one],
                canaries: Vec::new(),
            },
            &backends,
            &AllSeries::new(1),
        );
        backends.enlist(&keys);
        backends.retire_others(&keys);
        backends.get(
            &hostkit_core::route::BackendId("a.1".into()),
            address.parse().unwrap(),
            &Default::default(),
        )
    };
    let first = table("127.0.0.1:9001");
    let busy = first.begin().ok();
    let again = table("127.0.0.1:9001");
    assert!(Arc::ptr_eq(&first, &again));
    let second = table("127.0.0.1:9002");
    assert_ne!(first.key, second.key);
    assert!(first.begin().is_err());
    assert_eq!(first.in_flight(), 1, "a refused beginning leaves no count behind");
    assert_eq!(backends.retired(std::slice::from_ref(&first.id)).len(), 1);
    drop(busy);
    assert_eq!(first.in_flight(), 0);
    let back = table("127.0.0.1:9001");
    assert!(back.begin().is_ok());
}

#[test]
fn the_saved_table_comes_back_and_a_torn_one_gives_what_can_be_read() {
    let folder = tempfile::tempdir().unwrap();
    let saved = SavedTable::in_folder(folder.path());
    assert!(saved.load().is_none());
    let text = json!({"version": 4, "routes": [route("a", &["a.localhost"], "/"), route("b", &["b.localhost"], "/")]})
        .to_string();
    saved.write(text.as_bytes()).unwrap();
    saved.sync().unwrap();
    let read = saved.load().unwrap();
    assert_eq!((read.version, read.routes.len()), (4, 2));
    use std::os::unix::fs::PermissionsExt;
    let file = folder.path().join("table.json");
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );

    std::fs::write(&file, &text[..text.len() - 40]).unwrap();
    let read = saved.load();
    let torn = read.unwrap();
    assert_eq!(torn.routes.len(), 1);
    assert_eq!(torn.routes[0]["id"], "a");
    assert!(folder.path().join("table.json.bad").exists());
    std::fs::write(&file, b"\0\0\0").unwrap();
    assert!(saved.load().is_none());
}
