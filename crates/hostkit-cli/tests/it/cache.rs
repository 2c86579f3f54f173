//! `hostkit cache`.

use serde_json::json;

use crate::api::{Api, Reply};

const PURGE: &str = "projects/shop/environments/production/cache/purge";

#[test]
fn all_or_a_path_is_taken_out() {
    let api = Api::start();
    api.on("POST", PURGE, Reply::json(json!({ "addresses": 3 })));
    let said = api.run(&["cache", "purge", "-p", "shop"]).ok();
    assert!(said.err.contains("3 addresses"), "{said:?}");
    let said = api.run(&["cache", "purge", "/a*", "-p", "shop", "--json"]).ok();
    assert_eq!(said.json()["addresses"], 3);
    let bodies: Vec<_> = api
        .asked_for("POST", PURGE)
        .iter()
        .map(|asked| asked.json())
        .collect();
    assert_eq!(bodies, [json!({}), json!({ "path": "/a*" })]);
}

#[test]
fn what_is_no_path_is_said() {
    let api = Api::start();
    let refused = Reply::failure(
        422,
        "invalid",
        "cannot purge `a`: it is not a path",
        "begin it with `/`",
    );
    api.on("POST", PURGE, refused);
    let said = api.run(&["cache", "purge", "a", "-p", "shop"]);
    assert!(
        said.code != 0 && said.err.contains("begin it with `/`"),
        "{said:?}"
    );
}
