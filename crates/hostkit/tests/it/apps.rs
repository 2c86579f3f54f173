//! The sample apps, with their real dependencies, built and run as a user would (REQUIREMENTS B1, B3).

use std::path::PathBuf;

use crate::harness::{Installation, http};

fn sample(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../fixtures/apps")
        .join(name)
}

/// Deploys a sample app and checks everything its `expect.toml` says.
#[track_caller]
fn deploys_as_expected(name: &str) {
    let host = Installation::start();
    let project = format!("sample-{name}");
    host.deploy(&project, &sample(name)).ok();
    let text = std::fs::read_to_string(sample(name).join("expect.toml")).unwrap();
    let expected: Expected = toml::from_str(&text).unwrap();
    assert!(!expected.request.is_empty());
    for request in expected.request {
        if request.eventually {
            host.wait_for_text(&project, &request.path, &request.contains[0]);
        }
        let answer = host.get(&project, &request.path);
        assert_eq!(answer.status, request.status, "{}: {}", request.path, answer.body);
        for word in request.contains {
            assert!(
                answer.body.contains(&word),
                "{}: `{word}` is not in {}",
                request.path,
                answer.body
            );
        }
    }
    let instances = host.run(&["ps", "--project", &project, "--json"]).ok().json();
    for process in expected.processes {
        let found = instances
            .as_array()
            .unwrap()
            .iter()
            .any(|i| i["id"].as_str().unwrap().contains(&format!(".{process}.")));
        assert!(found, "`{process}` does not run: {instances}");
    }
    // The second deploy of the same source finds its dependencies and is taken without a change of content.
    host.deploy(&project, &sample(name)).ok();
    // Nothing internal is reachable from outside.
    assert_eq!(
        http::get(host.http, &format!("quotes.{project}.localhost"), "/").status,
        404
    );
}

#[derive(serde::Deserialize)]
struct Expected {
    #[serde(default)]
    processes: Vec<String>,
    request: Vec<ExpectedRequest>,
}

#[derive(serde::Deserialize)]
struct ExpectedRequest {
    path: String,
    #[serde(default = "ok")]
    status: u16,
    #[serde(default)]
    contains: Vec<String>,
    #[serde(default)]
    eventually: bool,
}

fn ok() -> u16 {
    200
}

#[test]
fn next() {
    deploys_as_expected("next");
}

#[test]
fn fastapi() {
    deploys_as_expected("fastapi");
}

#[test]
fn express() {
    deploys_as_expected("express");
}

#[test]
fn vite() {
    deploys_as_expected("vite");
}

#[test]
fn procfile() {
    deploys_as_expected("procfile");
}

#[test]
fn a_plain_folder() {
    deploys_as_expected("static");
}
