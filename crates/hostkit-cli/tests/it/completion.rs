//! What a shell is offered.

use serde_json::json;

use crate::api::{Api, Reply, Said};

/// What stands to choose for the last of these words.
fn offered(api: &Api, words: &[&str]) -> Vec<String> {
    let mut command = api.command(&["--", "hostkit"]);
    command
        .args(words)
        .env("HOSTKIT_COMPLETE", "bash")
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string());
    let said = Said::of(command.output().unwrap()).ok();
    said.out.lines().map(str::to_owned).collect()
}

fn with_projects() -> Api {
    let api = Api::start();
    let project =
        |name: &str| json!({ "name": name, "created_at": "2026-01-01T00:00:00Z", "environments": [] });
    let all = ["shop", "shop-admin", "blog"].map(project);
    api.on("GET", "projects", Reply::json(json!(all)));
    api
}

#[test]
fn projects_there_are_come_with_every_option_that_names_one() {
    let api = with_projects();
    for words in [
        &["deploy", "--project", "sh"][..],
        &["ps", "-p", "sh"],
        &["events", "--project", "sh"],
        &["project", "show", "sh"],
        &["project", "delete", "sh"],
        &["token", "create", "ci", "-p", "sh"],
    ] {
        assert_eq!(offered(&api, words), ["shop", "shop-admin"], "{words:?}");
    }
    assert_eq!(offered(&api, &["ps", "-p", ""]).len(), 3);
    assert!(offered(&api, &["project", "create", "sh"]).is_empty());
}

#[test]
fn the_installation_named_on_the_line_is_asked() {
    let (here, there) = (Api::start(), with_projects());
    let data = there.data().display().to_string();
    for words in [
        &["--data", &data, "ps", "-p", "b"][..],
        &[&format!("--data={data}"), "ps", "-p", "b"],
    ] {
        assert_eq!(offered(&here, words), ["blog"], "{words:?}");
    }
}

#[test]
fn where_nobody_answers_nothing_is_offered_and_nothing_said() {
    let api = Api::start();
    api.on(
        "GET",
        "projects",
        Reply::failure(500, "internal", "cannot", "hint"),
    );
    assert!(offered(&api, &["ps", "-p", ""]).is_empty());
    assert!(offered(&api, &["--data", "/nowhere", "ps", "-p", ""]).is_empty());
    let names = ["a\u{1b}[31m", "x; rm -rf /", "../up"];
    let hostile =
        names.map(|name| json!({ "name": name, "created_at": "2026-01-01T00:00:00Z", "environments": [] }));
    let api = Api::start();
    api.on("GET", "projects", Reply::json(json!(hostile)));
    assert!(offered(&api, &["ps", "-p", ""]).is_empty());
}

#[test]
fn commands_and_options_are_offered() {
    let api = Api::start();
    assert_eq!(offered(&api, &["rollb"]), ["rollback"]);
    assert_eq!(offered(&api, &["canc"]), ["cancel"]);
    assert!(offered(&api, &["deploy", "--det"]).contains(&"--detach".to_owned()));
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = api.run(&["completions", shell]).ok().out;
        assert!(script.contains("HOSTKIT_COMPLETE"), "{shell}: {script}");
    }
    // A variable that is set for another reason changes nothing.
    let mut command = api.command(&["version"]);
    let said = Said::of(command.env("HOSTKIT_COMPLETE", "bash").output().unwrap()).ok();
    assert!(said.out.starts_with("hostkit "), "{said:?}");
}
