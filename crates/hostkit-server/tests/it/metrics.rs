//! Metrics of the front door, asked for through the API.

use hostkit_core::access::Role;
use hostkit_core::route::TrafficStatus;
use hostkit_testkit::fakes::Faults;

use crate::house::{House, project};

#[tokio::test]
async fn metrics_are_what_the_front_door_says_to_who_may_read_the_installation() {
    let house = House::with_shop().await;
    house.traffic.set_status(TrafficStatus {
        held: 7,
        ..TrafficStatus::default()
    });
    let viewer = house.token("watcher", Role::Viewer, None);
    let answer = house.send("GET", "/api/metrics", Some(&viewer), "").await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.headers["content-type"], "text/plain; charset=utf-8");
    assert!(
        answer.text().contains("\nhostkit_proxy_held 7\n"),
        "{}",
        answer.text()
    );
    // What other projects are doing is in there: a token of one project is not enough.
    let of_shop = house.token("of-shop", Role::Admin, Some(&project("shop")));
    for token in [None, Some(of_shop.as_str())] {
        let answer = house.send("GET", "/api/metrics", token, "").await;
        assert!(matches!(answer.status, 401 | 403 | 404), "{}", answer.text());
        assert!(!answer.text().contains("hostkit_proxy"), "{}", answer.text());
    }
    house
        .traffic
        .faults
        .fail_always("metrics", Faults::broken("it is away"));
    let answer = house.send("GET", "/api/metrics", Some(&viewer), "").await;
    assert!(answer.status >= 500, "{}", answer.text());
}
