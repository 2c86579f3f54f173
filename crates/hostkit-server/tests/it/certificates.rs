//! Certificates through the API: whose are shown to whom, who may bring and remove which, and what is recorded.

use hostkit_core::access::Role;

use crate::house::{House, project};

const CERTIFICATES: &str = "/api/certificates";

/// The fake takes each line of a chain for a name.
fn body(names: &[&str]) -> String {
    serde_json::json!({ "chain": names.join("\n"), "key": "kanarienvogel-key" }).to_string()
}

async fn listed(house: &House, token: &str) -> Vec<String> {
    let answer = house.send("GET", CERTIFICATES, Some(token), "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    let all = answer.json().as_array().unwrap().clone();
    all.iter()
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_project_sees_to_certificates_of_its_own_hosts_and_an_administrator_to_all() {
    let house = House::with_shop().await;
    house.engine.create_project(&project("other")).await.unwrap();
    let own = house.token("ci", Role::Developer, Some(&project("shop")));
    let other = house.token("other", Role::Admin, Some(&project("other")));
    let viewer = house.token("viewer", Role::Viewer, Some(&project("shop")));
    let everywhere = house.token("everywhere", Role::Developer, None);
    for (token, names) in [
        (&viewer, &["shop.localhost"][..]),
        (&own, &["other.localhost"]),
        (&own, &["shop.localhost", "elsewhere.example"]),
        (&own, &["*.localhost"]),
        (&other, &["shop.localhost"]),
        (&everywhere, &["elsewhere.example"]),
    ] {
        let refused = house.send("POST", CERTIFICATES, Some(token), body(names)).await;
        assert_eq!(refused.status, 403, "{names:?}: {}", refused.text());
        assert!(!refused.text().contains("kanarienvogel"));
    }
    assert!(listed(&house, &house.admin).await.is_empty());
    for (token, names) in [
        (&own, &["shop.localhost"][..]),
        (&everywhere, &["other.localhost"]),
        (&house.admin, &["*.example.com", "elsewhere.example"]),
    ] {
        let taken = house.send("POST", CERTIFICATES, Some(token), body(names)).await;
        assert_eq!(taken.status, 200, "{names:?}: {}", taken.text());
        assert_eq!(taken.json()["names"], serde_json::json!(names));
    }
    assert_eq!(listed(&house, &house.admin).await.len(), 4);
    assert_eq!(listed(&house, &own).await, ["shop.localhost"]);
    assert_eq!(listed(&house, &viewer).await, ["shop.localhost"]);
    assert_eq!(listed(&house, &other).await, ["other.localhost"]);
    // One for every name below shows for a host of the project as well, and stays the administrator's.
    let domains = "/api/projects/shop/environments/production/domains";
    let domain = r#"{"domain":"www.example.com"}"#;
    assert_eq!(house.send("POST", domains, Some(&own), domain).await.status, 200);
    assert_eq!(listed(&house, &own).await, ["shop.localhost", "*.example.com"]);
    for (token, name, status) in [
        (&own, "*.example.com", 403),
        (&own, "other.localhost", 403),
        (&own, "nobody.example", 403),
        (&viewer, "shop.localhost", 403),
        (&own, "www.example.com", 404),
        (&own, "shop.localhost", 204),
        (&own, "shop.localhost", 404),
        (&house.admin, "*.example.com", 204),
    ] {
        let one = format!("{CERTIFICATES}/{name}");
        if status == 204 {
            let renewed = house.send("POST", &format!("{one}/renew"), Some(token), "").await;
            assert_eq!(renewed.status, 204, "{name}: {}", renewed.text());
        }
        let removed = house.send("DELETE", &one, Some(token), "").await;
        assert_eq!(removed.status, status, "{name}: {}", removed.text());
        let renewed = house.send("POST", &format!("{one}/renew"), Some(token), "").await;
        assert_eq!(renewed.status, if status == 204 { 404 } else { status }, "{name}");
    }
    let events = house
        .send("GET", "/api/events", Some(&house.admin), "")
        .await
        .text();
    assert_eq!(events.matches("certificate_imported").count(), 4, "{events}");
    assert_eq!(events.matches("certificate_removed").count(), 2, "{events}");
    assert!(!events.contains("kanarienvogel"), "{events}");
    let of_shop = "/api/projects/shop/environments/production/events";
    let events = house.send("GET", of_shop, Some(&own), "").await.text();
    assert_eq!(events.matches("certificate_").count(), 2, "{events}");
    assert!(!events.contains("elsewhere"), "{events}");
}

#[tokio::test]
async fn hostile_bodies_and_names_are_refused() {
    let house = House::with_shop().await;
    for body in [
        "",
        "{}",
        "[]",
        r#"{"chain":"shop.localhost"}"#,
        r#"{"chain":"shop.localhost","key":["kanarienvogel"]}"#,
        r#"{"chain":"shop.localhost","key":"kanarienvogel","only":[]}"#,
    ] {
        let refused = house.send("POST", CERTIFICATES, Some(&house.admin), body).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.text());
        assert!(!refused.text().contains("kanarienvogel"), "{}", refused.text());
    }
    for name in [
        "%2e%2e",
        "*",
        "*.*.example",
        "a.example%0d%0a",
        "A.EXAMPLE",
        "..%2f..%2fkey",
    ] {
        let one = format!("{CERTIFICATES}/{name}");
        let refused = house.send("DELETE", &one, Some(&house.admin), "").await;
        assert!([400, 404].contains(&refused.status), "{name}: {}", refused.text());
    }
    assert!(listed(&house, &house.admin).await.is_empty());
}
