//! Pipes, colours, exit codes, and commands that need no API.

use std::io::Read;
use std::process::Stdio;

use serde_json::json;

use crate::api::{Api, End, Reply, Said};

#[test]
fn a_reader_that_has_enough_is_no_error() {
    let api = Api::start();
    let line = json!({ "at": "2026-01-01T12:00:00Z", "process": "web", "instance": null, "stream": "out", "text": "x".repeat(200) });
    api.on(
        "GET",
        "projects/shop/environments/production/logs",
        Reply::Lines(vec![line; 5000], End::Closes),
    );
    let mut child = api
        .command(&["logs", "-p", "shop"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    out.read_exact(&mut [0; 100]).unwrap();
    drop(out);
    let said = Said::of(child.wait_with_output().unwrap());
    assert_eq!((said.code, said.err.as_str()), (0, ""));
}

#[test]
fn exit_codes_say_whose_fault_it_is() {
    let api = Api::start();
    for (arguments, code) in [
        (vec!["version"], 0),
        (vec!["--version"], 0),
        (vec!["help"], 0),
        (vec!["deploy", "--help"], 0),
        (vec!["help", "env", "set"], 0),
        (vec!["no-such-command"], 64),
        (vec!["deploy", "--no-such-option"], 64),
        (vec!["help", "no-such-command"], 64),
        (vec!["project", "create", "Not A Name"], 64),
        (vec!["--url", "http://x", "up"], 64),
        (vec!["deploy", "missing-folder", "-p", "shop"], 1),
        (vec!["up"], 2),
        (vec!["control", "--http", "127.0.0.1:1"], 0),
        (vec!["proxy"], 0),
        (vec!["control"], 64),
    ] {
        let said = api.run(&arguments);
        assert_eq!(said.code, code, "{arguments:?}: {said:#?}");
        assert_eq!(
            said.out.is_empty(),
            code != 0 || arguments[0] == "control" || arguments[0] == "proxy",
            "{arguments:?}"
        );
    }
}

#[test]
fn up_and_down_reach_the_program_around_the_command_line() {
    let api = Api::start();
    let said = api.run(&["up", "--http-port", "0", "--detach"]);
    for text in ["http_port: 0", "api_port: 0", "detach: true", "json: false"] {
        assert!(said.err.contains(text), "{}", said.err);
    }
    // Stopping what is stopped is fine.
    let said = api.run(&["down"]).ok();
    assert!(said.err.contains("not up"), "{}", said.err);
    assert_eq!(api.run(&["down", "--json"]).ok().json()["was_up"], false);
}

#[test]
fn no_colour_reaches_a_pipe() {
    let api = Api::start();
    for arguments in [vec!["--help"], vec!["help", "deploy"], vec!["ps"], vec!["depoly"]] {
        let said = api.run(&arguments);
        assert!(
            !format!("{}{}", said.out, said.err).contains('\u{1b}'),
            "{arguments:?}"
        );
    }
}

#[test]
fn a_misspelt_command_gets_a_suggestion_and_daemons_are_not_one() {
    let said = Api::start().run(&["depoly"]);
    assert!(
        said.err.contains("deploy") && !said.err.contains("proxy"),
        "{}",
        said.err
    );
}

#[test]
fn init_writes_a_manifest_that_reads_back_and_replaces_none() {
    let api = Api::start();
    let folder = api.work().join("My Shop");
    std::fs::create_dir(&folder).unwrap();
    let path = folder.to_str().unwrap();
    let said = api.run(&["init", path]).ok();
    assert!(
        said.err.contains("`my-shop`") && said.err.contains("hostkit deploy"),
        "{}",
        said.err
    );
    let text = std::fs::read_to_string(folder.join("hostkit.toml")).unwrap();
    assert!(
        text.starts_with("#:schema ./.hostkit/hostkit.schema.json\n"),
        "{text}"
    );
    let manifest = hostkit_core::manifest::parse(&text).unwrap();
    assert_eq!(manifest.name.unwrap().as_str(), "my-shop");
    let schema = std::fs::read_to_string(folder.join(".hostkit/hostkit.schema.json")).unwrap();
    assert!(serde_json::from_str::<serde_json::Value>(&schema).unwrap()["properties"].is_object());
    let said = api.run(&["init", path]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("--force"), "{}", said.err);
    assert_eq!(
        api.run(&["init", path, "--force", "--name", "other", "--json"])
            .ok()
            .json()["name"],
        "other"
    );
}
