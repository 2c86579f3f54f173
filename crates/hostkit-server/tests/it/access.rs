//! Role × endpoint × tenant, walked from the table: nobody gets what the role or the token's project does not cover,
//! and what is not covered looks like what does not exist.

use hostkit_api::endpoint::{Endpoint, Form};
use hostkit_api::endpoints::Name;
use hostkit_core::access::{Caller, Identity, Permission, Role};

use crate::house::{Answer, House, project};

/// Who calls.
struct Bearer {
    name: String,
    token: Option<String>,
    caller: Option<Caller>,
}

fn path(endpoint: &Endpoint, project: &str) -> String {
    endpoint
        .path
        .replace("{project}", project)
        .replace("{environment}", "production")
        .replace("{deployment}", "999")
        .replace("{variable}", "NAME")
        .replace("{addon}", "redis")
        .replace("{backup}", "999")
        .replace("{part}", "variables")
        .replace("{database}", "db")
        .replace("{domain}", "www.example.com")
        .replace("{token}", "nobody")
        .replace("{certificate}", "shop.localhost")
}

/// A body that is taken, so that whoever may call gets as far as the handler.
fn body(name: Name) -> &'static str {
    match name {
        Name::CreateToken => r#"{"name":"made","role":"viewer"}"#,
        Name::CreateProject | Name::ProvisionProject => r#"{"name":"made"}"#,
        Name::CreateDeployment => r#"{"act":"restart"}"#,
        Name::PurgeCache => "{}",
        Name::AddOperatorKey | Name::RemoveOperatorKey => r#"{"key":"ssh-ed25519 AAAA"}"#,
        Name::AddDomain => r#"{"domain":"www.example.com"}"#,
        Name::ImportCertificate => r#"{"chain":"shop.localhost","key":"key"}"#,
        Name::PlanSource | Name::CommitSource => r#"{"files":[]}"#,
        Name::ChangeAddon => "{}",
        Name::CreateDatabase => r#"{"label":"tenant_a"}"#,
        Name::CreateExtension => r#"{"name":"pgcrypto"}"#,
        Name::ProtectTable => r#"{"table":{"schema":"public","table":"orders","column":"tenant"}}"#,
        Name::CloneDatabase => r#"{"from":"other"}"#,
        Name::AddAddon => r#"{"kind":"redis"}"#,
        Name::ChangeBackup => r#"{"held":true}"#,
        Name::SetBackupSchedule => r#"{"daily":true,"hour":3}"#,
        Name::SetBackupTarget => r#"{"kind":"folder","path":"relative"}"#,
        Name::SetHistory => r#"{"on":true,"days":7}"#,
        Name::ConfirmRecoveryKit | Name::AdoptRecoveryKit => r#"{"text":"ABCDE"}"#,
        Name::SetBucketPolicy => "{}",
        Name::ChangeVariables => r#"{"set":{"NAME":"value"}}"#,
        _ => "",
    }
}

async fn call(house: &House, endpoint: &Endpoint, project: &str, token: Option<&str>) -> Answer {
    let path = path(endpoint, project);
    house
        .send(
            endpoint.method.as_str(),
            &path,
            token,
            body(endpoint.name).as_bytes(),
        )
        .await
}

fn bearers(house: &House) -> Vec<Bearer> {
    let mut all = vec![Bearer {
        name: "nobody".into(),
        token: None,
        caller: None,
    }];
    for role in Role::ALL {
        for covers in [None, Some("shop")] {
            let covers = covers.map(project);
            let scope = covers.as_ref().map_or("all", |p| p.as_str());
            let name = format!("{role:?}-{scope}").to_ascii_lowercase();
            all.push(Bearer {
                token: Some(house.token(&name, role, covers.as_ref())),
                caller: Some(Caller {
                    identity: Identity::Token(name.clone()),
                    role,
                    project: covers,
                }),
                name,
            });
        }
    }
    all
}

/// What the rules of the product say, written down once more.
fn expected(endpoint: &Endpoint, bearer: &Bearer, asked: &str) -> &'static [u16] {
    const LET_IN: &[u16] = &[];
    if endpoint.permission == Permission::Public {
        return LET_IN;
    }
    let Some(caller) = &bearer.caller else {
        return &[401];
    };
    if endpoint.permission == Permission::KnowOneself {
        return LET_IN;
    }
    // Which certificates are whose is the engine's: the one that is asked for is of the project that callers have.
    if matches!(
        endpoint.permission,
        Permission::ReadCertificates | Permission::ManageCertificates
    ) {
        return match caller.role.may(endpoint.permission) {
            true => LET_IN,
            false => &[403],
        };
    }
    let own = caller.project.as_ref().map(|p| p.as_str());
    if !endpoint.has_project() {
        return match own.is_none() && caller.role.may(endpoint.permission) {
            true => LET_IN,
            false => &[403],
        };
    }
    match (own, caller.role.may(endpoint.permission)) {
        (Some(own), _) if own != asked => &[404],
        (_, false) => &[403],
        (_, true) if asked == "ghost" => &[404],
        (_, true) => LET_IN,
    }
}

#[tokio::test]
async fn every_role_gets_what_it_may_and_nothing_else() {
    let house = House::open().await;
    for name in ["shop", "other"] {
        house.engine.create_project(&project(name)).await.unwrap();
    }
    let bearers = bearers(&house);
    let mut walked = 0;
    // Deleting comes last: what is deleted answers differently.
    let last = |name: &&Name| **name == Name::DeleteProject;
    let order = Name::ALL
        .iter()
        .filter(|n| !last(n))
        .chain(Name::ALL.iter().filter(last));
    for endpoint in order.map(|n| n.endpoint()) {
        for asked in ["shop", "other", "ghost"] {
            for bearer in &bearers {
                if endpoint.name == Name::DeleteProject && expected(&endpoint, bearer, asked).is_empty() {
                    continue;
                }
                let answer = call(&house, &endpoint, asked, bearer.token.as_deref()).await;
                let expected = expected(&endpoint, bearer, asked);
                let told = format!(
                    "{:?} on {asked} by {}: {} {}",
                    endpoint.name,
                    bearer.name,
                    answer.status,
                    answer.text()
                );
                match expected {
                    [] => {
                        assert!(![401, 403].contains(&answer.status), "{told}");
                        assert!(!answer.text().contains("cannot find project"), "{told}");
                    }
                    _ => {
                        assert!(expected.contains(&answer.status), "{told}");
                        assert!(answer.json()["error"]["code"].is_string(), "{told}");
                    }
                }
                walked += 1;
            }
        }
    }
    assert!(walked >= Name::ALL.len() * 3 * 6, "{walked}");
    for asked in ["shop", "other"] {
        let endpoint = Name::DeleteProject.endpoint();
        let answer = call(&house, &endpoint, asked, Some(&house.admin)).await;
        assert_eq!(answer.status, 200);
        let archive = answer.json()["archive"]["file"].to_string();
        assert!(archive.contains(asked), "{archive}");
    }
}

#[tokio::test]
async fn another_tenants_project_answers_like_one_that_does_not_exist() {
    let house = House::open().await;
    for name in ["shop", "other"] {
        house.engine.create_project(&project(name)).await.unwrap();
    }
    let own = house.token("own", Role::Admin, Some(&project("shop")));
    for endpoint in Name::ALL
        .iter()
        .map(|n| n.endpoint())
        .filter(Endpoint::has_project)
    {
        let there = call(&house, &endpoint, "other", Some(&own)).await;
        let nowhere = call(&house, &endpoint, "ghost", Some(&own)).await;
        assert_eq!(there.status, 404, "{:?}", endpoint.name);
        assert_eq!(
            there.text().replace("other", "ghost"),
            nowhere.text(),
            "{:?}",
            endpoint.name
        );
        assert_eq!(there.headers.len(), nowhere.headers.len());
    }
}

#[tokio::test]
async fn without_a_right_token_nothing_but_the_public_answers() {
    let house = House::with_shop().await;
    house.engine.create_token("gone", Role::Admin, None).unwrap();
    let revoked = house.token("revoked", Role::Admin, None);
    house.engine.revoke_token("revoked").unwrap();
    for name in Name::ALL {
        let endpoint = name.endpoint();
        let answer = call(&house, &endpoint, "shop", None).await;
        if endpoint.permission == Permission::Public {
            assert_eq!(answer.status, 200, "{name:?}");
        } else {
            assert_eq!(answer.status, 401, "{name:?}");
            assert_eq!(answer.headers["www-authenticate"], "Bearer");
            assert_eq!(answer.json()["error"]["code"], "unauthenticated");
        }
    }
    for wrong in [
        "",
        "hk_",
        "admin",
        &revoked,
        &house.admin[..20],
        &"x".repeat(4000),
    ] {
        let answer = house.send("GET", "/api/projects", Some(wrong), "").await;
        assert_eq!(answer.status, 401, "{wrong}");
    }
    // A WebSocket passes the same check, before anything is upgraded.
    assert_eq!(Name::RunCommand.endpoint().response.form, Form::Socket);
    let viewer = house.token("viewer", Role::Viewer, None);
    let client = house.client_of(&viewer);
    let request = hostkit_api::run::RunRequest {
        arguments: vec!["echo".into()],
        terminal: None,
        release: None,
        console: None,
    };
    let Err(failure) = client.run(&crate::house::production("shop"), &request).await else {
        panic!("a viewer ran a command");
    };
    assert_eq!(failure.kind, hostkit_core::kind::Kind::Denied);
}

#[tokio::test]
async fn wrong_tokens_are_slowed_down_and_right_ones_never() {
    let house = House::open().await;
    let mut refused = 0;
    for _ in 0..60 {
        let answer = house
            .send("GET", "/api/status", Some("hk_0000000000000000"), "")
            .await;
        refused += u32::from(answer.status == 503);
        assert!([401, 503].contains(&answer.status));
    }
    assert!(refused > 5, "{refused}");
    assert_eq!(
        house
            .send("GET", "/api/status", Some(&house.admin), "")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_deployment_is_found_below_its_own_project_alone() {
    let house = House::open().await;
    for name in ["shop", "other"] {
        house.engine.create_project(&project(name)).await.unwrap();
    }
    let source = house.sources.add(&project("shop"), &[("index.html", "x")]);
    let body = format!(r#"{{"act":"deploy","source":"{source}"}}"#);
    let path = "/api/projects/shop/environments/production/deployments?trigger=test";
    let answer = house.send("POST", path, Some(&house.admin), body).await;
    assert_eq!(answer.status, 202, "{}", answer.text());
    let id = answer.json()["id"].as_u64().unwrap();
    assert_eq!(answer.json()["trigger"], "test");
    for suffix in ["", "/log"] {
        let own = format!("/api/projects/shop/deployments/{id}{suffix}");
        let foreign = format!("/api/projects/other/deployments/{id}{suffix}");
        assert_eq!(house.send("GET", &own, Some(&house.admin), "").await.status, 200);
        assert_eq!(
            house.send("GET", &foreign, Some(&house.admin), "").await.status,
            404
        );
    }
}

#[tokio::test]
async fn the_last_token_that_makes_others_cannot_be_revoked() {
    let house = House::open().await;
    let revoke = || house.send("DELETE", "/api/tokens/admin", Some(&house.admin), "");
    assert_eq!(revoke().await.status, 409);
    let second = house.token("second", Role::Admin, None);
    assert_eq!(revoke().await.status, 204);
    assert_eq!(revoke().await.status, 401);
    assert_eq!(
        house.send("GET", "/api/tokens", Some(&second), "").await.status,
        200
    );
}
