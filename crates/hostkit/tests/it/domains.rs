//! Domains on a running installation: live without a deploy, with control dead, proved by the front door itself.

use crate::harness::{Installation, http, wait_until};

/// Never looked up: names below `localhost` lead to the machine itself.
const NAME: &str = "www.shop.localhost";

#[test]
fn a_wildcard_is_answered_over_tls_for_every_name_of_one_label() {
    let host = Installation::start_tls();
    let site = host.sources().join("shop");
    std::fs::create_dir_all(&site).unwrap();
    std::fs::write(site.join("index.html"), "hello").unwrap();
    host.deploy("shop", &site).ok();
    let added = host
        .run(&["domain", "add", "*.shop.localhost", "-p", "shop", "--json"])
        .ok()
        .json();
    assert_eq!(added["check"]["ok"], true, "{added}");
    let certificate = host.data().join("proxy/certificates/authority/ca.pem");
    let port = host.https.unwrap();
    let ask = |name: &str| {
        let output = std::process::Command::new("curl")
            .args(["--silent", "--show-error", "--max-time", "60", "--cacert"])
            .arg(&certificate)
            .args(["--resolve", &format!("{name}:{port}:127.0.0.1")])
            .arg(format!("https://{name}:{port}/"))
            .output()
            .unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    // The certificate is of our own authority, and is made within a moment.
    wait_until("it is answered and trusted", || {
        ask("a.shop.localhost") == "hello"
    });
    assert_eq!(ask("b-2.shop.localhost"), "hello");
    assert_ne!(ask("a.b.shop.localhost"), "hello");
    let checked = host
        .run(&["domain", "check", "*.shop.localhost", "-p", "shop"])
        .ok();
    assert!(
        checked.out.contains("*.shop.localhost: visitors arrive here"),
        "{checked:?}"
    );
    host.run(&["project", "create", "blog"]).ok();
    let refused = host
        .run(&["domain", "add", "x.shop.localhost", "-p", "blog"])
        .failed();
    assert!(
        refused.err.contains("below a wildcard that another project has"),
        "{refused:?}"
    );
    host.run(&["domain", "remove", "*.shop.localhost", "-p", "shop"])
        .ok();
    assert_ne!(ask("a.shop.localhost"), "hello");
}

#[test]
fn a_domain_is_live_at_once_and_stays_until_it_is_removed() {
    let host = Installation::start();
    let site = host.sources().join("shop");
    std::fs::create_dir_all(&site).unwrap();
    std::fs::write(site.join("index.html"), "hello").unwrap();
    host.deploy("shop", &site).ok();
    assert_eq!(http::get(host.http, NAME, "/").status, 404);
    let added = host
        .run(&["domain", "add", NAME, "-p", "shop", "--json"])
        .ok()
        .json();
    assert_eq!(http::get(host.http, NAME, "/").body, "hello");
    assert_eq!(added["check"]["ok"], true, "{added}");
    assert_eq!(added["check"]["found"][0], "127.0.0.1");
    // Nothing of the proof is left: its path is the site's own again.
    let proof = http::get(host.http, NAME, "/.well-known/hostkit-check/");
    assert_eq!(proof.status, 404);
    host.kill("control");
    assert_eq!(http::get(host.http, NAME, "/").body, "hello");
    host.wait_for_control();
    let listed = host.run(&["domain", "list", "-p", "shop", "--json"]).ok().json();
    assert_eq!(
        (&listed[1]["host"], &listed[1]["source"]),
        (&NAME.into(), &"added".into())
    );
    // Another project does not get it, by a command or by a deploy.
    host.run(&["project", "create", "blog"]).ok();
    let refused = host.run(&["domain", "add", NAME, "-p", "blog"]).failed();
    assert!(refused.err.contains("taken by another project"), "{refused:?}");
    std::fs::write(site.join("hostkit.toml"), format!("hosts = [{NAME:?}]")).unwrap();
    let refused = host.deploy("blog", &site).failed();
    assert!(refused.all().contains("taken by another project"), "{refused:?}");
    host.run(&["domain", "remove", NAME, "-p", "shop"]).ok();
    assert_eq!(http::get(host.http, NAME, "/").status, 404);
    let unknown = host.run(&["domain", "check", NAME, "-p", "shop"]).failed();
    assert!(unknown.err.contains("none of the domains"), "{unknown:?}");
    let events = host.run(&["events", "--project", "shop"]).ok().out;
    assert!(events.contains("domain www.shop.localhost added by"), "{events}");
    assert!(
        events.contains("domain www.shop.localhost removed by"),
        "{events}"
    );
}

#[test]
fn a_wildcard_of_the_manifest_is_answered_while_its_release_is_live() {
    let host = Installation::start();
    let site = host.sources().join("shop");
    std::fs::create_dir_all(&site).unwrap();
    std::fs::write(site.join("index.html"), "hello").unwrap();
    std::fs::write(site.join("hostkit.toml"), "hosts = [\"*.shop.localhost\"]\n").unwrap();
    host.deploy("shop", &site).ok();
    assert_eq!(http::get(host.http, "a.shop.localhost", "/").body, "hello");
    assert_eq!(http::get(host.http, "a.b.shop.localhost", "/").status, 404);
    let listed = host.run(&["domain", "list", "-p", "shop", "--json"]).ok().json();
    assert_eq!(
        (&listed[1]["host"], &listed[1]["source"]),
        (&"*.shop.localhost".into(), &"manifest".into())
    );
    // Nobody else gets a name below it, by a manifest either.
    let blog = host.sources().join("blog");
    std::fs::create_dir_all(&blog).unwrap();
    std::fs::write(blog.join("index.html"), "mine").unwrap();
    std::fs::write(blog.join("hostkit.toml"), "hosts = [\"a.shop.localhost\"]\n").unwrap();
    let refused = host.deploy("blog", &blog).failed();
    assert!(
        refused
            .all()
            .contains("below a wildcard that another project has"),
        "{refused:?}"
    );
    std::fs::remove_file(site.join("hostkit.toml")).unwrap();
    host.deploy("shop", &site).ok();
    assert_eq!(http::get(host.http, "a.shop.localhost", "/").status, 404);
}
