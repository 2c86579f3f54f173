//! `server setup` and `server check`: what is printed where, and the exit codes.

use serde_json::Value;

use crate::api::Api;

fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).unwrap()
}

#[test]
fn a_setup_tells_each_item_and_its_exit_code_says_what_is_left() {
    let api = Api::start();
    let output = api.command(&["server", "setup"]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(output.stdout.is_empty());
    for part in [
        "packages as it should be",
        "write /etc/sysctl.d/60-hostkit.conf",
        "you would be locked out",
        "root: has no key",
        "hint: on your own computer `ssh-copy-id root@SERVER`",
        "1 item not as it should be: ssh.",
    ] {
        assert!(said.contains(part), "{part}: {said}");
    }
    let fine = api
        .command(&["server", "setup"])
        .env("HOSTKIT_TEST_FINE", "1")
        .output()
        .unwrap();
    assert_eq!(fine.status.code(), Some(0));
}

#[test]
fn a_plan_is_data() {
    let api = Api::start();
    let output = api
        .command(&["server", "setup", "--plan"])
        .env("HOSTKIT_TEST_FINE", "1")
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(
        text.contains("    --- /dev/null\n    +++ /etc/sysctl.d/60-hostkit.conf\n    @@ -0,0 +1 @@\n    +vm.swappiness = 20\n"),
        "{text}"
    );
    assert!(
        text.ends_with("1 change would be made. Nothing was done.\n"),
        "{text}"
    );
}

#[test]
fn both_speak_json() {
    let api = Api::start();
    let output = api.command(&["server", "setup", "--json"]).output().unwrap();
    let told = json(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(told["changes"], 1);
    assert_eq!(told["items"][1]["outcome"], "changed");
    assert_eq!(told["items"][2]["failure"]["kind"], "conflict");
    let output = api.command(&["server", "check", "--json"]).output().unwrap();
    let told = json(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(told["ok"], false);
    assert_eq!(told["items"][2]["state"], "drift");
    assert_eq!(told["items"][2]["fix"], "hostkit server setup");
}

#[test]
fn a_check_names_state_finding_and_fix() {
    let api = Api::start();
    let output = api.command(&["server", "check"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1));
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    assert_eq!(lines[0], "ok        time        time sync");
    assert_eq!(lines[1], "not here  swap        swap");
    assert_eq!(lines[2], "drift     ssh         SSH by keys only");
    assert!(
        lines[3].ends_with("PasswordAuthentication is `yes` by /etc/ssh/x.conf line 1"),
        "{text:?}"
    );
    assert_eq!(lines[4].trim_start(), "fix: hostkit server setup");
    assert_eq!(lines[5], "missing   logs        log files");
    let fine = api
        .command(&["server", "check"])
        .env("HOSTKIT_TEST_FINE", "1")
        .output()
        .unwrap();
    assert_eq!(fine.status.code(), Some(0));
}

#[test]
fn it_is_about_the_machine_one_is_on() {
    let api = Api::start();
    let output = api
        .command(&["server", "check", "--url", "http://127.0.0.1:1"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(64));
}

#[test]
fn isolation_is_told_attempt_by_attempt_and_the_exit_code_says_whether_it_holds() {
    let api = Api::start();
    let arguments = ["doctor", "isolation", "shop", "blog"];
    let output = api.command(&arguments).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{said}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines,
        [
            "ok    home            cannot list /home/blog",
            "open  variables       can read /home/blog/.env",
            "-     process         did not try to reach its processes: nothing of it runs",
        ]
    );
    assert!(
        said.contains("`blog` is not kept apart from `shop`: 1 attempt of 2 succeeded."),
        "{said}"
    );
    let fine = api
        .command(&arguments)
        .env("HOSTKIT_TEST_FINE", "1")
        .output()
        .unwrap();
    assert_eq!(fine.status.code(), Some(0));
    assert!(
        String::from_utf8_lossy(&fine.stderr).contains("`shop` was refused all of 2 attempts at `blog`.")
    );
    let output = api
        .command(&[&arguments[..], &["--json"]].concat())
        .output()
        .unwrap();
    let told = json(&output.stdout);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!((&told["from"], &told["to"]), (&"shop".into(), &"blog".into()));
    assert_eq!(told["attempts"][1]["outcome"], "succeeded");
    assert_eq!(told["attempts"][2]["why"], "nothing of it runs");
    for hostile in ["../blog", "-x", "b\u{1b}[2J"] {
        let output = api
            .command(&["doctor", "isolation", "shop", "--", hostile])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(64), "{hostile:?}");
    }
}
