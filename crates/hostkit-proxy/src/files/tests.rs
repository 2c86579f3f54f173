use super::conditions::Part;
use super::path::wanted;
use super::*;

#[test]
fn paths_that_no_file_may_answer() {
    for path in [
        "/../etc/passwd",
        "/a/../../b",
        "/%2e%2e/secret",
        "/%2e%2e%2fsecret",
        "/a/%2E./b",
        "/.env",
        "/%2eenv",
        "/.git/config",
        "/a/.hidden",
        "/a//b",
        "//etc/passwd",
        "/a%00.html",
        "/a%5c..%5cb",
        "/a\\b",
        "/./a",
        "/a/.",
        "/.well-known/../x",
        "/.well-known/.env",
        "/a/.well-known/x",
        "*",
        "",
    ] {
        assert_eq!(wanted(path), None, "{path}");
    }
}

#[test]
fn paths_to_files_and_folders() {
    let file = |path: &str| {
        wanted(path)
            .map(|w| (String::from_utf8(w.file).unwrap(), w.is_folder))
            .unwrap()
    };
    assert_eq!(file("/"), (String::new(), true));
    assert_eq!(file("/a/b.html"), ("a/b.html".into(), false));
    assert_eq!(file("/docs/"), ("docs".into(), true));
    assert_eq!(file("/%61%20b"), ("a b".into(), false));
    assert_eq!(file("/.well-known/acme/x"), (".well-known/acme/x".into(), false));
    assert_eq!(wanted("/docs/").unwrap().below("index.html"), b"docs/index.html");
    assert_eq!(wanted("/").unwrap().below("index.html"), b"index.html");
}

#[test]
fn ranges() {
    let validators = Validators {
        tag: HeaderValue::from_static("\"t\""),
        modified: SystemTime::UNIX_EPOCH,
        modified_text: HeaderValue::from_static("x"),
    };
    let range = |text: &str, size| {
        let mut headers = HeaderMap::new();
        headers.insert(header::RANGE, HeaderValue::from_str(text).unwrap());
        conditions::part(&headers, &validators, size)
    };
    for (text, expected) in [
        ("bytes=0-3", Part::Range { from: 0, length: 4 }),
        ("bytes=6-", Part::Range { from: 6, length: 4 }),
        ("bytes=-3", Part::Range { from: 7, length: 3 }),
        ("bytes=-30", Part::Range { from: 0, length: 10 }),
        ("bytes=8-99", Part::Range { from: 8, length: 2 }),
        (
            "bytes=9-99999999999999999999999",
            Part::Range { from: 9, length: 1 },
        ),
        ("bytes=10-", Part::Unsatisfiable),
        ("bytes=10-12", Part::Unsatisfiable),
        ("bytes=-0", Part::Unsatisfiable),
        ("bytes=5-2", Part::Whole),
        ("bytes=a-b", Part::Whole),
        ("bytes=-", Part::Whole),
        ("bytes=1-2,4-5", Part::Whole),
        ("lines=1-2", Part::Whole),
    ] {
        assert_eq!(range(text, 10), expected, "{text}");
    }
    assert_eq!(range("bytes=-5", 0), Part::Unsatisfiable);
}

#[test]
fn content_types_name_the_charset_of_text() {
    for (name, expected) in [
        ("docs/index.html", "text/html; charset=utf-8"),
        ("a.html", "text/html; charset=utf-8"),
        ("x/app.js", "text/javascript; charset=utf-8"),
        ("a.css", "text/css; charset=utf-8"),
        ("a.json", "application/json; charset=utf-8"),
        ("a.svg", "image/svg+xml; charset=utf-8"),
        ("a.txt", "text/plain; charset=utf-8"),
        ("a.png", "image/png"),
        ("a.woff2", "font/woff2"),
        ("a.wasm", "application/wasm"),
        ("LICENSE", "application/octet-stream"),
    ] {
        assert_eq!(
            content_type(name.as_bytes()).to_str().unwrap(),
            expected,
            "{name}"
        );
    }
}
