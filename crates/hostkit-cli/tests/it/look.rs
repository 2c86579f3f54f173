//! Commands that look, and what is said when there is nothing to see or nobody to ask.

use serde_json::json;

use crate::api::{Api, End, Reply};

#[test]
fn status_says_where_everything_is() {
    let api = Api::start();
    let health = |status: &str| {
        json!({ "status": status, "version": "0.1.0", "timestamp": "2026-01-01T00:00:00Z",
                "checks": { "disk": { "status": status, "latency_ms": 1 } } })
    };
    api.on(
        "GET",
        "status",
        Reply::json(json!({
            "version": "0.1.0", "data": "/srv/hostkit", "api": "http://127.0.0.1:4000", "front_door": "http://localhost:8080",
            "started_at": "2026-01-01T00:00:00Z", "uptime_seconds": 3700, "projects": 2
        })),
    )
    .on("GET", "health", Reply::json(health("healthy")))
    .on("GET", "health", Reply::Json(503, health("unhealthy")));
    let environment = |project: &str, state: &str, processes: serde_json::Value| {
        json!({ "project": project, "name": "production", "url": format!("http://{project}.localhost"), "hosts": [],
                "state": state, "release": null, "deployment": 42, "processes": processes, "ports": {} })
    };
    let project = |name: &str, environment: serde_json::Value| json!({ "name": name, "created_at": "2026-01-01T00:00:00Z", "environments": [environment] });
    api.on(
        "GET",
        "projects",
        Reply::json(json!([
            project("shop", environment("shop", "live", json!({ "web": 2, "worker": 1 }))),
            project("site", environment("site", "live", json!({}))),
            project("old", environment("old", "stopped", json!({ "web": 1 }))),
        ])),
    )
    .on(
        "GET",
        "projects/shop/environments/production/instances",
        Reply::json(json!([{
            "id": "shop.production.web.42.1", "release": "20260101-000000", "state": "running", "pid": 7, "address": null,
            "started_at": null, "restarts": 0, "last_exit": null, "memory": null
        }])),
    );
    let said = api.run(&["status"]).ok();
    for text in [
        "healthy",
        "up for 1 h 1 min",
        "http://localhost:8080",
        "/srv/hostkit",
        "shop     live     web 1 of 2, worker 0 of 1  http://shop.localhost\n",
        "site     live     files                      http://site.localhost\n",
        "old      stopped  -                          http://old.localhost\n",
    ] {
        assert!(said.out.contains(text), "{}", said.out);
    }
    let said = api.run(&["status", "--json"]);
    assert_eq!(said.code, 2, "unhealthy");
    assert_eq!(
        (
            said.json()["projects"].clone(),
            said.json()["health"]["status"].clone()
        ),
        (json!(2), json!("unhealthy"))
    );
}

#[test]
fn an_installation_that_does_not_run_is_named_with_the_way_out() {
    let api = Api::start();
    let said = crate::api::Said::of(
        api.command(&["status"])
            .env("HOSTKIT_DATA", api.work().join("nowhere"))
            .output()
            .unwrap(),
    );
    assert_eq!((said.code, said.out.as_str()), (2, ""));
    assert!(
        said.err.starts_with("error: cannot reach HostKit at"),
        "{}",
        said.err
    );
    assert!(
        said.err.contains("hint: start it with `hostkit up`"),
        "{}",
        said.err
    );
}

#[test]
fn failures_keep_their_exit_code_and_come_as_json_if_asked() {
    let api = Api::start();
    for (status, kind, code) in [
        (404, "not_found", 1),
        (403, "denied", 1),
        (503, "unavailable", 2),
        (500, "internal", 2),
    ] {
        let path = format!("projects/p-{status}/environments/production/instances");
        api.on(
            "GET",
            &path,
            Reply::failure(status, kind, "cannot look: no", "try `hostkit project list`"),
        );
        let project = format!("p-{status}");
        let said = api.run(&["ps", "-p", &project]);
        assert_eq!((said.code, said.out.as_str()), (code, ""), "{kind}");
        assert!(
            said.err
                .starts_with("error: cannot look: no\nhint: try `hostkit project list`\n"),
            "{}",
            said.err
        );
        let said = api.run(&["ps", "-p", &project, "--json"]);
        assert_eq!(
            (said.code, said.json()["error"]["code"].clone()),
            (code, json!(kind))
        );
    }
}

#[test]
fn the_project_comes_from_flag_variable_or_manifest() {
    let api = Api::start();
    for name in ["flag", "variable", "manifest"] {
        api.on(
            "GET",
            &format!("projects/{name}/environments/production/instances"),
            Reply::failure(
                503,
                "unavailable",
                &format!("cannot look at projects/{name}/environments/production"),
                "no",
            ),
        );
    }
    let folder = api.work().file_name().unwrap().to_str().unwrap().to_owned();
    api.on(
        "GET",
        &format!("projects/{folder}/environments/production/releases"),
        Reply::failure(
            404,
            "not_found",
            &format!("cannot find project `{folder}`: no"),
            "no",
        ),
    );
    let said = api.run(&["releases"]);
    assert_eq!(said.code, 1);
    assert!(
        said.err.contains("there is no ./hostkit.toml") && said.err.contains("--project"),
        "{}",
        said.err
    );
    api.write("hostkit.toml", "name = \"manifest\"\n");
    assert!(
        api.run(&["ps"])
            .err
            .contains("projects/manifest/environments/production")
    );
    let mut command = api.command(&["ps"]);
    assert!(
        String::from_utf8(
            command
                .env("HOSTKIT_PROJECT", "variable")
                .output()
                .unwrap()
                .stderr
        )
        .unwrap()
        .contains("variable/")
    );
    let mut command = api.command(&["ps", "-p", "flag"]);
    assert!(
        String::from_utf8(
            command
                .env("HOSTKIT_PROJECT", "variable")
                .output()
                .unwrap()
                .stderr
        )
        .unwrap()
        .contains("flag/")
    );
}

#[test]
fn instances_releases_and_projects_are_tables_and_json() {
    let api = Api::start();
    api.write("hostkit.toml", "name = \"shop\"\n");
    let base = "projects/shop/environments/production";
    api.on(
        "GET",
        &format!("{base}/instances"),
        Reply::json(json!([{
            "id": "shop.production.web.42.1", "release": "20260101-000000", "state": "backoff", "pid": null,
            "address": "127.0.0.1:20001", "started_at": "2026-01-01T00:00:00Z", "restarts": 3,
            "last_exit": { "code": 1, "signal": null, "out_of_memory": false, "at": "2026-01-01T00:00:00Z" }, "memory": 52428800
        }])),
    )
    .on(
        "GET",
        &format!("{base}/releases"),
        Reply::json(json!([{
            "name": "20260101-000000", "live": true, "created_at": "2026-01-01T00:00:00Z", "source": "a".repeat(64),
            "builder": "node", "assumed": [], "processes": { "web": { "reach": "public", "count": 1, "command": "node ." } },
            "bytes": 1048576
        }])),
    )
    .on("GET", "projects", Reply::json(json!([{ "name": "shop", "created_at": "2026-01-01T00:00:00Z", "environments": [] }])));
    let said = api.run(&["ps"]).ok();
    for text in ["web.1", "starts again (exit status 1)", "50MB", "127.0.0.1:20001"] {
        assert!(said.out.contains(text), "{}", said.out);
    }
    assert!(
        said.out.lines().all(|line| line.chars().count() <= 100),
        "{}",
        said.out
    );
    let said = api.run(&["ps", "-v"]).ok();
    assert!(said.out.contains("20260101-000000  42"), "{}", said.out);
    assert_eq!(
        api.run(&["ps", "--json"]).ok().json()[0]["id"],
        "shop.production.web.42.1"
    );
    let said = api.run(&["releases"]).ok();
    assert!(
        said.out.contains("20260101-000000  live") && said.out.contains("1MB"),
        "{}",
        said.out
    );
    assert!(api.run(&["project", "list"]).ok().out.contains("shop"));
}

#[test]
fn logs_pass_on_what_is_wanted_and_clean_what_comes() {
    let api = Api::start();
    let line = |stream: &str, text: &str| json!({ "at": "2026-01-01T12:00:00Z", "process": "web", "instance": "shop.production.web.42.1", "stream": stream, "text": text });
    let lines = vec![
        line("out", "\u{1b}[32mready\u{1b}[0m\u{7}"),
        line("err", "oh"),
        line("hostkit", "started"),
    ];
    api.on(
        "GET",
        "projects/shop/environments/production/logs",
        Reply::Lines(lines, End::Closes),
    );
    let said = api
        .run(&[
            "logs",
            "-p",
            "shop",
            "--process",
            "web",
            "--since",
            "10m",
            "--grep",
            "a b&c",
            "-n",
            "5",
        ])
        .ok();
    let text: Vec<&str> = said
        .out
        .lines()
        .map(|line| line.split_once("web.1 ").unwrap().1)
        .collect();
    assert_eq!(text, ["| ready", "| oh", "* started"]);
    let asked = &api.asked_for("GET", "projects/shop/environments/production/logs")[0];
    assert_eq!(
        asked.query,
        "process=web&since=10m&grep=a+b%26c&last=5&follow=false"
    );
    let said = api.run(&["logs", "-p", "shop", "--json"]).ok();
    assert_eq!(said.out.lines().count(), 3);
    let first: serde_json::Value = serde_json::from_str(said.out.lines().next().unwrap()).unwrap();
    assert_eq!(first["stream"], "out");
}

#[test]
fn events_are_sentences() {
    let api = Api::start();
    let events = vec![
        json!({ "id": 1, "at": "2026-01-01T00:00:00Z", "project": "shop", "environment": null, "event": "project_created" }),
        json!({ "id": 2, "at": "2026-01-01T00:00:00Z", "project": "shop", "environment": "production",
                "event": "variables_changed", "set": ["A"], "unset": ["B"] }),
    ];
    api.on("GET", "events", Reply::Lines(events, End::Closes));
    let said = api.run(&["events"]).ok();
    assert!(said.out.contains("shop project created"), "{}", said.out);
    assert!(
        said.out
            .contains("shop/production variables changed: set A; removed B"),
        "{}",
        said.out
    );
}

#[test]
fn deleting_asks_unless_told_not_to() {
    let api = Api::start();
    let project = json!({ "name": "shop", "created_at": "2026-01-01T00:00:00Z", "environments": [] });
    api.on("GET", "projects/shop", Reply::json(project)).on(
        "DELETE",
        "projects/shop",
        Reply::json(json!({ "deleted": "shop", "archive": {
            "file": "/var/lib/hostkit/archives/shop-20260101-000000.tar.zst", "bytes": 2048 } })),
    );
    let said = api.run(&["project", "delete", "shop"]);
    assert_eq!(said.code, 64);
    assert!(said.err.contains("--yes"), "{}", said.err);
    assert!(api.asked_for("DELETE", "projects/shop").is_empty());
    let said = api.run(&["project", "delete", "shop", "--yes"]).ok();
    assert!(said.err.contains("Deleted project `shop`"), "{}", said.err);
    assert!(
        said.err
            .contains("kept in /var/lib/hostkit/archives/shop-20260101-000000.tar.zst (2KB)")
            && said.err.contains("`sudo rm /var/lib/hostkit/archives/shop-"),
        "{}",
        said.err
    );
    api.run(&["project", "delete", "shop", "--yes", "--no-archive"])
        .ok();
    let asked = api.asked_for("DELETE", "projects/shop");
    let queries: Vec<&str> = asked.iter().map(|asked| asked.query.as_str()).collect();
    assert_eq!(queries, ["", "archive=false"]);
}

#[test]
fn a_token_is_shown_once_on_stdout() {
    let api = Api::start();
    let token =
        json!({ "name": "ci", "role": "developer", "project": "shop", "created_at": "2026-01-01T00:00:00Z" });
    api.on(
        "POST",
        "tokens",
        Reply::Json(201, json!({ "token": token, "secret": "hk_abc" })),
    );
    let said = api.run(&["token", "create", "ci", "-p", "shop"]).ok();
    assert_eq!(said.out, "hk_abc\n");
    assert!(!said.err.contains("hk_abc"));
    assert_eq!(
        api.asked_for("POST", "tokens")[0].json(),
        json!({ "name": "ci", "role": "developer", "project": "shop" })
    );
}

#[test]
fn doctor_ends_with_its_outcome() {
    let api = Api::start();
    let finding = |outcome: &str| json!({ "check": "disk", "outcome": outcome, "message": "2 GB free", "hint": "make room" });
    api.on("GET", "doctor", Reply::json(json!([finding("fine")]))).on(
        "GET",
        "doctor",
        Reply::json(json!([finding("problem")])),
    );
    assert!(api.run(&["doctor"]).ok().err.contains("No problem"));
    let said = api.run(&["doctor"]);
    assert_eq!(said.code, 1);
    assert!(
        said.out.contains("problem  disk: 2 GB free") && said.out.contains("hint: make room"),
        "{}",
        said.out
    );
}

#[test]
fn doctor_of_a_project_says_what_is_found_without_control_characters() {
    let api = Api::start();
    let path = "projects/shop/environments/staging/doctor";
    let findings = json!([
        { "check": "NODE_ENV", "outcome": "warning", "message": "it is not\u{1b}[2J so", "hint": "do\u{7} this" },
        { "check": "disk", "outcome": "fine", "message": "has room" },
    ]);
    api.on("GET", path, Reply::json(findings.clone()))
        .on("GET", path, Reply::json(findings.clone()));
    let said = api.run(&["doctor", "shop", "-e", "staging"]).ok();
    assert!(said.err.contains("No problem found, 1 warning."), "{}", said.err);
    assert!(said.out.contains("warning  NODE_ENV: it is not"), "{}", said.out);
    assert!(!said.out.contains(['\u{1b}', '\u{7}']), "{:?}", said.out);
    let said = api.run(&["doctor", "shop", "-e", "staging", "--json"]).ok();
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&said.out).unwrap(),
        findings
    );
    assert_eq!(api.run(&["doctor", "-e", "staging"]).code, 64);
    assert_eq!(api.run(&["doctor", "Not A Name"]).code, 64);
}
