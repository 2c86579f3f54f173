//! `trust`: what is printed where, and the exit codes.

use serde_json::Value;

use crate::api::Api;

#[test]
fn each_place_is_told_with_what_became_of_it_and_the_command_that_mends_it() {
    let api = Api::start();
    let output = api
        .command(&["trust", "--data", "/srv/a b", "--remove"])
        .output()
        .unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    for part in [
        "removed    Chromium    /home/a/.pki/nssdb\n",
        "not done   the system  /usr/local/x.crt\n",
        "only root may change it\n",
        "fix: sudo hostkit trust --remove --data '/srv/a b'\n",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let fine = api
        .command(&["trust", "--json"])
        .env("HOSTKIT_TEST_FINE", "1")
        .output()
        .unwrap();
    assert_eq!(fine.status.code(), Some(0));
    let report: Value = serde_json::from_slice(&fine.stdout).unwrap();
    assert_eq!(report["places"][0]["outcome"], "added");
    assert_eq!(report["places"][0].get("fix"), None);
}

#[test]
fn the_certificate_is_printed_for_a_script_and_nothing_is_changed() {
    let api = Api::start();
    let run = |more: &[&str]| {
        let arguments = [&["trust", "--print", "--data", "/srv/x"], more].concat();
        let output = api.command(&arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(0));
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(run(&[]), "/srv/x/ca.pem\n");
    assert_eq!(run(&["--json"]), "{\"certificate\":\"/srv/x/ca.pem\"}\n");
    let both = api.command(&["trust", "--print", "--remove"]).output().unwrap();
    assert_eq!(both.status.code(), Some(64));
    let elsewhere = api
        .command(&["trust", "--url", "http://127.0.0.1:1"])
        .output()
        .unwrap();
    assert_eq!(elsewhere.status.code(), Some(64));
}
