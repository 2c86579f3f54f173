//! Streams: they bring what there is, go on where asked, and end with their reader or the server.

use futures_util::StreamExt;
use hostkit_api::deployment::{DeploymentUpdate, Follow, NewDeployment, Trigger};
use hostkit_api::endpoints::{
    CreateDeployment, GetDeploymentLog, GetLogs, ListEnvironmentEvents, ListEvents, NoQuery,
};
use hostkit_api::event::EventsQuery;
use hostkit_api::log::LogsQuery;
use hostkit_api::target::{Installation, OneDeployment};
use hostkit_core::access::Role;
use hostkit_core::event::What;
use hostkit_core::kind::Kind;

use crate::house::{House, production, project, until};

#[tokio::test]
async fn a_stream_ends_when_its_reader_goes_away() {
    let house = House::with_shop().await;
    let query = LogsQuery {
        follow: true,
        ..LogsQuery::default()
    };
    let mut readers = Vec::new();
    for _ in 0..5 {
        let lines = house.client().lines::<GetLogs>(&production("shop"), &query).await;
        readers.push(lines.unwrap());
    }
    until("five are read", || house.runtime.open() == 5).await;
    drop(readers);
    until("none is left", || house.runtime.open() == 0).await;
}

#[tokio::test]
async fn a_stream_ends_with_the_server() {
    let mut house = House::with_shop().await;
    let query = LogsQuery {
        follow: true,
        ..LogsQuery::default()
    };
    let mut lines = house
        .client()
        .lines::<GetLogs>(&production("shop"), &query)
        .await
        .unwrap();
    house.close().await;
    assert!(lines.next().await.is_none_or(|line| line.is_err()));
    assert_eq!(house.runtime.open(), 0);
}

#[tokio::test]
async fn events_come_as_they_happen() {
    let house = House::with_shop().await;
    let query = EventsQuery {
        follow: true,
        ..EventsQuery::default()
    };
    let mut all = house
        .client()
        .lines::<ListEvents>(&Installation, &query)
        .await
        .unwrap();
    let mut created = false;
    while !created {
        created = matches!(all.next().await.unwrap().unwrap().what, What::ProjectCreated);
    }
    let mut of_shop = house
        .client()
        .lines::<ListEnvironmentEvents>(&production("shop"), &query)
        .await
        .unwrap();
    house.engine.create_project(&project("other")).await.unwrap();
    let event = all.next().await.unwrap().unwrap();
    assert_eq!(event.project, Some(project("other")));
    let changes = serde_json::json!({ "set": { "NAME": "value" } }).to_string();
    let path = "/api/projects/shop/environments/production/variables";
    assert_eq!(
        house
            .send("PATCH", path, Some(&house.admin), changes)
            .await
            .status,
        204
    );
    for events in [&mut all, &mut of_shop] {
        let event = events.next().await.unwrap().unwrap();
        assert!(
            matches!(&event.what, What::VariablesChanged { set, .. } if set == &["NAME"]),
            "{event:?}"
        );
    }
}

#[tokio::test]
async fn the_log_of_a_deployment_ends_with_its_outcome() {
    let house = House::with_shop().await;
    let client = house.client();
    let source = house.sources.add(&project("shop"), &[("a", "b")]);
    let deployment = client
        .call::<CreateDeployment>(
            &production("shop"),
            &Trigger::default(),
            &NewDeployment::Deploy { source, canary: None },
        )
        .await
        .unwrap();
    assert_eq!(deployment.trigger, "api");
    let target = OneDeployment {
        project: project("shop"),
        id: deployment.id,
    };
    let updates = client
        .lines::<GetDeploymentLog>(&target, &Follow { follow: true })
        .await
        .unwrap();
    let updates: Vec<_> = updates.map(Result::unwrap).collect().await;
    assert!(updates.iter().any(|u| matches!(u, DeploymentUpdate::Line(_))));
    let Some(DeploymentUpdate::Deployment(last)) = updates.last() else {
        panic!("the last line is no deployment");
    };
    assert!(last.state.is_final(), "{last:?}");
    let again = client
        .lines::<GetDeploymentLog>(&target, &Follow { follow: false })
        .await
        .unwrap();
    assert!(again.count().await >= 1);
    let shown = client
        .call::<hostkit_api::endpoints::GetDeployment>(&target, &NoQuery {}, &())
        .await
        .unwrap();
    assert_eq!(shown.id, deployment.id);
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let house = House::with_shop().await;
    let logs = LogsQuery {
        follow: true,
        ..LogsQuery::default()
    };
    let shop = project("shop");
    let revoked = house.client_of(&house.token("leaves", Role::Viewer, None));
    let kept = house.client_of(&house.token("stays", Role::Viewer, None));
    let of_project = house.client_of(&house.token("goes-with-shop", Role::Viewer, Some(&shop)));
    let mut streams = Vec::new();
    for client in [&revoked, &kept, &of_project] {
        streams.push(client.lines::<GetLogs>(&production("shop"), &logs).await.unwrap());
    }
    until("three are read", || house.runtime.open() == 3).await;
    let admin = Some(house.admin.as_str());
    let answer = house.send("DELETE", "/api/tokens/leaves", admin, "").await;
    assert_eq!(answer.status, 204);
    let said = streams[0].next().await.unwrap().unwrap_err();
    assert_eq!(said.kind, Kind::Unauthenticated, "{said}");
    assert!(streams[0].next().await.is_none());
    until("one is gone", || house.runtime.open() == 2).await;
    // A new one of the same name is another token.
    house.token("leaves", Role::Viewer, None);
    house.engine.create_project(&project("other")).await.unwrap();
    let query = EventsQuery {
        follow: true,
        ..EventsQuery::default()
    };
    let mut events = kept.lines::<ListEvents>(&Installation, &query).await.unwrap();
    let answer = house.send("DELETE", "/api/projects/shop", admin, "").await;
    assert_eq!(answer.status, 200);
    let said = streams[2].next().await.unwrap().unwrap_err();
    assert_eq!(said.kind, Kind::Unauthenticated, "{said}");
    // Whose token is still there is told about it.
    while !matches!(events.next().await.unwrap().unwrap().what, What::ProjectDeleted) {}
}
