//! Add-ons over the API: what is told of them, and that their secrets leave where they are asked for, and nowhere else.

use hostkit_api::addon::NewAddon;
use hostkit_api::backup::Removal;
use hostkit_api::endpoints::{AddAddon, ListAddons, NoQuery, RemoveAddon, RevealAddon, RotateAddon};
use hostkit_api::run::{Output, RunRequest};
use hostkit_api::target::OneAddon;
use hostkit_core::access::Role;
use hostkit_core::addon::{AddonHealth, AddonId, AddonKind, AddonSettings};
use hostkit_core::kind::Kind;

use crate::house::{House, production};

fn redis() -> NewAddon {
    NewAddon {
        kind: AddonKind::Redis,
        outside: None,
        settings: AddonSettings::default(),
    }
}

fn which() -> OneAddon {
    OneAddon(AddonId::new(production("shop"), AddonKind::Redis))
}

#[tokio::test]
async fn an_addon_is_added_shown_rotated_and_removed() {
    let house = House::with_shop().await;
    let (client, shop) = (house.client(), production("shop"));
    let added = client
        .call::<AddAddon>(&shop, &NoQuery {}, &redis())
        .await
        .unwrap();
    assert_eq!(added.state.health, AddonHealth::Ready);
    let again = client.call::<AddAddon>(&shop, &NoQuery {}, &redis()).await;
    assert_eq!(again.unwrap_err().kind, Kind::Conflict);
    let list = client.call::<ListAddons>(&shop, &NoQuery {}, &()).await.unwrap();
    assert_eq!(list, [added]);
    let told = client
        .call::<RevealAddon>(&which(), &NoQuery {}, &())
        .await
        .unwrap();
    let url = told.variables.values().next().unwrap();
    assert!(url.starts_with("fake://1:"), "{url}");
    let rotated = client
        .call::<RotateAddon>(&which(), &NoQuery {}, &())
        .await
        .unwrap();
    assert!(rotated.finished);
    let told = client
        .call::<RevealAddon>(&which(), &NoQuery {}, &())
        .await
        .unwrap();
    assert!(told.variables.values().all(|url| url.starts_with("fake://2:")));
    client
        .call::<RemoveAddon>(&which(), &Removal::default(), &())
        .await
        .unwrap();
    let gone = client.call::<RevealAddon>(&which(), &NoQuery {}, &()).await;
    assert_eq!(gone.unwrap_err().kind, Kind::NotFound);
}

#[tokio::test]
async fn a_kind_that_is_not_there_or_no_kind_is_refused() {
    let house = House::with_shop().await;
    let (client, shop) = (house.client(), production("shop"));
    let storage = NewAddon {
        kind: AddonKind::Storage,
        outside: None,
        settings: AddonSettings::default(),
    };
    let refused = client.call::<AddAddon>(&shop, &NoQuery {}, &storage).await;
    assert_eq!(refused.unwrap_err().kind, Kind::Conflict);
    let path = "/api/projects/shop/environments/production/addons";
    for (body, status) in [
        (r#"{"kind":"redis; FLUSHALL"}"#, 400),
        (r#"{"kind":"redis","port":1}"#, 400),
        (r#"{"kind":"redis","settings":{"memory":"much"}}"#, 400),
    ] {
        let answer = house.send("POST", path, Some(&house.admin), body).await;
        assert_eq!(answer.status, status, "{body}: {}", answer.text());
    }
    let answer = house
        .send("DELETE", &format!("{path}/..%2fredis"), Some(&house.admin), "")
        .await;
    assert!(answer.status >= 400, "{}", answer.status);
}

#[tokio::test]
async fn its_secret_is_in_no_answer_but_the_one_that_asks_for_it() {
    let house = House::with_shop().await;
    let (client, shop) = (house.client(), production("shop"));
    client
        .call::<AddAddon>(&shop, &NoQuery {}, &redis())
        .await
        .unwrap();
    let told = client
        .call::<RevealAddon>(&which(), &NoQuery {}, &())
        .await
        .unwrap();
    let url = told.variables.values().next().unwrap();
    let secret = url
        .trim_start_matches("fake://1:")
        .trim_end_matches('@')
        .to_owned();
    for path in [
        "/api/projects/shop",
        "/api/projects/shop/environments/production/addons",
        "/api/projects/shop/environments/production/variables",
        "/api/events",
    ] {
        let answer = house.send("GET", path, Some(&house.admin), "").await;
        assert_eq!(answer.status, 200, "{path}");
        assert!(!answer.text().contains(&secret), "{path}");
    }
    let viewer = house.client_of(&house.token("viewer", Role::Viewer, None));
    let refused = viewer.call::<RevealAddon>(&which(), &NoQuery {}, &()).await;
    assert_eq!(refused.unwrap_err().kind, Kind::Denied);
    let developer = house.client_of(&house.token("developer", Role::Developer, None));
    let refused = developer
        .call::<RemoveAddon>(&which(), &Removal::default(), &())
        .await;
    assert_eq!(refused.unwrap_err().kind, Kind::Denied);
}

#[tokio::test]
async fn its_console_needs_no_release() {
    let house = House::with_shop().await;
    let (client, shop) = (house.client(), production("shop"));
    client
        .call::<AddAddon>(&shop, &NoQuery {}, &redis())
        .await
        .unwrap();
    let request = RunRequest {
        arguments: vec!["DBSIZE".into()],
        terminal: None,
        release: None,
        console: Some(AddonKind::Redis),
    };
    let mut running = client.run(&shop, &request).await.unwrap();
    let first = running.output.next().await.unwrap().unwrap();
    assert_eq!(first, Output::Out(b"console DBSIZE".to_vec()));
}
