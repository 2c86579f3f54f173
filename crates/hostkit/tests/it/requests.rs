//! What becomes of requests, said by a source and done by the front door.

use crate::harness::{Installation, projects};

const VERCEL: &str = r#"{
    "cleanUrls": true,
    "redirects": [{ "source": "/old/:id", "destination": "/new/:id" }],
    "rewrites": [{ "source": "/((?!api/).*)", "destination": "/index.html" }],
    "headers": [{ "source": "/(.*)", "headers": [{ "key": "X-Robots-Tag", "value": "noindex" }] }],
    "functions": {}
}"#;

#[test]
fn a_site_with_a_vercel_json_is_served_by_its_rules() {
    let host = Installation::start();
    let files = [
        ("index.html", "home"),
        ("about.html", "about"),
        ("vercel.json", VERCEL),
    ];
    let folder = projects::folder(&host.sources(), "site", &files);
    let said = host
        .run(&["deploy", folder.to_str().unwrap(), "--project", "site"])
        .ok();
    assert!(
        said.all().contains("`functions` of vercel.json has no effect"),
        "{}",
        said.all()
    );

    let moved = host.get("site", "/old/7?x=1");
    assert_eq!(
        (moved.status, moved.header("location")),
        (308, Some("/new/7?x=1"))
    );
    for (path, body) in [("/about", "about"), ("/deep/link", "home")] {
        let answer = host.get("site", path);
        assert_eq!((answer.status, answer.body.as_str()), (200, body), "{path}");
        assert_eq!(answer.header("x-robots-tag"), Some("noindex"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    }
    assert_eq!(host.get("site", "/api/x").status, 404);
    assert!(
        !host.get("site", "/vercel.json").body.contains("noindex"),
        "the file itself is not served"
    );

    let wrong = [
        ("index.html", "home"),
        ("vercel.json", r#"{ "redirects": [{ "source": "/(" }] }"#),
    ];
    let said = host
        .deploy("site", &projects::folder(&host.sources(), "site", &wrong))
        .failed();
    assert!(said.all().contains("`redirects[0].source`"), "{}", said.all());
    assert_eq!(host.get("site", "/about").body, "about");
}
