//! What project A has does not open anything of project B (REQUIREMENTS S4), as far as one account for all of them has walls:
//! database, Redis by both protocols, and the API. Each attempt is made a second time with what B has, or without the limit
//! of a token to one project, and succeeds: what stood in its way is what it is meant to be. What one project's processes
//! do to another's files and ports is tried where projects are accounts (`hostkit doctor isolation`).

use std::process::Command;

use hostkit_testkit::http;

use crate::harness::{Installation, Said, projects};

/// What programs of a project are told.
fn told(host: &Installation, project: &str, name: &str) -> String {
    let path = format!("projects/{project}/environments/production/.env");
    let text = std::fs::read_to_string(host.data().join(path)).unwrap();
    let begin = format!("{name}=");
    let value = text.lines().find_map(|line| line.strip_prefix(&begin));
    value.expect(name).trim_matches(['"', '\'']).to_owned()
}

/// `user:password`, and all from the host on.
fn parts(url: &str) -> (&str, &str) {
    url.split_once("://").unwrap().1.split_once('@').unwrap()
}

fn prepare() -> Installation {
    let host = Installation::start();
    let folder = projects::node(&host.sources(), "shop", "here");
    for name in ["shop", "blog"] {
        host.run(&["project", "create", name, "--with-redis", "--with-db"])
            .ok();
        host.run(&["env", "set", &format!("WHOSE=secret-of-{name}"), "-p", name])
            .ok();
        host.deploy(name, &folder).ok();
        host.run(&["redis", "cli", name, "--", "SET", "whose", name]).ok();
    }
    host
}

#[test]
fn credentials_of_one_project_open_no_data_of_another() {
    let host = prepare();
    databases(&host);
    redis(&host);
    rest(&host);
}

fn psql(login: &str, place: &str) -> bool {
    let said = Command::new("timeout")
        .args([
            "20",
            "psql",
            &format!("postgresql://{login}@{place}"),
            "-XAtqc",
            "SELECT 1",
        ])
        .output()
        .unwrap();
    said.status.success()
}

fn databases(host: &Installation) {
    for name in ["DATABASE_URL", "DIRECT_URL"] {
        let (shop, blog) = (told(host, "shop", name), told(host, "blog", name));
        let ((shops_login, _), (blogs_login, blogs_place)) = (parts(&shop), parts(&blog));
        let password = shops_login.split_once(':').unwrap().1;
        let blogs_user = blogs_login.split_once(':').unwrap().0;
        let with_password = format!("{blogs_user}:{password}");
        let as_server = format!("postgres:{password}");
        for login in [shops_login, &with_password, blogs_user, &as_server] {
            assert!(!psql(login, blogs_place), "{name} of blog, as `{login}`");
        }
        assert!(psql(blogs_login, blogs_place), "{name} of blog, with blog's own");
    }
}

fn redis_says(url: &str, words: &[&str]) -> String {
    let (login, place) = parts(url);
    let (user, password) = login.split_once(':').unwrap();
    let port = place.rsplit(':').next().unwrap().split('/').next().unwrap();
    let said = Command::new("redis-cli")
        .args(["-p", port, "--user", user])
        .args(words)
        .env("REDISCLI_AUTH", password)
        .output()
        .unwrap();
    String::from_utf8_lossy(&said.stdout).into_owned()
}

fn redis(host: &Installation) {
    let (shop, blog) = (told(host, "shop", "REDIS_URL"), told(host, "blog", "REDIS_URL"));
    let (shops_login, _) = parts(&shop);
    let (blogs_login, blogs_place) = parts(&blog);
    let password = shops_login.split_once(':').unwrap().1;
    for user in [
        shops_login.split_once(':').unwrap().0,
        blogs_login.split_once(':').unwrap().0,
        "default",
        "hostkit",
    ] {
        let url = format!("redis://{user}:{password}@{blogs_place}");
        let said = redis_says(&url, &["GET", "whose"]);
        assert!(!said.contains("blog"), "as `{user}`: {said}");
    }
    assert_eq!(redis_says(&blog, &["GET", "whose"]).trim(), "blog");
}

fn rest(host: &Installation) {
    let ask = |token: &str| {
        let url = told(host, "blog", "UPSTASH_REDIS_REST_URL");
        let port: u16 = url.trim_start_matches("http://127.0.0.1:").parse().unwrap();
        let request = format!(
            "GET /get/whose HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
        );
        http::raw(port, request.as_bytes()).body
    };
    for name in ["UPSTASH_REDIS_REST_TOKEN", "UPSTASH_REDIS_REST_READ_ONLY_TOKEN"] {
        assert_eq!(ask(&told(host, "shop", name)), r#"{"result":"shop"}"#);
        assert_eq!(ask(&told(host, "blog", name)), r#"{"result":"blog"}"#);
    }
    assert!(!ask("").contains("blog"));
}

#[test]
fn a_token_of_one_project_does_nothing_to_another() {
    let host = prepare();
    let token = |name: &str, project: &[&str]| {
        let words = [&["token", "create", name, "--json"], project].concat();
        let made = host.run(&words).ok().json();
        made["secret"].as_str().unwrap().to_owned()
    };
    let (of_shop, of_blog) = (
        token("ci-shop", &["--project", "shop"]),
        token("ci-blog", &["--project", "blog"]),
    );
    let with = |token: &str, words: &[&str]| {
        Said::from(host.prepared(words).env("HOSTKIT_TOKEN", token).output().unwrap())
    };
    let folder = host.sources().join("shop");
    let folder = folder.to_str().unwrap();
    let attempts: [&[&str]; 18] = [
        &["env", "get", "WHOSE", "-p", "blog"],
        &["env", "list", "-p", "blog"],
        &["env", "history", "-p", "blog"],
        &["env", "export", "-p", "blog"],
        &["env", "set", "WHOSE=mine-of-blog", "-p", "blog"],
        &["project", "show", "blog"],
        &["releases", "-p", "blog"],
        &["deployments", "-p", "blog"],
        &["ps", "-p", "blog"],
        &["logs", "-p", "blog"],
        &["addon", "list", "blog"],
        &["redis", "url", "blog"],
        &["redis", "info", "blog"],
        &["addon", "rotate", "blog", "redis"],
        &["doctor", "blog"],
        &["run", "-p", "blog", "--", "env"],
        &["restart", "-p", "blog"],
        &["deploy", folder, "-p", "blog"],
    ];
    for words in attempts {
        let said = with(&of_shop, words).failed();
        assert!(
            !said.all().contains("secret-of-blog") && !said.all().contains("redis://"),
            "{words:?}: {said:?}"
        );
        let said = with(&of_blog, words);
        assert_eq!(said.code, 0, "with blog's own, {words:?}: {said:?}");
    }
    // What concerns the installation is for neither.
    for words in [
        ["vault", "rotate-key"].as_slice(),
        &["token", "list"],
        &["project", "delete", "blog", "--yes"],
    ] {
        with(&of_shop, words).failed();
    }
    host.run(&["vault", "rotate-key"]).ok();
    host.run(&["project", "delete", "blog", "--yes"]).ok();
    assert_eq!(
        with(&of_shop, &["env", "get", "WHOSE", "-p", "shop"])
            .ok()
            .out
            .trim(),
        "secret-of-shop"
    );
}
