//! `hostkit scan`: no server, no secret in what it prints.

use std::os::unix::fs::symlink;

use serde_json::json;

use crate::api::Api;

/// Something that looks like a key; put together here so that this file has none.
fn key() -> String {
    format!("sk_{}_{}", "live", "4eC39HqLyjWDarjtT1zdp7dc")
}

#[test]
fn what_a_deploy_would_send_is_looked_through() {
    let api = Api::start();
    api.write("src/pay.rb", &format!("a\nStripe.api_key = '{}'\n", key()));
    api.write("ignored/pay.rb", &key());
    api.write("node_modules/x/index.js", &key());
    api.write("tests/pay.rb", &key());
    api.write("allowed.rb", &format!("'{}' # hostkit:allow-secret\n", key()));
    api.write(".gitignore", "ignored/\n");
    api.write(
        "hostkit.toml",
        "[scan]\nsecrets = \"off\"\nignore = [\"tests/\"]\n",
    );
    symlink("src/pay.rb", api.work().join("link.rb")).unwrap();
    std::fs::write(api.work().join("binary"), format!("\0{}", key())).unwrap();
    std::fs::write(api.work().join("large.js"), vec![b'a'; (1 << 20) + 1]).unwrap();
    let said = api.run(&["scan"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert_eq!(
        said.out,
        "src/pay.rb:2  Stripe live key (stripe-live-key)  sk_live_… (32 characters)\n"
    );
    assert!(said.err.contains("1 secret found in "), "{}", said.err);
    assert!(said.err.contains("`large.js` is over 1 MB"), "{}", said.err);
    assert!(!format!("{}{}", said.out, said.err).contains("4eC39HqLyjWDarjtT1zdp7dc"));
    let report = api.run(&["scan", ".", "--json"]).json();
    let finding = json!({
        "path": "src/pay.rb", "line": 2, "rule": "stripe-live-key", "title": "Stripe live key",
        "excerpt": "sk_live_… (32 characters)",
    });
    assert_eq!(report["findings"], json!([finding]));
    assert_eq!(
        (&report["ignored"], &report["too_large"]),
        (&json!(1), &json!(["large.js"]))
    );
    std::fs::remove_dir_all(api.work().join("src")).unwrap();
    std::fs::remove_file(api.work().join("link.rb")).unwrap();
    let said = api.run(&["scan"]).ok();
    assert!(said.err.contains("No secret found"), "{}", said.err);
    assert_eq!(api.asked().len(), 0, "the API was asked");
}

#[test]
fn what_is_no_folder_is_refused() {
    let api = Api::start();
    api.write("file", "x");
    for path in ["file", "nothing"] {
        let said = api.run(&["scan", path]);
        assert_eq!(said.code, 1);
        assert!(said.err.contains("it is no folder"), "{}", said.err);
    }
}
