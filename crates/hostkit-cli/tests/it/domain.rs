//! `domain` and `nginx add`: what is asked of the API, and what is said of the answers.

use serde_json::{Value, json};

use crate::api::{Api, Reply};

const DOMAINS: &str = "projects/shop/environments/production/domains";
const CHECK: &str = "projects/shop/environments/production/domains/www.example.com/check";

fn domain(source: &str) -> Value {
    let added = source == "added";
    json!({
        "host": if added { "www.example.com" } else { "shop.localhost" },
        "source": source,
        "added_at": if added { json!("2025-02-15T12:00:00Z") } else { Value::Null },
        "added_by": if added { json!("ci") } else { Value::Null },
    })
}

fn report(found: &[&str]) -> Value {
    let record = |value: &str| json!({ "type": "A", "name": "www.example.com", "value": value });
    let ok = found == ["9.9.9.9"];
    let problem = match found {
        [] => "`www.example.com` has no address in the DNS",
        _ => "another server than this one answers at 8.8.8.8",
    };
    json!({
        "domain": "www.example.com",
        "ok": ok,
        "dns": if ok { "here" } else if found.is_empty() { "missing" } else { "elsewhere" },
        "found": found,
        "own": ["9.9.9.9"],
        "own_from": "interfaces",
        "set": if ok { json!([]) } else { json!([record("9.9.9.9")]) },
        "remove": if ok || found.is_empty() { json!([]) } else { json!([record(found[0])]) },
        "problems": if ok { json!([]) } else { json!([problem]) },
    })
}

fn api(found: &[&str]) -> Api {
    let api = Api::start();
    let mut added = domain("added");
    added["is_new"] = json!(true);
    api.on("POST", DOMAINS, Reply::json(added))
        .on(
            "GET",
            DOMAINS,
            Reply::json(json!([domain("default"), domain("added")])),
        )
        .on("GET", CHECK, Reply::json(report(found)));
    api
}

#[test]
fn a_domain_is_added_under_both_names_of_the_command() {
    let api = api(&["9.9.9.9"]);
    for said in [
        api.run(&["domain", "add", "WWW.example.com.", "-p", "shop"]),
        api.run(&["nginx", "add", "shop", "www.example.com"]),
    ] {
        let said = said.ok();
        assert_eq!(said.out, "");
        assert!(
            said.err
                .contains("`shop/production` answers www.example.com now."),
            "{}",
            said.err
        );
        assert!(
            said.err.contains("Visitors of www.example.com arrive here."),
            "{}",
            said.err
        );
    }
    let sent = api.asked_for("POST", DOMAINS);
    assert_eq!(sent.len(), 2);
    assert!(
        sent.iter()
            .all(|asked| asked.json() == json!({ "domain": "www.example.com" }))
    );
}

#[test]
fn what_the_dns_does_not_say_yet_is_said_and_no_failure() {
    let api = api(&[]);
    let said = api.run(&["domain", "add", "www.example.com", "-p", "shop"]).ok();
    for words in [
        "visitors of www.example.com do not arrive here yet",
        "set in the DNS: A www.example.com 9.9.9.9",
        "`hostkit domain check www.example.com -p shop`",
    ] {
        assert!(said.err.contains(words), "{words}: {}", said.err);
    }
    let said = api
        .run(&["domain", "add", "www.example.com", "-p", "shop", "--json"])
        .ok();
    assert_eq!(said.json()["check"]["dns"], "missing");
    assert_eq!(said.json()["is_new"], true);
}

#[test]
fn a_check_says_by_its_exit_code_whether_all_is_fine() {
    for (found, code, words) in [
        (
            &["9.9.9.9"][..],
            0,
            "fine     www.example.com: visitors arrive here",
        ),
        (&["8.8.8.8"], 1, "remove in the DNS: A www.example.com 8.8.8.8"),
        (&[], 1, "problem  www.example.com: visitors do not arrive here"),
    ] {
        let api = api(found);
        for line in [
            &["domain", "check", "-p", "shop"][..],
            &["domain", "check", "www.example.com", "-p", "shop"],
        ] {
            let said = api.run(line);
            assert_eq!(said.code, code, "{said:#?}");
            assert!(said.out.contains(words), "{}", said.out);
        }
        let said = api.run(&["domain", "check", "www.example.com", "-p", "shop", "--json"]);
        assert_eq!((said.code, &said.json()["ok"]), (code, &json!(code == 0)));
    }
}

#[test]
fn domains_are_listed_with_where_they_come_from_and_taken_away() {
    let api = api(&[]);
    let one = format!("{DOMAINS}/www.example.com");
    api.on("DELETE", &one, Reply::Text(String::new()));
    let said = api.run(&["domain", "list", "-p", "shop"]).ok();
    let lines: Vec<&str> = said.out.lines().collect();
    assert!(
        lines[0].starts_with("DOMAIN") && lines[1].contains("default"),
        "{}",
        said.out
    );
    assert!(
        lines[2].starts_with("www.example.com  added") && lines[2].ends_with("ci"),
        "{}",
        said.out
    );
    let said = api
        .run(&["domain", "remove", "www.example.com", "-p", "shop"])
        .ok();
    assert!(
        said.err.contains("does not answer www.example.com any more"),
        "{}",
        said.err
    );
    assert_eq!(api.asked_for("DELETE", &one).len(), 1);
}

#[test]
fn what_is_no_domain_is_sent_nowhere() {
    let api = api(&[]);
    for (name, why) in [
        ("*.com", "needs a dot"),
        ("127.0.0.1", "ends with a number"),
        ("http://a.example", "not a valid host name"),
    ] {
        let said = api.run(&["domain", "add", name, "-p", "shop"]);
        assert_eq!(said.code, 64, "{said:#?}");
        assert!(said.err.contains(why), "{}", said.err);
    }
    assert!(api.asked_for("POST", DOMAINS).is_empty());
}
