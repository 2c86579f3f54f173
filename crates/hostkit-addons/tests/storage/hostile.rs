//! Clients that lie, and clients of other projects.

use crate::house::{ACCESS, House, SECRET, went_well};

const CLIENT: &str = include_str!("client.py");

#[test]
fn lies_change_nothing() {
    let house = House::start();
    let script = [CLIENT, include_str!("hostile.py")].concat();
    let output = house
        .python(&script, &[&house.pid().to_string()])
        .output()
        .unwrap();
    assert!(went_well(&output).ends_with("all done\n"));
}

#[test]
fn the_keys_of_one_project_open_nothing_of_another() {
    let (ours, mut theirs) = (House::start(), House::start());
    theirs.kill();
    theirs.settings.keys[0].access = "THEIRKEY".to_owned();
    theirs.begin();
    // Their server, our keys; the same bucket name at both.
    let script = [
        CLIENT,
        "assert b'InvalidAccessKeyId' in put('/shop/a', b'ours')[1]\n\
         assert b'InvalidAccessKeyId' in get('/shop/a')[1]\n\
         assert b'InvalidAccessKeyId' in get('/')[1]\n",
    ]
    .concat();
    went_well(&theirs.python(&script, &[]).output().unwrap());
    // And that this fails without the protection: at our own server, the same is done.
    let allowed = [
        CLIENT,
        "assert put('/shop/a', b'ours')[0] == 200 and get('/')[0] == 200\n",
    ]
    .concat();
    went_well(&ours.python(&allowed, &[]).output().unwrap());
}

#[test]
fn what_whoever_runs_it_asks_is_asked_by_nobody_else() {
    use sha2::{Digest, Sha256};
    let mut house = House::start();
    let ask = |house: &House, token: &str, method: &str, path: &str, body: &str| {
        let address = house.address.unwrap();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {token}\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        hostkit_testkit::http::raw(address.port(), request.as_bytes())
    };
    // Without a token in the settings nobody may, whatever he says.
    for token in ["", "token"] {
        assert_eq!(ask(&house, token, "GET", "/-/state", "").status, 403);
    }
    house.kill();
    let digest = Sha256::digest(b"token");
    house.settings.operator = Some(digest.iter().map(|byte| format!("{byte:02x}")).collect());
    house.begin();
    let digest = house.settings.operator.clone().unwrap();
    for token in ["", "other", SECRET, ACCESS, &digest] {
        assert_eq!(ask(&house, token, "GET", "/-/state", "").status, 403, "{token}");
        assert_eq!(ask(&house, token, "PUT", "/-/rules/shop", "{}").status, 403);
        assert_eq!(ask(&house, token, "GET", "/-/copy", "").status, 403);
        assert_eq!(ask(&house, token, "PUT", "/-/restore", "").status, 403);
    }
    let state = ask(&house, "token", "GET", "/-/state", "");
    assert_eq!(state.status, 200);
    assert!(state.body.contains(&house.settings.digest()) && !state.body.contains(SECRET));
    for (path, body, status) in [
        (
            "/-/rules/shop",
            r#"{"cors":[{"origins":["*"],"methods":["GET"]}]}"#,
            200,
        ),
        (
            "/-/rules/shop",
            r#"{"cors":[{"origins":["*"],"methods":["TRACE"]}]}"#,
            400,
        ),
        (
            "/-/rules/shop",
            r#"{"lifecycle":[{"is_enabled":true,"days":-1}]}"#,
            400,
        ),
        ("/-/rules/shop", "not JSON", 400),
        ("/-/rules/other", "{}", 404),
        ("/-/rules/../shop", "{}", 404),
        ("/-/other", "{}", 404),
        ("/-/copy", "{}", 404),
        ("/-/restore", "{}", 422),
    ] {
        let answer = ask(&house, "token", "PUT", path, body);
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.body);
    }
    // What was refused changed nothing.
    let state = ask(&house, "token", "GET", "/-/state", "").body;
    assert!(
        state.contains(r#""methods":["GET"]"#) && !state.contains("TRACE"),
        "{state}"
    );
}
