//! What a source says of requests comes into the table of the front door.

use hostkit_core::route::{Route, Target};

use crate::bench::{World, fails, shop, succeeds, variables};

const MANIFEST: &str = r#"
[process.web]
command = "run"
[process.api]
command = "run"
internal = true
[[redirects]]
from = "/old"
to = "/new"
[[routes]]
path = "/api"
process = "api"
[access.basic_auth]
user = "ada"
password_variable = "PREVIEW_PASSWORD"
"#;

const VERCEL: &str = r#"{
    "redirects": [{ "source": "/a", "destination": "/b" }, { "source": "/c", "destination": "/d" }],
    "rewrites": [{ "source": "/x", "destination": "/y" }],
    "trailingSlash": true,
    "buildCommand": "make",
    "functions": {}
}"#;

fn route(world: &World, id: &str) -> Option<Route> {
    let mut routes = world.traffic.table().routes.into_iter();
    routes.find(|route| route.id == id)
}

fn log(world: &World, deployment: u64) -> String {
    std::fs::read_to_string(world.layout().deployment_log(&shop(), deployment)).unwrap()
}

#[tokio::test]
async fn the_rules_of_a_manifest_are_those_of_its_routes() {
    let world = World::new();
    let engine = world.with_shop().await;
    let files = [("hostkit.toml", MANIFEST)];
    let failure = fails(&engine, world.deploy(&files)).await.failure.unwrap();
    assert!(
        failure.message.contains("`PREVIEW_PASSWORD` has no value"),
        "{failure}"
    );
    engine
        .set_variables(
            &shop(),
            variables(&[("PREVIEW_PASSWORD", "correct horse")]),
            &[],
            "test",
        )
        .await
        .unwrap();
    succeeds(&engine, world.deploy(&files)).await;
    let web = route(&world, "shop/production/web").unwrap();
    let api = route(&world, "shop/production/api/api").unwrap();
    for route in [&web, &api] {
        assert_eq!(route.rules.redirects.len(), 1);
        let auth = route.rules.basic_auth.as_ref().unwrap();
        assert!(auth.accepts(b"ada", b"correct horse") && !auth.accepts(b"ada", b""));
    }
    assert_eq!(api.path_prefix, "/api");
    assert!(matches!(&api.target, Target::Instances { backends } if backends.len() == 1));
    let table = serde_json::to_string(&world.traffic.table()).unwrap();
    assert!(!table.contains("horse"), "the table knows no password");
    // The hash is the same each time: a table is not handed over again without a change.
    let version = world.traffic.table().version;
    tokio::time::sleep(world.settings.reconcile_every * 4).await;
    assert_eq!(world.traffic.table().version, version);

    let release = succeeds(&engine, world.deploy(&[("a", "1")])).await;
    assert!(release.release.is_some());
    assert_eq!(route(&world, "shop/production/api/api"), None);
    assert!(route(&world, "shop/production/web").unwrap().rules.is_empty());
}

#[tokio::test]
async fn a_path_leads_to_a_process_that_can_be_asked() {
    let world = World::new();
    let engine = world.with_shop().await;
    for (process, why) in [("nobody", "does not exist"), ("worker", "has no port")] {
        let manifest = format!("[[routes]]\npath = \"/x\"\nprocess = \"{process}\"");
        let files = [
            ("hostkit.toml", manifest.as_str()),
            ("Procfile", "web: run\nworker: run"),
        ];
        let failure = fails(&engine, world.deploy(&files)).await.failure.unwrap();
        assert!(failure.message.contains(why), "{failure}");
    }
}

#[tokio::test]
async fn a_vercel_json_is_read_with_and_without_a_manifest() {
    let world = World::new();
    let engine = world.with_shop().await;
    let deployment = succeeds(&engine, world.deploy(&[("vercel.json", VERCEL)])).await;
    let rules = route(&world, "shop/production/web").unwrap().rules;
    assert_eq!(
        (rules.redirects.len(), rules.rewrites.len(), rules.trailing_slash),
        (2, 1, Some(true))
    );
    let said = log(&world, deployment.id);
    assert!(
        said.contains("warning: `functions` of vercel.json has no effect"),
        "{said}"
    );

    let own = ("hostkit.toml", "[[redirects]]\nfrom = \"/own\"\nto = \"/b\"");
    let deployment = succeeds(&engine, world.deploy(&[("vercel.json", VERCEL), own])).await;
    let rules = route(&world, "shop/production/web").unwrap().rules;
    assert_eq!((rules.redirects.len(), rules.rewrites.len()), (1, 1));
    assert_eq!(rules.redirects[0].from.as_str(), "/own");
    let said = log(&world, deployment.id);
    assert!(
        said.contains("`redirects` of vercel.json has no effect: hostkit.toml"),
        "{said}"
    );
}

#[tokio::test]
async fn a_broken_vercel_json_fails_the_deployment_before_anything_is_built() {
    let world = World::new();
    let (engine, release) = world.with_live_shop().await;
    let built = world.journal.count("build");
    for text in [
        "{",
        r#"{ "redirects": [{ "source": "/(", "destination": "/b" }] }"#,
        r#"{ "rewrites": [{ "source": "/api/(.*)", "destination": "https://api.example.com/$1" }] }"#,
    ] {
        let failure = fails(&engine, world.deploy(&[("vercel.json", text)]))
            .await
            .failure
            .unwrap();
        assert!(failure.message.contains("cannot read `vercel.json`"), "{failure}");
    }
    assert_eq!(world.journal.count("build"), built);
    world.assert_serves(&release, &["web.1.1"]).await;
}
