//! `access`: keys from text, file and stdin, and what never leaves this machine. And who calls: a caller of one project
//! need not name it.

use serde_json::json;

use crate::api::{Api, Reply};

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJS3IChs7Kwjetynufvr/HsQmoaNC3z6QdvitXVWLem+ ci@example.com";
const FINGERPRINT: &str = "SHA256:1MDXw/oNYEd2oJ0W4mcnqd9eKxjXfbik6+lpGYoS3us";
const CANARY: &str = "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAE";

fn shown() -> serde_json::Value {
    json!({ "fingerprint": FINGERPRINT, "type": "ssh-ed25519", "comment": "ci@example.com" })
}

fn with_keys() -> Api {
    let api = Api::start();
    let mut added = shown();
    added["is_new"] = json!(true);
    api.on("POST", "projects/shop/keys", Reply::json(added))
        .on("GET", "projects/shop/keys", Reply::json(json!([shown()])))
        .on("POST", "projects/shop/keys/remove", Reply::json(shown()));
    api
}

#[test]
fn a_key_comes_as_text_as_file_and_from_stdin() {
    let api = with_keys();
    api.write("id.pub", &format!("{KEY}\r\n"));
    for said in [
        api.run(&["access", "add", "shop", KEY]),
        api.run(&["access", "add", "shop", "id.pub"]),
        api.run_with_input(&["access", "add", "shop", "-"], &format!("{KEY}\n")),
    ] {
        let said = said.ok();
        assert_eq!(said.out, "");
        assert!(
            said.err
                .contains(&format!("Key {FINGERPRINT} ci@example.com may log in as `shop`.")),
            "{}",
            said.err
        );
    }
    let sent = api.asked_for("POST", "projects/shop/keys");
    assert_eq!(sent.len(), 3);
    assert!(sent.iter().all(|asked| asked.json() == json!({ "key": KEY })));
}

#[test]
fn keys_are_listed_by_fingerprint() {
    let api = with_keys();
    let said = api.run(&["access", "list", "shop"]).ok();
    assert!(
        said.out.contains(FINGERPRINT) && said.out.contains("ci@example.com"),
        "{}",
        said.out
    );
    let said = api.run(&["access", "list", "shop", "--json"]).ok();
    assert_eq!(said.json(), json!([shown()]));
}

#[test]
fn a_key_is_taken_away_by_whatever_it_is_known_by() {
    let api = with_keys();
    api.write("id.pub", KEY);
    for (named, sent) in [
        (FINGERPRINT, FINGERPRINT),
        ("ci@example.com", "ci@example.com"),
        ("./id.pub", KEY),
        ("id.pub", KEY),
        (KEY, KEY),
    ] {
        api.run(&["access", "remove", "shop", named]).ok();
        let last = api.asked_for("POST", "projects/shop/keys/remove").pop().unwrap();
        assert_eq!(last.json(), json!({ "key": sent }), "{named}");
    }
}

#[test]
fn a_private_key_is_neither_sent_nor_repeated() {
    let api = with_keys();
    let private =
        format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{CANARY}\n-----END OPENSSH PRIVATE KEY-----\n");
    api.write("id", &private);
    api.write("words", &format!("{CANARY}\n"));
    api.write("two.pub", &format!("{KEY}\n{CANARY}\n"));
    for said in [
        api.run(&["access", "add", "shop", "id"]),
        api.run(&["access", "add", "shop", &private]),
        api.run(&["access", "add", "shop", "words"]),
        api.run(&["access", "add", "shop", "two.pub"]),
        api.run_with_input(&["access", "add", "shop", "-"], &private),
        api.run(&["access", "remove", "shop", "./id"]),
        api.run(&["access", "remove", "shop", &private]),
        api.run_with_input(&["access", "remove", "shop", "-"], &private),
    ] {
        assert_eq!(said.code, 1, "{said:#?}");
        assert!(
            said.err.contains("error: cannot use this key: it is "),
            "{said:#?}"
        );
        assert!(
            !said.err.contains(CANARY) && !said.out.contains(CANARY),
            "{said:#?}"
        );
    }
    let said = api.run(&["access", "add", "shop", "/nowhere/id.pub"]);
    assert!(said.err.contains("cannot read `/nowhere/id.pub`"), "{}", said.err);
    assert!(api.asked().is_empty());
}

#[test]
fn whoever_may_work_on_one_project_alone_need_not_name_it() {
    let api = Api::start();
    api.on(
        "GET",
        "caller",
        Reply::json(json!({ "known_by": "token", "name": "ci", "role": "developer", "project": "shop" })),
    );
    let environment = json!({ "project": "shop", "name": "production", "url": "http://shop.localhost", "hosts": [],
        "state": "never_deployed", "release": null, "deployment": null, "processes": {}, "ports": {} });
    api.on(
        "GET",
        "projects/shop",
        Reply::json(
            json!({ "name": "shop", "created_at": "2026-01-01T00:00:00Z", "environments": [environment] }),
        ),
    )
    .on("GET", "projects/shop/keys", Reply::json(json!([])))
    .on(
        "GET",
        "projects/shop/environments/production/releases",
        Reply::json(json!([])),
    )
    .on(
        "GET",
        "projects/shop/environments/production/variables",
        Reply::json(json!([])),
    );
    let run = |arguments: &[&str]| {
        let mut command = api.command(arguments);
        command.env("HOSTKIT_TOKEN", "hk_ci");
        crate::api::Said::of(command.output().unwrap())
    };
    for arguments in [
        &["releases"][..],
        &["env", "list"],
        &["access", "list"],
        &["project", "show"],
    ] {
        run(arguments).ok();
    }
    for arguments in [&["status"][..], &["project", "list"]] {
        let said = run(arguments).ok();
        assert!(said.out.contains("http://shop.localhost"), "{}", said.out);
    }
    assert_eq!(run(&["status", "--json"]).ok().json()["project"], "shop");
    // A manifest says more than a token does.
    api.write("hostkit.toml", "name = \"blog\"\n");
    let said = run(&["releases"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("projects/blog"), "{}", said.err);
}
