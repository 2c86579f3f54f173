//! The front door over real sockets: files.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use crate::support::*;

fn site(folder: &Path) {
    for (name, text) in [
        ("index.html", "<h1>home</h1>"),
        ("docs/index.html", "docs"),
        ("a b.txt", "spaced"),
        ("assets/app-1a2b.js", "js"),
        (".env", "SECRET=canary"),
        (".git/config", "canary"),
        (".well-known/security.txt", "contact"),
        ("empty.txt", ""),
        ("../outside.txt", "canary"),
        ("../site-2/x.txt", "canary"),
    ] {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    fs::create_dir_all(folder.join("bare")).unwrap();
    fs::write(
        folder.join("big.bin"),
        (0..1_000_000u32).map(|n| n as u8).collect::<Vec<_>>(),
    )
    .unwrap();
    symlink("../outside.txt", folder.join("leak.txt")).unwrap();
    symlink("/etc/passwd", folder.join("passwd")).unwrap();
    symlink("..", folder.join("up")).unwrap();
    symlink("docs/index.html", folder.join("inside.html")).unwrap();
}

fn door(single_page: bool, change: impl FnOnce(&Path)) -> Door {
    let door = Door::start();
    let root = door.folder.path().join("data/site");
    fs::create_dir_all(&root).unwrap();
    site(&root);
    change(&root);
    door.apply(vec![files("shop", root, single_page)]);
    door
}

fn get(door: &Door, path: &str, headers: &str) -> Answer {
    door.send(format!(
        "GET {path} HTTP/1.1\r\nHost: shop.localhost\r\n{headers}\r\n"
    ))
}

#[test]
fn files_are_served_with_what_browsers_need() {
    let door = door(false, |_| ());
    let home = get(&door, "/?utm=1", "");
    assert_eq!((home.status, home.text().as_str()), (200, "<h1>home</h1>"));
    assert_eq!(home.header("content-type"), Some("text/html; charset=utf-8"));
    assert_eq!(
        home.header("cache-control"),
        Some("public, max-age=0, must-revalidate")
    );
    assert_eq!(home.header("x-hostkit-release"), Some("20260101-120000"));
    assert!(home.header("last-modified").is_some());
    let tag = home.header("etag").unwrap().to_owned();
    assert!(tag.starts_with("\"20260101-120000-"));
    let same = get(&door, "/", &format!("If-None-Match: \"x\", W/{tag}\r\n"));
    assert_eq!(
        (same.status, same.body.len(), same.header("etag")),
        (304, 0, Some(tag.as_str()))
    );
    let since = get(
        &door,
        "/",
        &format!("If-Modified-Since: {}\r\n", home.header("last-modified").unwrap()),
    );
    assert_eq!(since.status, 304);
    let hashed = get(&door, "/assets/app-1a2b.js", "");
    assert_eq!(
        hashed.header("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
    assert_eq!(
        hashed.header("content-type"),
        Some("text/javascript; charset=utf-8")
    );
    assert_eq!(get(&door, "/a%20b.txt", "").text(), "spaced");
    let folder = get(&door, "/docs/", "");
    assert_eq!(
        (folder.text().as_str(), folder.header("content-type")),
        ("docs", Some("text/html; charset=utf-8"))
    );
    assert_eq!(get(&door, "/inside.html", "").text(), "docs");
    assert_eq!(get(&door, "/.well-known/security.txt", "").text(), "contact");
    let empty = get(&door, "/empty.txt", "");
    assert_eq!((empty.status, empty.header("content-length")), (200, Some("0")));
    let moved = get(&door, "/docs?a=b", "");
    assert_eq!(
        (moved.status, moved.header("location")),
        (301, Some("./docs/?a=b"))
    );
    let head = door.send("HEAD /big.bin HTTP/1.1\r\nHost: shop.localhost\r\n\r\n");
    assert_eq!(
        (head.status, head.header("content-length")),
        (200, Some("1000000"))
    );
    let posted = door.send("POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 0\r\n\r\n");
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
}

#[test]
fn large_files_and_their_parts() {
    let door = door(false, |_| ());
    let all: Vec<u8> = (0..1_000_000u32).map(|n| n as u8).collect();
    let whole = get(&door, "/big.bin", "");
    assert!(whole.body == all);
    let part = get(&door, "/big.bin", "Range: bytes=500000-899999\r\n");
    assert_eq!(
        (part.status, part.header("content-range")),
        (206, Some("bytes 500000-899999/1000000"))
    );
    assert!(part.body == all[500_000..900_000]);
    let tail = get(&door, "/big.bin", "Range: bytes=-5\r\n");
    assert_eq!(tail.body, &all[999_995..]);
    let beyond = get(&door, "/big.bin", "Range: bytes=1000000-\r\n");
    assert_eq!(
        (beyond.status, beyond.header("content-range")),
        (416, Some("bytes */1000000"))
    );
    let stale = get(&door, "/big.bin", "Range: bytes=0-4\r\nIf-Range: \"old\"\r\n");
    assert_eq!((stale.status, stale.body.len()), (200, 1_000_000));
    let fresh = format!(
        "Range: bytes=0-4\r\nIf-Range: {}\r\n",
        whole.header("etag").unwrap()
    );
    assert_eq!(get(&door, "/big.bin", &fresh).status, 206);
}

#[test]
fn nothing_hidden_and_nothing_outside_is_served() {
    let door = door(false, |_| ());
    for path in [
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/docs/../.env",
        "/../outside.txt",
        "/%2e%2e/outside.txt",
        "/..%2foutside.txt",
        "/docs/%2e%2e/%2e%2e/outside.txt",
        "/..%5coutside.txt",
        "/leak.txt",
        "/passwd",
        "/up/outside.txt",
        "/up/site-2/x.txt",
        "/../site-2/x.txt",
        "/index.html%00",
        "/bare",
        "/bare/",
        "/missing",
        "/index.html/",
        "/index.html/x",
        "//index.html",
        "/.well-known/../.env",
    ] {
        let answer = get(&door, path, "");
        assert_eq!(answer.status, 404, "{path}");
        assert!(
            !answer.text().contains("canary") && !answer.text().contains("root:"),
            "{path}"
        );
    }
}

#[test]
fn what_is_missing_is_answered_by_the_sites_own_page_or_its_app() {
    let own = door(false, |root| {
        fs::write(root.join("404.html"), "own page").unwrap()
    });
    for path in ["/missing", "/.env"] {
        let answer = get(&own, path, "");
        assert_eq!((answer.status, answer.text().as_str()), (404, "own page"));
        assert_eq!(answer.header("etag"), None);
    }
    let ours = door(false, |_| ());
    assert!(get(&ours, "/missing", "").text().contains("Page not found"));
    let app = door(true, |_| ());
    let deep = get(&app, "/orders/17", "");
    assert_eq!((deep.status, deep.text().as_str()), (200, "<h1>home</h1>"));
    assert_eq!(get(&app, "/assets/missing.js", "").status, 404);
    assert_eq!(get(&app, "/.env", "").status, 404);
}

#[test]
fn a_release_whose_files_are_gone_says_so() {
    let door = Door::start();
    let root = door.folder.path().join("late");
    door.apply(vec![files("shop", root.clone(), false)]);
    let gone = get(&door, "/", "");
    assert_eq!(gone.status, 503);
    assert!(!gone.text().contains("late"), "{}", gone.text());
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("index.html"), "here").unwrap();
    assert_eq!(get(&door, "/", "").text(), "here");
}

#[test]
fn a_file_asked_for_again_is_whole_and_a_changed_one_is_seen() {
    let door = door(false, |_| ());
    let root = door.folder.path().join("data/site");
    let first = get(&door, "/", "");
    let again = get(&door, "/", "");
    assert_eq!(
        (again.text(), again.header("etag"), again.header("last-modified")),
        (first.text(), first.header("etag"), first.header("last-modified"))
    );
    let part = get(&door, "/", "Range: bytes=4-7\r\n");
    assert_eq!((part.status, part.text().as_str()), (206, "home"));
    let head = door.send("HEAD / HTTP/1.1\r\nHost: shop.localhost\r\n\r\n");
    assert_eq!((head.status, head.header("content-length")), (200, Some("13")));
    fs::write(root.join("index.html"), "changed").unwrap();
    until("the change is seen", || get(&door, "/", "").text() == "changed");
    fs::remove_file(root.join("index.html")).unwrap();
    until("the loss is seen", || get(&door, "/", "").status == 404);
}

/// A site with forms made in advance, and without.
fn forms(root: &Path) {
    let text = "body { color: red } ".repeat(500);
    for (name, content) in [
        ("made.js", text.as_bytes()),
        ("made.js.br", b"in br"),
        ("made.js.gz", b"in gzip"),
        ("tiny.css", b"a{}"),
        ("tiny.css.zst", b"in zstd"),
        ("plain.css", text.as_bytes()),
        ("long.svg", text.repeat(20).as_bytes()),
        ("photo.png", text.as_bytes()),
        ("photo.png.br", b"never"),
        ("docs/index.html", text.as_bytes()),
        ("404.html", text.as_bytes()),
        ("only.js.br", b"no such file without its ending"),
    ] {
        fs::write(root.join(name), content).unwrap();
    }
    symlink("../outside.txt", root.join("plain.css.br")).unwrap();
}

#[test]
fn forms_made_with_the_release_are_sent_to_those_who_take_them() {
    let door = door(false, forms);
    let ask = |path: &str, taken: &str| get(&door, path, &format!("Accept-Encoding: {taken}\r\n"));
    for (path, taken, coding, body) in [
        ("/made.js", "gzip, br, zstd", "br", "in br"),
        ("/made.js", "gzip", "gzip", "in gzip"),
        ("/made.js", "gzip;q=1, br;q=0.5", "gzip", "in gzip"),
        ("/made.js", "*", "br", "in br"),
        ("/made.js", "identity;q=0, gzip", "gzip", "in gzip"),
        ("/tiny.css", "zstd, gzip", "zstd", "in zstd"),
    ] {
        let answer = ask(path, taken);
        assert_eq!(
            (answer.header("content-encoding"), answer.text().as_str()),
            (Some(coding), body),
            "{path} for {taken}"
        );
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
        assert_eq!(answer.header("accept-ranges"), Some("bytes"));
        assert!(!answer.header("content-type").unwrap().contains("octet-stream"));
    }
    let (br, gzip, as_it_is) = (
        ask("/made.js", "br"),
        ask("/made.js", "gzip"),
        ask("/made.js", "x"),
    );
    let tags: Vec<&str> = [&br, &gzip, &as_it_is]
        .iter()
        .map(|answer| answer.header("etag").unwrap())
        .collect();
    assert!(
        tags[0] != tags[1] && tags[1] != tags[2] && tags[0] != tags[2],
        "{tags:?}"
    );
    assert_eq!(
        (as_it_is.header("vary"), as_it_is.header("content-encoding")),
        (Some("Accept-Encoding"), None)
    );
    let same = get(
        &door,
        "/made.js",
        &format!("Accept-Encoding: br\r\nIf-None-Match: {}\r\n", tags[0]),
    );
    assert_eq!((same.status, same.header("vary")), (304, Some("Accept-Encoding")));
    let other = get(
        &door,
        "/made.js",
        &format!("Accept-Encoding: gzip\r\nIf-None-Match: {}\r\n", tags[0]),
    );
    assert_eq!((other.status, other.text().as_str()), (200, "in gzip"));
    let part = get(&door, "/made.js", "Accept-Encoding: br\r\nRange: bytes=3-4\r\n");
    assert_eq!(
        (part.status, part.header("content-range"), part.text().as_str()),
        (206, Some("bytes 3-4/5"), "br")
    );
    assert_eq!(part.header("content-encoding"), Some("br"));
    for (path, taken) in [
        ("/tiny.css", "gzip"),
        ("/photo.png", "br"),
        ("/made.js", "br;q=0"),
    ] {
        assert_eq!(ask(path, taken).header("content-encoding"), None, "{path}");
    }
    assert_eq!(get(&door, "/made.js.br", "").text(), "in br");
    assert_eq!(ask("/only.js", "br").status, 404);
}

#[test]
fn text_without_a_form_is_compressed_once() {
    let door = door(false, forms);
    let text = "body { color: red } ".repeat(500);
    for coding in ["br", "gzip", "zstd"] {
        let header = format!("Accept-Encoding: {coding}\r\n");
        for (path, expected, status) in [
            ("/plain.css", text.clone(), 200),
            ("/docs/", text.clone(), 200),
            ("/nothing-here", text.clone(), 404),
            ("/long.svg", text.repeat(20), 200),
        ] {
            let answer = get(&door, path, &header);
            assert_eq!(
                (answer.status, answer.header("content-encoding")),
                (status, Some(coding)),
                "{path}"
            );
            assert!(answer.body.len() < 2000, "{path}");
            assert_eq!(
                crate::compression::plain(coding, &answer.body),
                expected,
                "{path}"
            );
            let again = get(&door, path, &header);
            assert!(again.body == answer.body && again.header("etag") == answer.header("etag"));
        }
    }
    let part = get(
        &door,
        "/plain.css",
        "Accept-Encoding: gzip\r\nRange: bytes=0-9\r\n",
    );
    let whole = get(&door, "/plain.css", "Accept-Encoding: gzip\r\n");
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[..10]));
    assert_eq!(get(&door, "/plain.css", "").text(), text);
    fs::write(door.folder.path().join("data/site/plain.css"), "x".repeat(2000)).unwrap();
    until("the new content is seen in its coding", || {
        let answer = get(&door, "/plain.css", "Accept-Encoding: gzip\r\n");
        crate::compression::plain("gzip", &answer.body) == "x".repeat(2000)
    });
}

#[test]
fn hashed_files_of_earlier_releases_are_there_for_their_pages() {
    let door = door(true, |_| ());
    let root = door.folder.path().join("data/site");
    let earlier: Vec<_> = ["two", "one"].map(|name| door.folder.path().join(name)).into();
    for (folder, name, text) in [
        (&earlier[0], "assets/app-2.js", "two"),
        (&earlier[0], "assets/app-1a2b.js", "never: the live one has it"),
        (&earlier[0], "about.html", "never: it has no hash in its name"),
        (&earlier[1], "assets/app-2.js", "never: a newer one has it"),
        (&earlier[1], "_next/static/one.css", "one"),
        (&earlier[1], "secret.txt", "canary"),
    ] {
        fs::create_dir_all(folder.join(name).parent().unwrap()).unwrap();
        fs::write(folder.join(name), text).unwrap();
    }
    symlink("../secret.txt", earlier[1].join("assets")).ok();
    let mut route = files("shop", root, true);
    route.target = hostkit_core::route::Target::Files {
        root: door.folder.path().join("data/site"),
        single_page: true,
        earlier,
    };
    door.apply(vec![route]);
    assert_eq!(get(&door, "/assets/app-1a2b.js", "").text(), "js");
    let two = get(&door, "/assets/app-2.js", "");
    assert_eq!((two.status, two.text().as_str()), (200, "two"));
    assert_eq!(
        two.header("cache-control"),
        Some("public, max-age=31536000, immutable")
    );
    assert_eq!(get(&door, "/_next/static/one.css", "").text(), "one");
    assert_eq!(get(&door, "/about.html", "").text(), "<h1>home</h1>");
    for path in [
        "/assets/none.js",
        "/assets/../secret.txt",
        "/_next/static/../../secret.txt",
    ] {
        assert_eq!(get(&door, path, "").status, 404, "{path}");
    }
}
