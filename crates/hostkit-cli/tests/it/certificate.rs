//! `cert`: what is asked of the API, and what is said of the answers.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::api::{Api, Reply};

const CERTIFICATES: &str = "certificates";

fn api() -> Api {
    let api = Api::start();
    let listed = json!([
        { "name": "shop.localhost", "source": "local", "issuer": "HostKit local authority", "not_after": "2026-05-01T10:00:00Z", "state": "served" },
        { "name": "*.example.com", "source": "acme", "state": "pending",
          "trouble": { "why": "the DNS leads elsewhere\u{1b}[31m", "next": "2026-03-01T10:00:00Z" } },
        { "name": "www.example.com", "source": "acme", "state": "failed", "trouble": { "why": "refused" } },
    ]);
    api.on("GET", CERTIFICATES, Reply::json(listed))
        .on(
            "POST",
            CERTIFICATES,
            Reply::json(json!({ "names": ["shop.example.com", "*.shop.example.com"] })),
        )
        .on(
            "POST",
            "certificates/shop.example.com/renew",
            Reply::Text(String::new()),
        )
        .on("DELETE", "certificates/*.example.com", Reply::Text(String::new()));
    api
}

#[test]
fn certificates_are_listed_with_what_is_wrong_below() {
    let api = api();
    let said = api.run(&["cert", "list"]).ok();
    let expected = "\
NAME             SOURCE  ISSUER                   UNTIL       STATE
shop.localhost   local   HostKit local authority  2026-05-01  served
*.example.com    acme    -                        -           pending
  the DNS leads elsewhere [31m; tried again at 2026-03-01 10:00 UTC
www.example.com  acme    -                        -           failed
  refused; not tried again by itself
";
    assert_eq!(said.out, expected);
    let said = api.run(&["cert", "list", "--json"]).ok();
    assert_eq!(said.json()[2]["state"], "failed");
    let api = Api::start();
    api.on("GET", CERTIFICATES, Reply::json(json!([])));
    let said = api.run(&["cert", "list"]).ok();
    assert!(
        said.out.is_empty() && said.err.contains("There is no certificate yet."),
        "{said:#?}"
    );
}

#[test]
fn two_files_are_sent_and_a_key_that_others_may_read_is_told() {
    let api = api();
    api.write("chain.pem", "CHAIN");
    api.write("key.pem", "KEY");
    let key = api.work().join("key.pem");
    for (mode, warns) in [(0o600, false), (0o640, true), (0o604, true)] {
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(mode)).unwrap();
        let said = api.run(&["cert", "import", "chain.pem", "key.pem"]).ok();
        assert_eq!(said.err.contains("chmod 600"), warns, "{mode:o}: {}", said.err);
        let told = "The certificate is shown for shop.example.com, *.shop.example.com from now on.";
        assert!(said.err.contains(told), "{}", said.err);
        assert!(!said.err.contains("KEY"), "{}", said.err);
    }
    let sent = api.asked_for("POST", CERTIFICATES);
    assert_eq!(sent.len(), 3);
    assert_eq!(sent[0].json(), json!({ "chain": "CHAIN", "key": "KEY" }));
    let said = api
        .run(&["cert", "import", "chain.pem", "key.pem", "--json"])
        .ok();
    assert_eq!(said.json()["names"][0], "shop.example.com");
}

#[test]
fn what_cannot_be_read_is_sent_nowhere() {
    let api = api();
    api.write("chain.pem", "CHAIN");
    api.write("long.pem", &"x".repeat(300 << 10));
    for (chain, key, words) in [
        ("chain.pem", "nothing.pem", "cannot read the key `nothing.pem`"),
        (".", "chain.pem", "cannot read the certificate `.`"),
        ("long.pem", "chain.pem", "it is too large"),
    ] {
        let said = api.run(&["cert", "import", chain, key]);
        assert_eq!(said.code, 1, "{said:#?}");
        assert!(said.err.contains(words), "{}", said.err);
    }
    for name in ["../x", "*", "a b", "SHOP/../.."] {
        assert_eq!(api.run(&["cert", "remove", name]).code, 64, "{name}");
    }
    assert!(api.asked().is_empty());
}

#[test]
fn one_is_renewed_and_one_is_removed() {
    let api = api();
    let said = api.run(&["cert", "renew", "shop.example.com"]).ok();
    assert!(said.err.contains("is ordered now"), "{}", said.err);
    let said = api.run(&["cert", "remove", "*.example.com"]).ok();
    assert!(said.err.contains("is not shown any more"), "{}", said.err);
    let said = api.run(&["cert", "remove", "*.example.com", "--json"]).ok();
    assert_eq!(said.json()["removed"], "*.example.com");
}
