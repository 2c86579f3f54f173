//! Domains on a running installation: live without a deploy, with control dead, proved by the front door itself.

use crate::harness::Installation;
use crate::harness::http;

/// Never looked up: names below `localhost` lead to the machine itself.
const NAME: &str = "www.shop.localhost";

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
