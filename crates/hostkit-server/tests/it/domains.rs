//! Domains through the API: who may change them, what a hostile body or path gets, and what is recorded.

use hostkit_core::access::Role;

use crate::house::{House, project};

const DOMAINS: &str = "/api/projects/shop/environments/production/domains";

#[tokio::test]
async fn a_project_sees_to_its_own_domains_and_to_no_others() {
    let house = House::with_shop().await;
    house.engine.create_project(&project("other")).await.unwrap();
    let own = house.token("ci", Role::Developer, Some(&project("shop")));
    let stranger = house.token("stranger", Role::Admin, Some(&project("other")));
    let viewer = house.token("viewer", Role::Viewer, Some(&project("shop")));
    let body = r#"{"domain":"www.example.com"}"#;
    for (token, status) in [(&viewer, 403), (&stranger, 404)] {
        let refused = house.send("POST", DOMAINS, Some(token), body).await;
        assert_eq!(refused.status, status, "{}", refused.text());
    }
    for is_new in [true, false] {
        let added = house.send("POST", DOMAINS, Some(&own), body).await;
        assert_eq!(added.status, 200, "{}", added.text());
        let told = added.json();
        assert_eq!(
            (&told["is_new"], &told["source"], &told["added_by"]),
            (&is_new.into(), &"added".into(), &"ci".into())
        );
    }
    let taken = "/api/projects/other/environments/production/domains";
    let refused = house.send("POST", taken, Some(&stranger), body).await;
    assert_eq!(refused.status, 409);
    // Whose it is, another tenant is not told.
    assert!(!refused.text().contains("shop"), "{}", refused.text());
    let listed = house.send("GET", DOMAINS, Some(&viewer), "").await.json();
    let hosts: Vec<&str> = listed
        .as_array()
        .unwrap()
        .iter()
        .map(|domain| domain["host"].as_str().unwrap())
        .collect();
    assert_eq!(hosts, ["shop.localhost", "www.example.com"]);
    let one = format!("{DOMAINS}/www.example.com");
    house.internet.set("www.example.com", &["9.9.9.9"]);
    let report = house
        .send("GET", &format!("{one}/check"), Some(&viewer), "")
        .await;
    assert_eq!(report.json()["ok"], true, "{}", report.text());
    house.internet.set("www.example.com", &[]);
    let report = house
        .send("GET", &format!("{one}/check"), Some(&viewer), "")
        .await;
    assert_eq!(report.json()["set"][0]["type"], "A", "{}", report.text());
    for (token, status) in [(&viewer, 403), (&stranger, 404), (&own, 204), (&own, 404)] {
        let removed = house.send("DELETE", &one, Some(token), "").await;
        assert_eq!(removed.status, status, "{}", removed.text());
    }
    let events = house
        .send("GET", "/api/events", Some(&house.admin), "")
        .await
        .text();
    for event in ["domain_added", "domain_removed"] {
        assert_eq!(events.matches(event).count(), 1, "{events}");
    }
}

#[tokio::test]
async fn what_is_no_domain_is_refused_and_nothing_of_it_is_done() {
    let house = House::with_shop().await;
    let long = "a.".repeat(130);
    for domain in [
        "*",
        "*.com",
        "*.*.example.com",
        "shop.*.example.com",
        "localhost",
        "127.0.0.1",
        "a.example/../../etc",
        "a.example\\r\\nX-Evil: 1",
        "a.example\\u0000",
        "'; DROP TABLE domain; --",
        "",
        &long,
    ] {
        let body = format!(r#"{{"domain":"{domain}"}}"#);
        let refused = house.send("POST", DOMAINS, Some(&house.admin), body).await;
        assert_eq!(refused.status, 400, "{domain}: {}", refused.text());
        assert!(refused.message().starts_with("cannot add a domain: "));
    }
    for body in [
        "",
        "{}",
        "[]",
        r#"{"domain":7}"#,
        r#"{"domain":"a.example","all":true}"#,
    ] {
        let refused = house.send("POST", DOMAINS, Some(&house.admin), body).await;
        assert_eq!(refused.status, 400, "{body}: {}", refused.text());
    }
    for name in ["%2e%2e", "a.example%0d%0a", "A.EXAMPLE", "*.example.com", "a..b"] {
        for (method, end) in [("DELETE", ""), ("GET", "/check")] {
            let path = format!("{DOMAINS}/{name}{end}");
            let refused = house.send(method, &path, Some(&house.admin), "").await;
            assert!([400, 404].contains(&refused.status), "{name}: {}", refused.text());
        }
    }
    // Names that are none of its own are not looked up.
    let foreign = format!("{DOMAINS}/internal.example/check");
    let refused = house.send("GET", &foreign, Some(&house.admin), "").await;
    assert_eq!(refused.status, 404);
    let listed = house.send("GET", DOMAINS, Some(&house.admin), "").await.json();
    assert_eq!(listed.as_array().unwrap().len(), 1);
    assert!(house.internet.asked().is_empty());
}
