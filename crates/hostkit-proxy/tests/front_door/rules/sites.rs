//! Rules of static sites.

use std::fs;

use hostkit_core::route::rules::{Rules, Stage};

use super::*;

fn site(rules: Rules) -> (Door, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str| {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, name).unwrap();
    };
    for name in [
        "index.html",
        "about.html",
        "docs/index.html",
        "docs/intro.html",
        "app.js",
    ] {
        write(name);
    }
    let door = Door::start();
    let mut route = files("shop", folder.path().into(), false);
    route.rules = rules;
    assert_eq!(door.apply(vec![route]).put_aside, []);
    (door, folder)
}

fn check(door: &Door, cases: &[(&str, u16, &str)]) {
    for (path, status, wanted) in cases {
        let answer = get(door, path, "");
        let found = match answer.header("location") {
            Some(location) => location.to_owned(),
            None if answer.status == 200 => answer.text(),
            None => String::new(),
        };
        assert_eq!((answer.status, found.as_str()), (*status, *wanted), "{path}");
    }
}

#[test]
fn clean_urls_have_no_extension() {
    let (door, _folder) = site(Rules {
        clean_urls: Some(true),
        ..Rules::default()
    });
    check(
        &door,
        &[
            ("/about", 200, "about.html"),
            ("/about.html", 308, "/about"),
            ("/about.html?x=1", 308, "/about?x=1"),
            ("/docs/intro", 200, "docs/intro.html"),
            ("/index.html", 308, "/"),
            ("/docs/", 200, "docs/index.html"),
            ("/app.js", 200, "app.js"),
            ("/nowhere", 404, ""),
            ("/../about", 404, ""),
            ("//evil.com/x.html", 308, "/evil.com/x"),
        ],
    );
}

#[test]
fn slashes_are_put_behind_or_taken_away() {
    let (door, _folder) = site(Rules {
        clean_urls: Some(true),
        trailing_slash: Some(true),
        ..Rules::default()
    });
    check(
        &door,
        &[
            ("/about", 308, "/about/"),
            ("/about/", 200, "about.html"),
            ("/docs", 308, "/docs/"),
            ("/docs/", 200, "docs/index.html"),
            ("/app.js", 200, "app.js"),
        ],
    );
    let (door, _folder) = site(Rules {
        trailing_slash: Some(false),
        ..Rules::default()
    });
    check(
        &door,
        &[
            ("/docs/", 308, "/docs"),
            ("/docs", 200, "docs/index.html"),
            ("/docs/?x=1", 308, "/docs?x=1"),
            ("/", 200, "index.html"),
            ("//evil.com/", 308, "/evil.com"),
        ],
    );
}

#[test]
fn a_rewrite_is_for_what_no_file_answers_or_for_everything() {
    let (door, _folder) = site(Rules {
        rewrites: vec![
            rewrite("/((?!api/).*)", "/index.html", Stage::AfterFiles),
            rewrite("/app.js", "/about.html", Stage::BeforeFiles),
            rewrite("/secret", "/../../etc/passwd", Stage::BeforeFiles),
        ],
        ..Rules::default()
    });
    check(
        &door,
        &[
            ("/about.html", 200, "about.html"),
            ("/deep/link", 200, "index.html"),
            ("/api/x", 404, ""),
            ("/app.js", 200, "about.html"),
            ("/secret", 404, ""),
        ],
    );
}
