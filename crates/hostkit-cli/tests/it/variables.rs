//! `hostkit env`: exact to the byte, and no value where none was asked for.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::api::{Api, Reply};

const PATH: &str = "projects/shop/environments/production/variables";

fn api() -> Api {
    let api = Api::start();
    api.write("hostkit.toml", "name = \"shop\"\n");
    api.on("PATCH", PATH, Reply::Json(204, json!(null)))
        .on(
            "GET",
            PATH,
            Reply::json(json!([{ "name": "OLD", "updated_at": "2026-01-01T00:00:00Z" }])),
        )
        .on(
            "GET",
            &format!("{PATH}/KEY"),
            Reply::json(json!({ "name": "KEY", "value": "canary-value" })),
        )
        .on(
            "POST",
            &format!("{PATH}/export"),
            Reply::Text("KEY='canary-value'\n".into()),
        );
    api
}

#[test]
fn values_arrive_as_they_were_typed() {
    let api = api();
    let said = api.run(&["env", "set", "A=1", "B=a=b $X \"'\\", "C="]).ok();
    let asked = api.asked_for("PATCH", PATH).remove(0).json();
    assert_eq!(
        asked,
        json!({ "set": { "A": "1", "B": "a=b $X \"'\\", "C": "" }, "unset": [] })
    );
    assert!(
        said.err.contains("Set `A`, `B`, `C`") && said.err.contains("hostkit env apply"),
        "{}",
        said.err
    );
    assert!(!said.err.contains("$X"), "{}", said.err);
    api.run(&["env", "unset", "A", "B"]).ok();
    assert_eq!(
        api.asked_for("PATCH", PATH)[1].json(),
        json!({ "set": {}, "unset": ["A", "B"] })
    );
}

#[test]
fn a_value_from_stdin_loses_one_line_end_and_nothing_else() {
    let api = api();
    for (arguments, input, value) in [
        (["env", "set", "K", "-"], "secret\n", "secret"),
        (["env", "set", "K", "-"], " two\nlines \n\n", " two\nlines \n"),
        (["env", "set", "--stdin", "K"], "no end", "no end"),
        (["env", "set", "--stdin", "K"], "", ""),
    ] {
        api.run_with_input(&arguments, input).ok();
        assert_eq!(
            api.asked_for("PATCH", PATH).last().unwrap().json()["set"]["K"],
            value,
            "{input:?}"
        );
    }
}

#[test]
fn wrong_words_are_refused_without_repeating_them() {
    let api = api();
    let said = api.run(&["env", "set", "s3cr3t-without-name"]);
    assert_eq!(said.code, 64);
    assert!(!said.err.contains("s3cr3t"), "{}", said.err);
    assert_eq!(api.run(&["env", "set", "1A=x"]).code, 1);
    assert_eq!(api.run(&["env", "set", "--stdin", "A", "B"]).code, 64);
    assert!(api.asked().is_empty());
}

#[test]
fn names_are_listed_and_one_value_is_shown_when_asked_for() {
    let api = api();
    let said = api.run(&["env", "list"]).ok();
    assert!(
        said.out.contains("OLD") && !said.out.contains("canary"),
        "{}",
        said.out
    );
    assert_eq!(api.run(&["env", "get", "KEY"]).ok().out, "canary-value\n");
    assert_eq!(
        api.run(&["env", "get", "KEY", "--json"]).ok().json()["value"],
        "canary-value"
    );
}

#[test]
fn files_go_in_and_out() {
    let api = api();
    api.write("in.env", "# comment\nexport A=1\nB='two words'\n");
    let said = api.run(&["env", "import", "in.env"]).ok();
    assert_eq!(
        api.asked_for("PATCH", PATH)[0].json(),
        json!({ "set": { "A": "1", "B": "two words" }, "unset": [] })
    );
    assert!(!said.err.contains("two words"));
    api.run_with_input(&["env", "import", "-", "--replace"], "A=1\n")
        .ok();
    assert_eq!(
        api.asked_for("PATCH", PATH)[1].json(),
        json!({ "set": { "A": "1" }, "unset": ["OLD"] })
    );
    api.write("bad.env", "A=1\nnot a line\n");
    let said = api.run(&["env", "import", "bad.env"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("bad.env:2:"), "{}", said.err);

    assert_eq!(api.run(&["env", "export"]).ok().out, "KEY='canary-value'\n");
    assert_eq!(
        api.run(&["env", "export", "--json"]).ok().json(),
        json!({ "KEY": "canary-value" })
    );
    let said = api.run(&["env", "export", "out.env"]).ok();
    assert!(!said.err.contains("canary") && said.out.is_empty());
    let file = api.work().join("out.env");
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "KEY='canary-value'\n");
    let said = api.run(&["env", "export", "out.env"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("--force"), "{}", said.err);
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    api.run(&["env", "export", "out.env", "--force"]).ok();
    assert_eq!(
        std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
        0o600
    );
}
