//! A planted value shows up where it is asked for by name or exported, and nowhere else.

use hostkit_api::endpoint::Form;
use hostkit_api::endpoints::Name;
use hostkit_core::access::Role;

use crate::house::{House, project};

const CANARY: &str = "kanarienvogel-7f3a";

#[tokio::test]
async fn a_value_is_in_no_answer_but_the_two_that_reveal() {
    let house = House::with_shop().await;
    let admin = Some(house.admin.as_str());
    let set = serde_json::json!({ "set": { "API_KEY": CANARY, "LINES": "a\nb" } }).to_string();
    let base = "/api/projects/shop/environments/production";
    let changed = house
        .send("PATCH", &format!("{base}/variables"), admin, set)
        .await;
    assert_eq!(changed.status, 204, "{}", changed.text());
    assert!(changed.body.is_empty());
    let source = house.sources.add(&project("shop"), &[("index.html", "x")]);
    let body = format!(r#"{{"act":"deploy","source":"{source}"}}"#);
    let deployment = house
        .send("POST", &format!("{base}/deployments"), admin, body)
        .await;
    let id = deployment.json()["id"].as_u64().unwrap();
    house.engine.wait(id).await.unwrap();

    let mut shown = Vec::new();
    for name in Name::ALL {
        let endpoint = name.endpoint();
        let reads = endpoint.method == http::Method::GET && endpoint.response.form != Form::Socket;
        if !reads && *name != Name::ExportVariables {
            continue;
        }
        // This house makes no backups; what is in one is downloaded by who may see values alone.
        if matches!(name, Name::ListBackups | Name::GetBackup | Name::DownloadBackup) {
            continue;
        }
        // The project has no database, and what is in one is dumped by who may see values alone.
        if endpoint.path.contains("/databases") {
            continue;
        }
        let path = endpoint
            .path
            .replace("{project}", "shop")
            .replace("{environment}", "production")
            .replace("{deployment}", &id.to_string())
            .replace("{variable}", "API_KEY")
            .replace("{domain}", "shop.localhost");
        let answer = house.send(endpoint.method.as_str(), &path, admin, "").await;
        // The project has no storage, and that is an answer as well.
        let status = if *name == Name::GetBucket { 404 } else { 200 };
        assert_eq!(answer.status, status, "{name:?}: {}", answer.text());
        if answer.text().contains(CANARY) {
            shown.push(*name);
        }
        assert!(
            !answer.text().contains(house.admin.as_str()),
            "{name:?} shows a token"
        );
    }
    assert_eq!(shown, [Name::GetVariable, Name::ExportVariables]);
}

#[tokio::test]
async fn who_asks_for_values_is_told_about_and_the_values_are_not() {
    let house = House::with_shop().await;
    let admin = Some(house.admin.as_str());
    let base = "/api/projects/shop/environments/production";
    let export = format!("{base}/variables/export");
    assert_eq!(house.send("POST", &export, admin, "").await.text(), "");
    let set = serde_json::json!({ "set": { "API_KEY": CANARY, "OTHER": CANARY } }).to_string();
    house
        .send("PATCH", &format!("{base}/variables"), admin, set)
        .await;
    let ci = house.token("ci", Role::Developer, Some(&project("shop")));
    let one = format!("{base}/variables/API_KEY");
    assert_eq!(house.send("GET", &one, Some(&ci), "").await.status, 200);
    assert_eq!(house.send("POST", &export, admin, "").await.status, 200);
    let viewer = house.token("guest", Role::Viewer, None);
    assert_eq!(house.send("GET", &one, Some(&viewer), "").await.status, 403);
    let missing = format!("{base}/variables/NO_SUCH");
    assert_eq!(house.send("GET", &missing, admin, "").await.status, 404);
    let events = house
        .send("GET", &format!("{base}/events"), Some(&viewer), "")
        .await;
    assert!(!events.text().contains(CANARY));
    let text = events.text();
    let revealed: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .filter(|event: &serde_json::Value| event["event"] == "variables_revealed")
        .map(|event| serde_json::json!([event["by"], event["names"]]))
        .collect();
    assert_eq!(
        serde_json::Value::from(revealed),
        serde_json::json!([["ci", ["API_KEY"]], ["admin", ["API_KEY", "OTHER"]]])
    );
}

#[tokio::test]
async fn a_token_is_shown_once() {
    let house = House::open().await;
    let admin = Some(house.admin.as_str());
    let body = r#"{"name":"ci","role":"developer"}"#;
    let made = house.send("POST", "/api/tokens", admin, body).await;
    assert_eq!(made.status, 201, "{}", made.text());
    let secret = made.json()["secret"].as_str().unwrap().to_owned();
    assert!(secret.len() > 40);
    assert_eq!(made.json()["token"]["name"], "ci");
    assert_eq!(
        house.send("GET", "/api/projects", Some(&secret), "").await.status,
        200
    );
    let listed = house.send("GET", "/api/tokens", admin, "").await;
    assert!(listed.text().contains("ci") && !listed.text().contains(&secret));
    assert_eq!(house.send("POST", "/api/tokens", admin, body).await.status, 409);
    assert_eq!(
        house.send("DELETE", "/api/tokens/ci", admin, "").await.status,
        204
    );
    assert_eq!(
        house.send("GET", "/api/projects", Some(&secret), "").await.status,
        401
    );
}

#[tokio::test]
async fn inner_details_of_our_own_faults_stay_inside() {
    let house = House::with_shop().await;
    let inner = hostkit_core::kind::Failure::new(
        hostkit_core::kind::Kind::Internal,
        "cannot open /root/hostkit/projects/shop/blobs: os error 13",
    )
    .details(vec!["at line 7".into()]);
    house.sources.faults.fail_always("missing", inner);
    let client = house.client();
    let failure = client
        .call::<hostkit_api::endpoints::PlanSource>(
            &project("shop"),
            &hostkit_api::endpoints::NoQuery {},
            &hostkit_api::source::Tree::default(),
        )
        .await
        .unwrap_err();
    assert_eq!(failure.kind, hostkit_core::kind::Kind::Internal);
    assert!(
        !failure.message.contains("/root") && failure.details.is_empty(),
        "{failure:?}"
    );
    assert!(failure.message.contains("its log has the reason under"));
}

#[tokio::test]
async fn variables_that_cannot_be_are_refused_with_every_reason() {
    let house = House::with_shop().await;
    let path = "/api/projects/shop/environments/production/variables";
    let long = "x".repeat(200 * 1024);
    let body = serde_json::json!({ "set": { "PORT": "1", "NUL": "a\u{0}b", "LONG": long, "BOTH": "1" }, "unset": ["BOTH"] });
    let answer = house
        .send("PATCH", path, Some(&house.admin), body.to_string())
        .await;
    assert_eq!(answer.status, 400);
    assert_eq!(answer.json()["error"]["details"].as_array().unwrap().len(), 4);
    let listed = house.send("GET", path, Some(&house.admin), "").await;
    assert_eq!(listed.json().as_array().unwrap().len(), 0);
    let answer = house
        .send("PATCH", path, Some(&house.admin), r#"{"set":{"1BAD":"x"}}"#)
        .await;
    assert!(answer.message().contains("1BAD"), "{}", answer.message());
}
