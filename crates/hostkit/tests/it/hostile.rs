//! Input that lies: archives, names, API bodies, HTTP that means two things (ACCEPTANCE S1-S3, S5, S8, S11, S12).

use std::time::{Duration, Instant};

use crate::harness::{Installation, http, projects};

fn archive(entries: &[(&str, tar::EntryType, &str, &[u8])]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, kind, link, content) in entries {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        header.set_entry_type(*kind);
        // Written past the library's own checks, as an attacker would.
        let name = path.as_bytes();
        header.as_old_mut().name[..name.len()].copy_from_slice(name);
        let link = link.as_bytes();
        header.as_old_mut().linkname[..link.len()].copy_from_slice(link);
        header.set_cksum();
        builder.append(&header, *content).unwrap();
    }
    builder.into_inner().unwrap()
}

#[test]
fn hostile_archives_are_refused_and_leave_nothing() {
    use tar::EntryType as T;
    let host = Installation::start();
    host.run(&["project", "create", "shop"]).ok();
    let outside = host.data().parent().unwrap().join("escaped");
    let absolute = outside.to_str().unwrap();
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("absolute path", archive(&[(absolute, T::Regular, "", b"x")])),
        (
            "parent folder",
            archive(&[("../../../../../../escaped", T::Regular, "", b"x")]),
        ),
        (
            "hidden parent folder",
            archive(&[("a/../../escaped", T::Regular, "", b"x")]),
        ),
        ("link out", archive(&[("a", T::Symlink, "../../../../..", b"")])),
        ("absolute link", archive(&[("a", T::Symlink, "/etc/passwd", b"")])),
        (
            "through a link",
            archive(&[
                ("a", T::Symlink, "/tmp", b""),
                ("a/escaped", T::Regular, "", b"x"),
            ]),
        ),
        ("hard link out", archive(&[("a", T::Link, "/etc/passwd", b"")])),
        (
            "hard link up",
            archive(&[("a", T::Link, "../../../../hostkit.db", b"")]),
        ),
        ("device", archive(&[("a", T::Char, "", b"")])),
        ("fifo", archive(&[("a", T::Fifo, "", b"")])),
        (
            "file as folder",
            archive(&[("a", T::Regular, "", b"x"), ("a/b", T::Regular, "", b"x")]),
        ),
        (
            "control character",
            archive(&[("a\u{1b}[31m", T::Regular, "", b"x")]),
        ),
        ("not an archive", b"MZ not at all".repeat(100)),
        (
            "cut off",
            archive(&[("a", T::Regular, "", &[7; 4096])])[..1500].to_vec(),
        ),
    ];
    let file = host.sources().with_extension("tar");
    for (what, bytes) in cases {
        std::fs::write(&file, &bytes).unwrap();
        let said = host
            .run(&["deploy", "--archive", file.to_str().unwrap(), "--project", "shop"])
            .failed();
        assert!(said.err.contains("error: cannot"), "{what}: {}", said.all());
        assert!(
            !said.err.contains('\u{1b}'),
            "{what}: control characters reach the terminal"
        );
        assert!(!outside.exists(), "{what}: wrote outside");
    }
    std::fs::write(&file, archive(&[("index.html", T::Regular, "", b"<p>fine</p>")])).unwrap();
    host.run(&["deploy", "--archive", file.to_str().unwrap(), "--project", "shop"])
        .ok();
    assert!(host.get("shop", "/").body.contains("fine"));
}

#[test]
fn hostile_names_are_refused_everywhere() {
    let host = Installation::start();
    for name in [
        "../../etc",
        "a;id;b",
        "$(id)",
        "-rf",
        "--help-me",
        "a b",
        "a\nb",
        "ä",
        "my--app",
        "hostkit",
        "x",
    ] {
        let said = host.run(&["project", "create", "--", name]).failed();
        assert!(!said.err.is_empty(), "{name}");
    }
    host.run(&["project", "create", "shop"]).ok();
    for arguments in [
        vec!["rollback", "--to", "../../../etc", "--project", "shop"],
        vec!["scale", "web;id=2", "--project", "shop"],
        vec!["deploy", ".", "--project", "shop", "--env", "../x"],
        vec!["env", "set", "A;B=1", "--project", "shop"],
        vec!["env", "set", "PORT=1", "--project", "shop"],
        vec!["logs", "--process", "$(id)", "--project", "shop"],
    ] {
        host.run(&arguments).failed();
    }
}

#[test]
fn the_api_refuses_what_it_does_not_know() {
    let host = Installation::start();
    let api: u16 = host.run_state()["api"]
        .as_str()
        .unwrap()
        .rsplit(':')
        .next()
        .unwrap()
        .parse()
        .unwrap();
    let token = std::fs::read_to_string(host.data().join("token"))
        .unwrap()
        .trim()
        .to_owned();
    let post = |path: &str, authorization: &str, body: &[u8]| {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        http::raw(api, &[head.as_bytes(), body].concat())
    };
    let bearer = format!("Authorization: Bearer {token}\r\n");
    assert_eq!(post("/api/projects", "", b"{\"name\":\"shop\"}").status, 401);
    assert_eq!(
        post(
            "/api/projects",
            "Authorization: Bearer wrong\r\n",
            b"{\"name\":\"shop\"}"
        )
        .status,
        401
    );
    assert_eq!(
        post(
            "/api/projects",
            "Authorization: Bearer \r\n",
            b"{\"name\":\"shop\"}"
        )
        .status,
        401
    );
    let deep = "[".repeat(200_000);
    for body in [
        "",
        "{",
        "null",
        "[]",
        "{\"name\":1}",
        "{\"name\":\"../x\"}",
        "{\"name\":\"shop\",\"nmae\":1}",
        &deep,
        "\u{0}",
    ] {
        let answer = post("/api/projects", &bearer, body.as_bytes());
        let shown: String = body.chars().take(30).collect();
        assert!(
            (400..=422).contains(&answer.status),
            "`{shown}`: {} {}",
            answer.status,
            answer.body
        );
        assert!(answer.body.contains("\"error\""), "`{shown}`: {}", answer.body);
    }
    let rebinding = "GET /api/status HTTP/1.1\r\nHost: evil.example.com\r\n".to_owned()
        + &bearer
        + "Connection: close\r\n\r\n";
    assert!(
        http::raw(api, rebinding.as_bytes()).status >= 400,
        "another host name is answered"
    );
    let through = http::raw(
        host.http,
        "GET /api/status HTTP/1.1\r\nHost: hostkit.localhost\r\nConnection: close\r\n\r\n".as_bytes(),
    );
    assert_eq!(
        through.status, 401,
        "the API through the front door needs a token as well"
    );
}

#[test]
fn requests_that_mean_two_things_never_reach_a_program() {
    let host = Installation::start();
    host.deploy(
        "shop",
        &projects::node(&host.sources(), "shop", "program-answers"),
    )
    .ok();
    let cases: [(&str, &str); 14] = [
        (
            "both lengths",
            "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /pid HTTP/1.1\r\nHost: shop.localhost\r\n\r\n",
        ),
        (
            "two lengths",
            "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        ),
        (
            "signed length",
            "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: +5\r\n\r\nhello",
        ),
        (
            "list of lengths",
            "POST / HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 5, 6\r\n\r\nhello",
        ),
        (
            "bad chunk size",
            "POST / HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
        ),
        (
            "huge chunk size",
            "POST / HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
        ),
        (
            "unknown encoding",
            "POST / HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "encoding twice",
            "POST / HTTP/1.1\r\nHost: shop.localhost\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "folded header",
            "GET / HTTP/1.1\r\nHost: shop.localhost\r\nX: a\r\n b\r\n\r\n",
        ),
        (
            "space before colon",
            "GET / HTTP/1.1\r\nHost : shop.localhost\r\n\r\n",
        ),
        ("NUL", "GET / HTTP/1.1\r\nHost: shop.localhost\r\nX: a\0b\r\n\r\n"),
        ("no host", "GET / HTTP/1.1\r\n\r\n"),
        (
            "two hosts",
            "GET / HTTP/1.1\r\nHost: shop.localhost\r\nHost: other.localhost\r\n\r\n",
        ),
        ("not HTTP", "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03\r\n\r\n"),
    ];
    for (what, request) in cases {
        let answer = http::raw(host.http, request.as_bytes());
        if what == "both lengths" {
            // RFC 9112, 6.3: may be taken by its transfer encoding alone; the connection is closed after it.
            let answers = format!("{}{}", answer.head, answer.body)
                .matches("HTTP/1.1 ")
                .count();
            assert_eq!(answers, 1, "the smuggled request was answered");
            continue;
        }
        assert!(
            answer.status == 0 || answer.status >= 400,
            "{what}: {}",
            answer.status
        );
        assert!(
            !answer.body.contains("program-answers"),
            "{what}: reached the program"
        );
    }
    let long = format!(
        "GET / HTTP/1.1\r\nHost: shop.localhost\r\nX: {}\r\n\r\n",
        "a".repeat(200_000)
    );
    assert!(matches!(
        http::raw(host.http, long.as_bytes()).status,
        0 | 400 | 431
    ));
    assert_eq!(host.get("shop", "/").body, "program-answers");
}

#[test]
fn spoofed_forwarding_headers_are_replaced() {
    let host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "here"))
        .ok();
    let request = "GET /headers HTTP/1.1\r\nHost: shop.localhost\r\nX-Forwarded-For: 6.6.6.6\r\nX-Forwarded-Proto: gopher\r\nX-Forwarded-Host: evil\r\nX-Real-IP: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Hostkit-Release: evil\r\nConnection: close, X-Secret\r\nX-Secret: 1\r\n\r\n";
    let body = http::raw(host.http, request.as_bytes()).body;
    for word in ["6.6.6.6", "gopher", "evil", "X-Secret"] {
        assert!(
            !body.to_lowercase().contains(&word.to_lowercase()),
            "`{word}` reached the program: {body}"
        );
    }
    assert!(body.contains("127.0.0.1"), "{body}");
    assert!(body.to_lowercase().contains("x-request-id"), "{body}");
}

#[test]
fn slow_clients_do_not_keep_others_out() {
    use std::io::Write;
    let host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "here"))
        .ok();
    let mut slow: Vec<_> = (0..300)
        .map(|_| std::net::TcpStream::connect(("127.0.0.1", host.http)).unwrap())
        .collect();
    for stream in &mut slow {
        stream
            .write_all(b"GET / HTTP/1.1\r\nHost: shop.localhost\r\nX-Slow: ")
            .unwrap();
    }
    let started = Instant::now();
    for _ in 0..50 {
        assert_eq!(host.get("shop", "/").body, "here");
    }
    assert!(started.elapsed() < Duration::from_secs(30));
}
