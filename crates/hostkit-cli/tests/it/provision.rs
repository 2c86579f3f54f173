//! `provision` and `project create`: what is refused before anything is asked of the API, and what is said of what was
//! made.

use serde_json::{Value, json};

use crate::api::{Api, Reply};

const BARE: [&str; 3] = ["--no-db", "--no-auth", "--no-storage"];

fn project() -> Value {
    let environment = json!({ "project": "shop", "name": "production", "url": "http://shop.example.com", "hosts": [],
        "state": "never_deployed", "release": null, "deployment": null, "processes": {}, "ports": { "web": 8001 } });
    json!({ "name": "shop", "created_at": "2026-01-01T00:00:00Z", "environments": [environment],
        "on_machine": { "account": "shop", "home": "/home/shop", "logs": "/var/log/projects/shop",
            "service": "hostkit-shop.service", "base_port": 8001 } })
}

fn provisioned(is_new: bool, changes: &[&str]) -> Reply {
    Reply::json(json!({ "project": project(), "is_new": is_new, "changes": changes }))
}

#[test]
fn what_is_not_built_is_refused_before_anything_is_made() {
    let api = Api::start();
    api.write("site/index.html", "x");
    for (arguments, why, hint) in [
        (
            &["provision", "shop"][..],
            "cannot provision `shop` with auth: not part of this version, and nothing was made",
            "`hostkit provision shop --no-auth`",
        ),
        (
            &["project", "create", "shop", "--with-db", "--with-auth"],
            "cannot create `shop` with auth: not part of this version",
            "leave `--with-auth` out",
        ),
        (
            &["project", "create", "shop", "--ssl"],
            "cannot make `shop` with a certificate: not part of this version",
            "leave `--ssl` out",
        ),
        (
            &["project", "create", "shop", "--domain", "shop.example.org"],
            "a project answers the hosts that the hostkit.toml of its source names",
            "hosts = [\"shop.example.org\"]",
        ),
        (
            &[
                "project",
                "create",
                "shop",
                "--domain",
                "shop.example.org",
                "--source",
                "site",
            ],
            "a project answers the hosts that the hostkit.toml of its source names",
            "hosts = [\"shop.example.org\"]",
        ),
        (
            &["project", "create", "shop", "--source", "nowhere"],
            "cannot deploy `nowhere`",
            "`--source` takes a folder or an archive",
        ),
    ] {
        let said = api.run(arguments);
        assert_eq!(said.code, 1, "{said:#?}");
        assert!(said.err.contains(why) && said.err.contains(hint), "{said:#?}");
    }
    for name in ["My_App", "my--app", "../x", "-x"] {
        assert_eq!(
            api.run(&[&["provision", name][..], &BARE].concat()).code,
            64,
            "{name}"
        );
    }
    assert!(api.asked().is_empty());
}

#[test]
fn a_project_is_provisioned_once_and_then_there_is_nothing_to_do() {
    let api = Api::start();
    let line = [&["provision", "shop", "--with-secrets"][..], &BARE].concat();
    api.on("POST", "provisions", provisioned(true, &["account", "port 8001"]))
        .on("POST", "provisions", provisioned(false, &["rule for sudo"]))
        .on("POST", "provisions", provisioned(false, &[]));
    let said = api.run(&line).ok();
    assert_eq!(
        said.out,
        "URL       http://shop.example.com\naccount   shop\nhome      /home/shop\n\
         logs      /var/log/projects/shop\nservice   hostkit-shop.service\nport      127.0.0.1:8001\n"
    );
    for text in [
        "account",
        "port 8001",
        "Provisioned `shop`.",
        "hostkit deploy --project shop",
    ] {
        assert!(said.err.contains(text), "{said:#?}");
    }
    let said = api.run(&line).ok();
    assert!(
        said.err.contains("rule for sudo") && said.err.contains("Mended `shop`."),
        "{said:#?}"
    );
    let said = api.run(&line).ok();
    assert!(
        said.err.contains("`shop` is as it should be: nothing to do."),
        "{said:#?}"
    );
    let said = api.run(&[&line[..], &["--json"]].concat()).ok();
    assert_eq!(said.json()["project"]["on_machine"]["base_port"], 8001);
    assert_eq!(said.json()["changes"], json!([]));
    assert_eq!(api.asked()[0].json(), json!({ "name": "shop" }));
}

#[test]
fn a_bare_project_is_shown_with_its_places() {
    let api = Api::start();
    api.on("POST", "projects", Reply::Json(201, project())).on(
        "GET",
        "projects/shop",
        Reply::json(project()),
    );
    let said = api.run(&["project", "create", "shop"]).ok();
    assert!(said.err.contains("Created project `shop`."), "{said:#?}");
    assert_eq!(
        api.run(&["project", "create", "shop", "--json"]).ok().json(),
        project()
    );
    let said = api.run(&["project", "show", "shop"]).ok();
    assert!(said.out.contains("  port      127.0.0.1:8001\n"), "{said:#?}");
    // A domain that the source's manifest names is no extra.
    api.write("site/hostkit.toml", "hosts = [\"shop.example.org\"]\n");
    api.write("site/index.html", "x");
    let said = api.run(&[
        "project",
        "create",
        "shop",
        "--domain",
        "shop.example.org",
        "--source",
        "site",
    ]);
    assert!(said.err.contains("to `shop/production`"), "{said:#?}");
    assert_eq!(api.asked_for("POST", "projects/shop/sources/plan").len(), 1);
}
