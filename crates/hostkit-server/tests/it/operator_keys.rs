//! Keys of operators through the API: who may add them, and what is recorded. And who is told who calls.

use hostkit_core::access::Role;

use crate::house::{House, project};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJS3IChs7Kwjetynufvr/HsQmoaNC3z6QdvitXVWLem+ ci@example.com";
const KEYS: &str = "/api/projects/shop/keys";

#[tokio::test]
async fn administrators_let_keys_in_and_whoever_may_look_sees_them() {
    let house = House::open().await;
    house.engine.create_project(&project("shop")).await.unwrap();
    let developer = house.token("developer", Role::Developer, Some(&project("shop")));
    let body = serde_json::json!({ "key": KEY }).to_string();
    let remove = format!("{KEYS}/remove");
    for path in [KEYS, &remove] {
        let refused = house.send("POST", path, Some(&developer), body.clone()).await;
        assert_eq!(refused.status, 403);
        assert!(
            refused
                .message()
                .starts_with("cannot decide who may log in to the project"),
            "{}",
            refused.text()
        );
    }
    for is_new in [true, false] {
        let added = house.send("POST", KEYS, Some(&house.admin), body.clone()).await;
        assert_eq!(added.status, 200, "{}", added.text());
        assert_eq!(added.json()["is_new"], is_new);
        assert_eq!(added.json()["type"], "ssh-ed25519");
    }
    let listed = house.send("GET", KEYS, Some(&developer), "").await;
    assert_eq!(listed.json()[0]["comment"], "ci@example.com");
    assert!(!listed.text().contains("AAAAC3"), "{}", listed.text());
    for status in [200, 404] {
        let removed = house
            .send("POST", &remove, Some(&house.admin), body.clone())
            .await;
        assert_eq!(removed.status, status, "{}", removed.text());
    }
    assert_eq!(house.send("GET", KEYS, Some(&developer), "").await.text(), "[]");
    let events = house
        .send("GET", "/api/events", Some(&house.admin), "")
        .await
        .text();
    let of_keys: Vec<serde_json::Value> = events
        .lines()
        .filter(|line| line.contains("operator_key"))
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(of_keys.len(), 2, "{events}");
    assert_eq!(
        (&of_keys[0]["added"], &of_keys[0]["by"]),
        (&true.into(), &"admin".into())
    );
    assert_eq!(of_keys[1]["added"], false);
}

#[tokio::test]
async fn a_private_key_is_not_repeated() {
    let house = House::open().await;
    house.engine.create_project(&project("shop")).await.unwrap();
    let canary = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE";
    let private = format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{canary}\n");
    let body = serde_json::json!({ "key": private }).to_string();
    let refused = house.send("POST", KEYS, Some(&house.admin), body).await;
    assert_eq!(refused.status, 400);
    assert!(!refused.text().contains(canary), "{}", refused.text());
}

#[tokio::test]
async fn a_caller_is_told_who_it_is_and_nobody_else_is() {
    let house = House::with_shop().await;
    let own = house.token("ci", Role::Developer, Some(&project("shop")));
    let told = house.send("GET", "/api/caller", Some(&own), "").await.json();
    assert_eq!(
        told,
        serde_json::json!({ "known_by": "token", "name": "ci", "role": "developer", "project": "shop" })
    );
    let told = house
        .send("GET", "/api/caller", Some(&house.admin), "")
        .await
        .json();
    assert_eq!(told["project"], serde_json::Value::Null);
    assert_eq!(house.send("GET", "/api/caller", None, "").await.status, 401);
}
