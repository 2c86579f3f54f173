//! `deploy` and the other commands that watch a deployment.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::api::{Api, End, Reply, Said};

const PROJECT: &str = "projects/shop";
const ENVIRONMENT: &str = "projects/shop/environments/production";
const SOURCE: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

fn deployment(state: &str, extra: Value) -> Value {
    let mut deployment = json!({
        "id": 7,
        "environment": { "project": "shop", "environment": "production" },
        "act": { "act": "deploy", "source": SOURCE },
        "trigger": "cli",
        "state": state,
        "release": null,
        "skipped_for": null,
        "failure": null,
        "steps": [],
        "probe": null,
        "created_at": "2026-01-01T00:00:00Z",
        "started_at": null,
        "finished_at": null
    });
    for (key, value) in extra.as_object().unwrap() {
        deployment[key] = value.clone();
    }
    deployment
}

fn step(name: &str, state: &str, ms: Option<u64>) -> Value {
    json!({ "name": name, "state": state, "started_at": "2026-01-01T00:00:00Z", "milliseconds": ms })
}

fn line(stream: &str, text: &str) -> Value {
    json!({ "line": { "at": "2026-01-01T00:00:00Z", "process": null, "instance": null, "stream": stream, "text": text } })
}

fn changed(deployment: Value) -> Value {
    json!({ "deployment": deployment })
}

fn succeeded() -> Value {
    deployment(
        "succeeded",
        json!({
            "release": "20260101-000000",
            "steps": [step("fetch", "done", Some(3)), step("build", "done", Some(1234)), step("switch", "done", Some(8))],
            "probe": { "requests": 120, "lost": 0, "slowest_ms": 12 }
        }),
    )
}

fn happy_updates() -> Vec<Value> {
    let fetched = step("fetch", "done", Some(3));
    vec![
        changed(deployment(
            "running",
            json!({ "steps": [step("fetch", "running", None)] }),
        )),
        changed(deployment(
            "running",
            json!({ "steps": [fetched, step("build", "running", None)] }),
        )),
        line("hostkit", "node: package.json with a start script"),
        line("out", "added 57 packages \u{1b}[2Jin 2s"),
        changed(succeeded()),
    ]
}

fn environment() -> Value {
    json!({
        "project": "shop", "name": "production", "url": "http://shop.localhost:8080/", "hosts": ["shop.localhost"],
        "state": "live", "release": "20260101-000000", "deployment": 7, "processes": { "web": 1 }, "ports": { "web": 8001 }
    })
}

fn project() -> Value {
    json!({ "name": "shop", "created_at": "2026-01-01T00:00:00Z", "environments": [environment()] })
}

/// An API with a project, a deployment that goes as told, and a folder to deploy.
fn api(updates: Vec<Value>) -> Api {
    let api = Api::start();
    api.write("hostkit.toml", "name = \"shop\"\n");
    api.write("index.html", "<p>hello</p>");
    api.on("GET", PROJECT, Reply::Json(200, project()))
        .on("GET", ENVIRONMENT, Reply::Json(200, environment()))
        .on(
            "POST",
            "projects/shop/sources/plan",
            Reply::json(json!({ "missing": [], "source": SOURCE })),
        )
        .on(
            "POST",
            "projects/shop/environments/production/deployments",
            Reply::Json(202, deployment("queued", json!({}))),
        )
        .on(
            "GET",
            "projects/shop/deployments/7",
            Reply::Json(200, deployment("running", json!({}))),
        )
        .on(
            "GET",
            "projects/shop/deployments/7/log",
            Reply::Lines(updates, End::Closes),
        );
    api
}

#[test]
fn a_deploy_tells_its_steps_and_ends_with_the_url() {
    let api = api(happy_updates());
    let Said { code, out, err } = api.run(&["deploy"]);
    assert_eq!(
        (code, out.as_str()),
        (0, "http://shop.localhost:8080/\n"),
        "{err}"
    );
    for text in [
        "to `shop/production`",
        "nothing new in 2 files",
        "  fetch    3 ms\n",
        "    node: package.json with a start script\n",
        "    | added 57 packages in 2s\n",
        "  build    1.2 s\n",
        "release 20260101-000000, 120 requests meanwhile, none lost (slowest 12 ms)",
    ] {
        assert!(err.contains(text), "`{text}` is not in:\n{err}");
    }
    assert!(
        !err.contains('\u{1b}'),
        "no colour and no control characters: {err:?}"
    );
    let plan = &api.asked_for("POST", "projects/shop/sources/plan")[0].json();
    assert_eq!(plan["files"][1][0], "index.html");
    let asked = &api.asked_for("POST", "projects/shop/environments/production/deployments")[0];
    assert_eq!(asked.json(), json!({ "act": "deploy", "source": SOURCE }));
    assert_eq!(
        (asked.query.as_str(), asked.token.as_deref()),
        ("trigger=cli", Some("Bearer hk_token"))
    );
}

#[test]
fn quiet_leaves_the_url_and_json_one_document() {
    let api = api(happy_updates());
    let said = api.run(&["deploy", "-q"]).ok();
    assert_eq!(
        (said.out.as_str(), said.err.as_str()),
        ("http://shop.localhost:8080/\n", "")
    );
    let said = api.run(&["deploy", "--json"]).ok();
    assert_eq!(said.err, "");
    let json = said.json();
    assert_eq!(json["url"], "http://shop.localhost:8080/");
    assert_eq!(json["state"], "succeeded");
    assert_eq!(json["release"], "20260101-000000");
    assert_eq!(json["upload"]["files"], 2);
    assert_eq!(json["upload"]["sent_files"], 0);
    assert_eq!(json["deployment"]["steps"][1]["milliseconds"], 1234);
}

#[test]
fn only_missing_contents_are_sent_and_a_new_project_is_made() {
    let api = Api::start();
    api.write("app/index.html", "<p>hello</p>");
    api.write("app/copy.html", "<p>hello</p>");
    api.write("app/known.txt", "known");
    let hash = blake3_hex("<p>hello</p>");
    api.on(
        "POST",
        "projects",
        Reply::Json(
            201,
            json!({ "name": "app", "created_at": "2026-01-01T00:00:00Z", "environments": [] }),
        ),
    )
    .on(
        "POST",
        "projects/app/sources/plan",
        Reply::json(json!({ "missing": [hash], "source": null })),
    )
    .on(
        "PUT",
        "projects/app/blobs",
        Reply::json(json!({ "contents": 1, "bytes": 12 })),
    )
    .on(
        "POST",
        "projects/app/sources",
        Reply::Json(201, json!({ "source": SOURCE })),
    )
    .on(
        "POST",
        "projects/app/environments/production/deployments",
        Reply::Json(202, deployment("queued", json!({}))),
    )
    .on(
        "GET",
        "projects/shop/deployments/7/log",
        Reply::Lines(happy_updates(), End::Closes),
    )
    .on("GET", ENVIRONMENT, Reply::Json(200, environment()));
    let said = api.run(&["deploy", "app"]).ok();
    for text in [
        "the project is called `app`",
        "Created project `app`",
        "1 of 3 files sent, 12B",
        "hostkit logs -p shop -f",
    ] {
        assert!(said.err.contains(text), "`{text}` is not in:\n{}", said.err);
    }
    let sent = &api.asked_for("PUT", "projects/app/blobs")[0].body;
    let mut archive = tar::Archive::new(sent.as_slice());
    let names: Vec<String> = archive
        .entries()
        .unwrap()
        .map(|e| e.unwrap().path().unwrap().display().to_string())
        .collect();
    assert_eq!(names, [hash]);
}

fn blake3_hex(text: &str) -> String {
    blake3::hash(text.as_bytes()).to_hex().to_string()
}

#[test]
fn a_failed_deploy_says_step_reason_details_and_hint() {
    let failed = deployment(
        "failed",
        json!({
            "steps": [step("fetch", "done", Some(3)), step("check", "failed", Some(900)), step("start", "undone", Some(5))],
            "failure": {
                "kind": "failed", "message": "`web` exited with status 1 before it was ready",
                "hint": "set it with `hostkit env set DATABASE_URL=…`", "details": ["KeyError: 'DATABASE_URL'"]
            }
        }),
    );
    let api = api(vec![changed(failed)]);
    let said = api.run(&["deploy"]);
    assert_eq!((said.code, said.out.as_str()), (1, ""));
    for text in [
        "  check    failed after 900 ms\n",
        "  undone   start\n",
        "error: deployment 7 failed in step `check`: `web` exited with status 1 before it was ready\n  KeyError: 'DATABASE_URL'\nhint: set it with `hostkit env set DATABASE_URL=…`\n",
    ] {
        assert!(said.err.contains(text), "`{text}` is not in:\n{}", said.err);
    }
    let said = api.run(&["deploy", "--json"]);
    assert_eq!(said.code, 1);
    assert_eq!(
        said.json()["deployment"]["failure"]["details"][0],
        "KeyError: 'DATABASE_URL'"
    );
}

#[test]
fn a_skipped_deploy_names_the_one_that_took_its_place() {
    let api = api(vec![changed(deployment("skipped", json!({ "skipped_for": 8 })))]);
    let said = api.run(&["deploy"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("8 is newer") && said.err.contains("log 8 -f"),
        "{}",
        said.err
    );
}

#[test]
fn lost_requests_are_said_aloud() {
    let mut ended = succeeded();
    ended["probe"]["lost"] = json!(3);
    let said = api(vec![changed(ended)]).run(&["deploy"]).ok();
    assert!(
        said.err.contains("warning: 3 of 120 requests were lost"),
        "{}",
        said.err
    );
}

#[test]
fn a_daemon_that_goes_away_is_waited_for_and_no_line_comes_twice() {
    let api = Api::start();
    api.write("hostkit.toml", "name = \"shop\"\n");
    let updates = happy_updates();
    api.on("GET", PROJECT, Reply::Json(200, project()))
        .on("GET", ENVIRONMENT, Reply::Json(200, environment()))
        .on(
            "POST",
            "projects/shop/sources/plan",
            Reply::json(json!({ "missing": [], "source": SOURCE })),
        )
        .on(
            "POST",
            "projects/shop/environments/production/deployments",
            Reply::Json(202, deployment("queued", json!({}))),
        )
        .on(
            "GET",
            "projects/shop/deployments/7/log",
            Reply::Lines(updates[..3].to_vec(), End::Closes),
        )
        .on(
            "GET",
            "projects/shop/deployments/7",
            Reply::failure(503, "unavailable", "cannot answer", "wait"),
        )
        .on(
            "GET",
            "projects/shop/deployments/7/log",
            Reply::failure(503, "unavailable", "cannot answer", "wait"),
        )
        .on(
            "GET",
            "projects/shop/deployments/7",
            Reply::Json(200, deployment("running", json!({}))),
        )
        .on(
            "GET",
            "projects/shop/deployments/7/log",
            Reply::Lines(updates, End::Closes),
        );
    let said = api.run(&["deploy"]).ok();
    assert_eq!(
        said.err.matches("package.json with a start script").count(),
        1,
        "{}",
        said.err
    );
    assert_eq!(said.err.matches("  fetch    3 ms").count(), 1, "{}", said.err);
}

#[test]
fn ctrl_c_leaves_the_deploy_alone_and_says_how_to_follow_it() {
    let api = api(Vec::new());
    api.on(
        "GET",
        "projects/shop/deployments/7/log",
        Reply::Lines(happy_updates()[..3].to_vec(), End::Hangs),
    );
    // The first, empty stream is followed by the one that hangs.
    let child = api.command(&["deploy"]).stdin(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while api.asked_for("GET", "projects/shop/deployments/7/log").len() < 2 {
        assert!(
            began.elapsed() < Duration::from_secs(60),
            "the log was never asked for"
        );
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(200));
    nix::sys::signal::kill(
        nix::unistd::Pid::from_raw(child.id() as i32),
        nix::sys::signal::Signal::SIGINT,
    )
    .unwrap();
    let said = Said::of(child.wait_with_output().unwrap());
    assert_eq!(said.code, 130, "{said:#?}");
    assert!(said.err.contains("Deployment 7 goes on"), "{}", said.err);
    assert!(said.err.contains("hostkit deployments log 7 -f"), "{}", said.err);
}

#[test]
fn detached_deploys_return_at_once() {
    let said = api(Vec::new()).run(&["deploy", "--detach"]).ok();
    assert_eq!(said.out, "");
    assert!(said.err.contains("log 7 -f"), "{}", said.err);
}

#[test]
fn a_manifest_with_problems_is_refused_before_anything_is_sent() {
    let api = api(Vec::new());
    api.write("hostkit.toml", "nmae = \"shop\"\ncount = 3\n");
    let said = api.run(&["deploy"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("hostkit.toml:1:") && said.err.contains("`name`"),
        "{}",
        said.err
    );
    assert!(api.asked().is_empty(), "{:?}", api.asked());
}

#[test]
fn archives_are_sent_as_they_are() {
    let api = api(happy_updates());
    api.on(
        "POST",
        "projects/shop/archives",
        Reply::Json(201, json!({ "source": SOURCE })),
    );
    api.write("app.tar", "not even a tar");
    api.run(&["deploy", "--archive", "app.tar"]).ok();
    api.run_with_input(&["deploy", "--archive", "-"], "from stdin")
        .ok();
    let bodies: Vec<_> = api
        .asked_for("POST", "projects/shop/archives")
        .into_iter()
        .map(|a| a.body)
        .collect();
    assert_eq!(bodies, [b"not even a tar".to_vec(), b"from stdin".to_vec()]);
    let said = api.run(&["deploy", "--archive", "missing.tar"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.starts_with("Deploying missing.tar") && said.err.contains("cannot read `missing.tar`"),
        "{}",
        said.err
    );
}

#[test]
fn changes_ask_for_the_right_act() {
    let api = api(vec![changed(succeeded())]);
    for (arguments, act) in [
        (vec!["rollback"], json!({ "act": "rollback" })),
        (vec!["promote"], json!({ "act": "promote" })),
        (
            vec!["promote", "--percent", "50%"],
            json!({ "act": "promote", "percent": 50 }),
        ),
        (
            vec!["rollback", "--to", "20250101-000000"],
            json!({ "act": "rollback", "to": "20250101-000000" }),
        ),
        (vec!["restart"], json!({ "act": "restart" })),
        (vec!["stop"], json!({ "act": "stop" })),
        (vec!["start"], json!({ "act": "start" })),
        (vec!["env", "apply"], json!({ "act": "apply" })),
        (
            vec!["scale", "web=3"],
            json!({ "act": "scale", "process": "web", "count": 3 }),
        ),
    ] {
        let said = api.run(&arguments).ok();
        assert!(said.err.contains("next:"), "{arguments:?}: {}", said.err);
        let asked = api.asked_for("POST", "projects/shop/environments/production/deployments");
        assert_eq!(asked.last().unwrap().json(), act, "{arguments:?}");
    }
    let said = api.run(&["scale", "web=2", "worker=0", "--json"]).ok();
    assert_eq!(said.json().as_array().unwrap().len(), 2);
    assert_eq!(api.run(&["scale", "web=65"]).code, 64);
}

#[test]
fn a_canary_is_asked_for_by_its_share_and_what_is_none_is_refused_before_anything_is_sent() {
    let api = api(happy_updates());
    api.write("shop/index.html", "hi");
    api.run(&["deploy", "shop", "-p", "shop", "--canary", "10"]).ok();
    let path = "projects/shop/environments/production/deployments";
    let asked = api.asked_for("POST", path).last().unwrap().json();
    assert_eq!((&asked["act"], &asked["canary"]), (&json!("deploy"), &json!(10)));
    for share in ["0", "100", "-1", "ten", "10.5", ""] {
        for command in [
            vec!["deploy", "shop", "--canary", share],
            vec!["promote", "--percent", share],
        ] {
            let before = api.asked_for("POST", path).len();
            let said = api.run(&command);
            assert_eq!(said.code, 64, "{command:?}: {}", said.err);
            assert_eq!(api.asked_for("POST", path).len(), before);
        }
    }
}

#[test]
fn the_log_of_an_earlier_deployment_is_data() {
    let api = api(happy_updates());
    let said = api.run(&["deployments", "log", "7"]).ok();
    assert_eq!(
        said.out,
        "node: package.json with a start script\nadded 57 packages in 2s\n"
    );
    let said = api.run(&["deployments", "log", "7", "--json"]).ok();
    assert_eq!(said.out.lines().count(), 5);
    let said = api.run(&["deployments", "log", "7", "-f"]).ok();
    assert!(said.err.contains("Live in"), "{}", said.err);
}
