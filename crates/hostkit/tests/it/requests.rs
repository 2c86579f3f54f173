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

/// 2 × 1 pixels, red and blue.
const PICTURE: &[u8] = &[
    137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 2, 0, 0, 0, 1, 8, 2, 0, 0, 0, 123,
    64, 232, 221, 0, 0, 0, 13, 73, 68, 65, 84, 120, 156, 99, 248, 207, 0, 4, 255, 1, 7, 0, 1, 255, 226, 35,
    158, 89, 0, 0, 0, 0, 73, 69, 78, 68, 174, 66, 96, 130,
];

#[test]
fn images_of_a_site_are_made_in_other_sizes_by_the_installed_binary() {
    let host = Installation::start();
    let files = [("index.html", "home"), ("hostkit.toml", "[images]\n")];
    let folder = projects::folder(&host.sources(), "pictures", &files);
    std::fs::write(folder.join("a.png"), PICTURE).unwrap();
    host.run(&["deploy", folder.to_str().unwrap(), "--project", "pictures"])
        .ok();
    for result in ["MISS", "HIT"] {
        let made = host.get("pictures", "/_hostkit/image?url=%2Fa.png&w=16");
        assert_eq!(made.status, 200, "{}", made.body);
        assert_eq!(made.header("content-type"), Some("image/png"));
        assert_eq!(made.header("x-hostkit-cache"), Some(result));
    }
    assert_eq!(
        host.get("pictures", "/_hostkit/image?url=%2Fa.png&w=17").status,
        400
    );
    assert_eq!(
        host.get("pictures", "/_hostkit/image?url=%2Findex.html&w=16")
            .status,
        400
    );
}
