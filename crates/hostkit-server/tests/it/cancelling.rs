//! Cancelling through the API: who may, what is found, what is answered.

use hostkit_core::access::Role;
use hostkit_core::deployment::{Act, DeploymentState};

use crate::house::{House, production, project, until};

/// A house with a deployment of `shop` whose build does not end, and one that waits behind it.
async fn building() -> (House, u64, u64) {
    let house = House::with_shop().await;
    house.builder.faults.block("build");
    let source = house.sources.add(&project("shop"), &[("a", "b")]);
    let shop = production("shop");
    let act = Act::Deploy { source, canary: None };
    let first = house.engine.submit(&shop, act, "test").await.unwrap().id;
    until("it builds", || house.builder.journal.count("build") == 1).await;
    let second = house.engine.submit(&shop, Act::Restart, "test").await.unwrap().id;
    (house, first, second)
}

fn path(project: &str, id: impl std::fmt::Display) -> String {
    format!("/api/projects/{project}/deployments/{id}/cancel")
}

#[tokio::test]
async fn it_is_undone_and_says_by_whom() {
    let (house, first, second) = building().await;
    let token = house.token("alice", Role::Developer, Some(&project("shop")));
    // The one that waits first: it would run as soon as the other one is over.
    for id in [second, first] {
        let answer = house.send("POST", &path("shop", id), Some(&token), "").await;
        assert_eq!(answer.status, 202, "{}", answer.text());
        let ended = house.engine.wait(id).await.unwrap();
        assert_eq!(ended.state, DeploymentState::Cancelled);
        let message = ended.failure.unwrap().message;
        assert!(message.contains("`alice` cancelled it"), "{message}");
        // Again, by another one: nothing changes.
        let again = house
            .send("POST", &path("shop", id), Some(&house.admin), "")
            .await;
        assert_eq!(
            (again.status, again.json()["state"].as_str()),
            (202, Some("cancelled"))
        );
        assert!(again.text().contains("alice"), "{}", again.text());
    }
}

#[tokio::test]
async fn who_may_not_and_what_is_not_there_changes_nothing() {
    let (house, first, _) = building().await;
    house.engine.create_project(&project("other")).await.unwrap();
    let viewer = house.token("looks", Role::Viewer, None);
    let stranger = house.token("strange", Role::Developer, Some(&project("other")));
    let admin = house.admin.clone();
    for (token, path, status) in [
        (None, path("shop", first), 401),
        (Some(&viewer), path("shop", first), 403),
        (Some(&stranger), path("shop", first), 404),
        // A number of another project is not found below this one.
        (Some(&stranger), path("other", first), 404),
        (Some(&admin), path("other", first), 404),
        (Some(&admin), path("shop", 4711), 404),
        (Some(&admin), path("shop", "-1"), 400),
        (Some(&admin), path("shop", "1;drop"), 400),
        (Some(&admin), path("shop", "99999999999999999999"), 400),
        (Some(&admin), path("shop", u64::MAX), 404),
    ] {
        let answer = house.send("POST", &path, token.map(String::as_str), "").await;
        assert_eq!(answer.status, status, "{path}: {}", answer.text());
    }
    let now = house.engine.store().deployment(first).unwrap();
    assert_eq!((now.state, now.failure), (DeploymentState::Running, None));
    house.builder.faults.release("build");
    let ended = house.engine.wait(first).await.unwrap();
    assert_eq!(ended.state, DeploymentState::Succeeded, "{:?}", ended.failure);
    let late = house.send("POST", &path("shop", first), Some(&admin), "").await;
    assert_eq!(late.status, 409);
    assert!(late.text().contains("hostkit rollback"), "{}", late.text());
}
