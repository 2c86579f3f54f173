//! `hostkit cancel`.

use serde_json::{Value, json};

use crate::api::{Api, End, Reply};

const LIST: &str = "projects/shop/environments/production/deployments";

fn deployment(id: u64, state: &str) -> Value {
    let by_alice = "cannot finish deployment 7: `alice` cancelled it";
    let failure = json!({ "kind": "conflict", "message": by_alice });
    json!({
        "id": id,
        "environment": { "project": "shop", "environment": "production" },
        "act": { "act": "restart" },
        "trigger": "cli",
        "state": state,
        "release": null,
        "skipped_for": null,
        "failure": if state == "cancelled" { failure } else { Value::Null },
        "steps": [],
        "probe": null,
        "created_at": "2026-01-01T00:00:00Z",
        "started_at": null,
        "finished_at": null
    })
}

fn api(under_way: &[(u64, &str)], answer: Reply) -> Api {
    let api = Api::start();
    let mut all: Vec<Value> = under_way
        .iter()
        .map(|(id, state)| deployment(*id, state))
        .collect();
    all.push(deployment(3, "succeeded"));
    api.on("GET", LIST, Reply::json(json!(all)))
        .on("POST", "projects/shop/deployments/7/cancel", answer)
        .on(
            "GET",
            "projects/shop/deployments/7",
            Reply::Json(200, deployment(7, "running")),
        )
        .on(
            "GET",
            "projects/shop/deployments/7/log",
            Reply::Lines(
                vec![json!({ "deployment": deployment(7, "cancelled") })],
                End::Closes,
            ),
        )
        .on(
            "GET",
            "projects/shop/environments/production",
            Reply::json(json!({
                "project": "shop", "name": "production", "url": "http://shop.localhost:8080/",
                "hosts": ["shop.localhost"], "state": "live", "release": "20260101-000000", "deployment": 3,
                "processes": { "web": 1 }, "ports": { "web": 8001 }
            })),
        );
    api
}

#[test]
fn the_only_one_under_way_is_cancelled_and_seen_undone() {
    let api = api(&[(7, "running")], Reply::Json(202, deployment(7, "running")));
    let said = api.run(&["cancel", "--project", "shop"]).ok();
    assert!(said.err.contains("Deployment 7 is cancelled"), "{said:?}");
    assert!(said.err.contains("20260101-000000 is live as before"), "{said:?}");
    assert_eq!(
        api.asked_for("POST", "projects/shop/deployments/7/cancel").len(),
        1
    );
    let said = api.run(&["cancel", "7", "--project", "shop", "--json"]).ok();
    assert_eq!(said.json()["state"], "cancelled");
}

#[test]
fn one_that_waits_is_out_at_once_and_detached_is_not_waited_for() {
    let one = api(&[(7, "queued")], Reply::Json(202, deployment(7, "cancelled")));
    let said = one.run(&["cancel", "-p", "shop"]).ok();
    assert!(said.err.contains("Deployment 7 is cancelled"), "{said:?}");
    assert!(one.asked_for("GET", "projects/shop/deployments/7/log").is_empty());
    let one = api(&[(7, "running")], Reply::Json(202, deployment(7, "running")));
    one.run(&["cancel", "7", "-p", "shop", "--detach"]).ok();
    assert!(one.asked_for("GET", "projects/shop/deployments/7/log").is_empty());
}

#[test]
fn none_several_and_too_late_are_said_with_what_to_do() {
    let answer = || Reply::Json(202, deployment(7, "running"));
    let said = api(&[], answer()).run(&["cancel", "-p", "shop"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("none waits or runs"), "{said:?}");
    let several = api(&[(8, "queued"), (7, "running")], answer());
    let said = several.run(&["cancel", "-p", "shop"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("7 runs, 8 waits"), "{said:?}");
    assert!(said.err.contains("hostkit cancel 7"), "{said:?}");
    let late = Reply::failure(
        409,
        "conflict",
        "cannot cancel deployment 7: it has begun to switch",
        "`hostkit rollback`",
    );
    let said = api(&[(7, "running")], late).run(&["cancel", "-p", "shop"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("hostkit rollback -p shop"), "{said:?}");
}
