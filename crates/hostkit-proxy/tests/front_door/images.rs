//! Images in other sizes, with the real process that makes them: this program itself, started again.

use std::io::{Cursor, Write};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostkit_core::names::ReleaseName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::route::access::BasicAuth;
use hostkit_core::route::images::Images;
use hostkit_core::route::{Purge, Route};
use hostkit_core::traits::traffic::Traffic;
use hostkit_proxy::{ImageProcess, ImageProgram};
use image::{DynamicImage, GenericImageView, ImageFormat};

use crate::support::*;

const WEBP: &str = "Accept: image/avif,image/webp,*/*\r\n";

/// What a copy of this program that was started for an image is.
#[test]
#[allow(clippy::exit, reason = "it stands for a program of its own")]
fn role() {
    let arguments: Vec<String> = std::env::args().take(3).collect();
    if arguments[1..] == ["--exact", "images::role"] {
        std::process::exit(hostkit_images::run());
    }
}

/// Programs that are started for an image.
struct Started(PathBuf, Vec<&'static str>);

impl ImageProcess for Started {
    fn start(&self, socket: OwnedFd) -> std::io::Result<Child> {
        Command::new(&self.0)
            .args(&self.1)
            .env_clear()
            .stdin(socket)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
    }
}

fn program() -> ImageProgram {
    let arguments = vec!["--exact", "images::role", "--test-threads=1"];
    ImageProgram {
        process: Arc::new(Started(std::env::current_exe().unwrap(), arguments)),
        at_once: 2,
        time: Duration::from_secs(60),
    }
}

fn door() -> Door {
    Door::start_with(|config| config.images = Some(program()))
}

fn with_images(mut route: Route) -> Route {
    route.rules.images = Some(Images::default());
    route
}

fn picture(width: u32, height: u32) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    let image = DynamicImage::ImageRgb8(image::RgbImage::from_fn(width, height, |x, y| {
        image::Rgb([x as u8, y as u8, 90])
    }));
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// A program that answers each path with what `answer` says: headers and a body.
fn app(answer: impl Fn(&Seen) -> (String, Vec<u8>) + Send + Sync + 'static) -> (Upstream, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let upstream = Upstream::start(move |seen, stream| {
        counted.fetch_add(1, Ordering::SeqCst);
        let (head, body) = answer(seen);
        let head = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).is_ok() && stream.write_all(&body).is_ok()
    });
    (upstream, count)
}

fn ask(door: &Door, query: &str, headers: &str) -> Answer {
    door.send(format!(
        "GET /_hostkit/image?{query} HTTP/1.1\r\nHost: shop.localhost\r\n{headers}\r\n"
    ))
}

fn size(answer: &Answer) -> (u32, u32) {
    image::load_from_memory(&answer.body).unwrap().dimensions()
}

fn cache(answer: &Answer) -> &str {
    answer.header("x-hostkit-cache").unwrap_or("-")
}

#[test]
fn an_image_of_a_program_is_made_once_and_kept_until_it_is_purged_or_deployed_anew() {
    let (upstream, count) = app(|_| ("200 OK\r\nContent-Type: image/png".into(), picture(800, 600)));
    let door = door();
    door.apply(vec![with_images(to("shop", &[upstream.address]))]);
    let first = ask(&door, "url=%2Fphoto.png&w=64&q=75", WEBP);
    assert_eq!((first.status, size(&first)), (200, (64, 48)), "{}", first.text());
    for (name, value) in [
        ("content-type", "image/webp"),
        ("vary", "Accept"),
        ("cache-control", "public, max-age=60, must-revalidate"),
        ("x-content-type-options", "nosniff"),
        ("content-disposition", "inline; filename=\"image.webp\""),
        ("x-hostkit-cache", "MISS"),
    ] {
        assert_eq!(first.header(name), Some(value), "{}", first.head);
    }
    let again = ask(&door, "w=64&url=/photo.png", WEBP);
    assert_eq!((cache(&again), &again.body), ("HIT", &first.body));
    let as_elsewhere = door.send(format!(
        "GET /_vercel/image?url=/photo.png&w=64&q=75 HTTP/1.1\r\nHost: shop.localhost\r\n{WEBP}\r\n"
    ));
    assert_eq!((cache(&as_elsewhere), &as_elsewhere.body), ("HIT", &first.body));
    let tag = first.header("etag").unwrap().to_owned();
    let unchanged = ask(
        &door,
        "url=/photo.png&w=64",
        &format!("{WEBP}If-None-Match: {tag}\r\n"),
    );
    assert_eq!((unchanged.status, unchanged.body.len()), (304, 0));
    assert_eq!(count.load(Ordering::SeqCst), 1);
    // Another client, another form; and never wider than it is.
    let png = ask(&door, "url=/photo.png&w=64", "");
    assert_eq!(png.header("content-type"), Some("image/png"));
    assert_eq!(size(&ask(&door, "url=/photo.png&w=1920", WEBP)), (800, 600));
    let head = door.send("HEAD /_hostkit/image?url=/photo.png&w=64 HTTP/1.1\r\nHost: shop.localhost\r\nAccept: image/webp\r\n\r\n");
    assert_eq!(head.header("content-length"), first.header("content-length"));
    // A purge of the source takes what was made of it.
    let environment = to("shop", &[]).environment.unwrap();
    let purge = |path: Option<&str>| {
        let purge = Purge {
            environment: EnvironmentId::clone(&environment),
            path: path.map(str::to_owned),
        };
        block_on(door.client.purge(&purge)).unwrap().addresses
    };
    assert_eq!(purge(Some("/other.png")), 0);
    assert_eq!(cache(&ask(&door, "url=/photo.png&w=64", WEBP)), "HIT");
    assert_eq!(purge(Some("/photo.png")), 3);
    assert_eq!(cache(&ask(&door, "url=/photo.png&w=64", WEBP)), "MISS");
    // So does a deploy.
    let mut newer = with_images(to("shop", &[upstream.address]));
    newer.release = Some(ReleaseName::parse("20260102-120000").unwrap());
    door.apply(vec![newer]);
    assert_eq!(cache(&ask(&door, "url=/photo.png&w=64", WEBP)), "MISS");
    // Without the table in `hostkit.toml` the address is the program's own.
    door.apply(vec![to("shop", &[upstream.address])]);
    let own = ask(&door, "url=/photo.png&w=64", WEBP);
    assert_eq!(own.header("content-type"), Some("image/png"));
    assert!(upstream.last().line().starts_with("GET /_hostkit/image?"));
}

#[test]
fn what_is_made_is_kept_also_where_no_answer_of_the_program_is() {
    let kept = "200 OK\r\nContent-Type: image/png\r\nCache-Control: max-age=600";
    let (upstream, count) = app(move |_| (kept.into(), picture(80, 60)));
    let door = door();
    let mut route = with_images(to("shop", &[upstream.address]));
    route.answers.cache = false;
    door.apply(vec![route]);
    for result in ["MISS", "HIT"] {
        let made = ask(&door, "url=/photo.png&w=64", WEBP);
        assert_eq!((made.status, cache(&made)), (200, result), "{}", made.text());
    }
    for asked in 2..5 {
        let answer = door.send("GET /photo.png HTTP/1.1\r\nHost: shop.localhost\r\n\r\n");
        assert_eq!((answer.status, cache(&answer)), (200, "-"));
        assert_eq!(count.load(Ordering::SeqCst), asked);
    }
}

#[test]
fn files_of_a_site_are_made_smaller_and_no_rule_moves_the_address() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("assets")).unwrap();
    std::fs::write(folder.path().join("my photo.png"), picture(300, 100)).unwrap();
    std::fs::write(folder.path().join("assets/a-1234.png"), picture(300, 100)).unwrap();
    std::fs::write(folder.path().join("index.html"), "<h1>hello").unwrap();
    let door = door();
    let mut route = with_images(files("shop", folder.path().to_owned(), true));
    route.rules.clean_urls = Some(true);
    route.rules.trailing_slash = Some(true);
    route.rules.redirects =
        serde_json::from_str(r#"[{"from": "/_hostkit/(.*)", "to": "/", "status": 307}]"#).unwrap();
    door.apply(vec![route]);
    let made = ask(&door, "url=%2Fmy%20photo.png&w=96", WEBP);
    assert_eq!((made.status, size(&made)), (200, (96, 32)), "{}", made.text());
    let hashed = ask(&door, "url=/assets/a-1234.png&w=96", WEBP);
    assert_eq!(
        hashed.header("cache-control"),
        Some("public, max-age=31536000, must-revalidate")
    );
    let none = ask(&door, "url=/nothing.png&w=96", WEBP);
    // A single-page site answers with its page, which is no image.
    assert_eq!((none.status, none.text().contains("no JPEG")), (400, true));
    assert_eq!(
        door.send(
            "POST /_hostkit/image?url=/a&w=96 HTTP/1.1\r\nHost: shop.localhost\r\nContent-Length: 0\r\n\r\n"
        )
        .status,
        405
    );
}

#[test]
fn a_source_is_asked_for_as_by_a_stranger_and_the_password_of_the_site_is_still_needed() {
    let (upstream, _) = app(|_| ("200 OK".into(), picture(100, 100)));
    let door = door();
    door.apply(vec![with_images(to("shop", &[upstream.address]))]);
    let headers =
        format!("{WEBP}Cookie: session=1\r\nAuthorization: Bearer x\r\nX-Own: 1\r\nRange: bytes=0-3\r\n");
    ask(&door, "url=/a.png&w=64", &headers);
    let seen = upstream.last();
    for name in ["cookie", "authorization", "x-own", "range"] {
        assert_eq!(seen.header(name), None, "{}", seen.head);
    }
    assert_eq!(seen.header("accept"), Some("image/*"));
    assert_eq!(seen.header("x-forwarded-for"), Some("127.0.0.1"));
    assert_eq!(seen.line(), "GET /a.png HTTP/1.1");
    let mut closed = with_images(to("shop", &[upstream.address]));
    closed.rules.basic_auth = Some(BasicAuth::new("ada", "secret", "salt"));
    door.apply(vec![closed]);
    assert_eq!(ask(&door, "url=/a.png&w=96", WEBP).status, 401);
    let known = format!("{WEBP}Authorization: Basic YWRhOnNlY3JldA==\r\n");
    let made = ask(&door, "url=/a.png&w=96", &known);
    assert_eq!(made.status, 200, "{}", made.text());
    assert_eq!(upstream.last().header("authorization"), None);
    // What is kept is not given to those who do not know it.
    assert_eq!(cache(&ask(&door, "url=/a.png&w=96", &known)), "HIT");
    assert_eq!(ask(&door, "url=/a.png&w=96", WEBP).status, 401);
}

#[test]
fn what_a_program_answers_instead_of_an_image_is_told_and_what_cannot_be_made_is_not_tried_again() {
    let (upstream, count) = app(|seen| {
        let line = seen.line();
        let answer = |head: &str, body: &[u8]| (head.to_owned(), body.to_vec());
        let svg = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";
        let cut = picture(50, 50);
        match line.split(' ').nth(1).unwrap() {
            "/gone" => answer("404 Not Found", b""),
            "/closed" => answer("403 Forbidden", b""),
            "/moved" => answer("302 Found\r\nLocation: http://evil.example/", b""),
            "/zipped" => answer("200 OK\r\nContent-Encoding: gzip", b"123"),
            "/page" => answer("200 OK\r\nContent-Type: image/png", b"<html>hello"),
            "/svg" => answer("200 OK\r\nContent-Type: image/svg+xml", svg),
            "/cut" => answer("200 OK\r\nContent-Type: image/png", &cut[..cut.len() / 2]),
            "/large" => answer("200 OK", &vec![0; (16 << 20) + 1]),
            _ => answer("500 Internal Server Error", b""),
        }
    });
    let door = door();
    door.apply(vec![with_images(to("shop", &[upstream.address]))]);
    for (path, status, code) in [
        ("/gone", 404, "no_such_image"),
        ("/closed", 502, "bad_image_source"),
        ("/moved", 502, "bad_image_source"),
        ("/zipped", 502, "bad_image_source"),
        ("/broken", 502, "bad_image_source"),
        ("/page", 400, "not_an_image"),
        ("/svg", 400, "svg_not_allowed"),
        ("/cut", 400, "broken_image"),
        ("/large", 413, "image_too_large"),
    ] {
        let accept = "Accept: application/json, image/webp\r\n";
        let before = count.load(Ordering::SeqCst);
        let first = ask(&door, &format!("url={path}&w=64"), accept);
        assert!(
            first.status == status && first.text().contains(code),
            "{path} {}",
            first.text()
        );
        let again = ask(&door, &format!("url={path}&w=64"), accept);
        assert_eq!((again.status, again.body.len()), (first.status, first.body.len()));
        let asked = count.load(Ordering::SeqCst) - before;
        let kept = matches!(status, 400 | 413);
        assert_eq!(asked, if kept { 1 } else { 2 }, "{path}");
    }
    assert_eq!(ask(&door, "url=/photo.png&w=65", WEBP).status, 400);
    let mut allowed = with_images(to("shop", &[upstream.address]));
    allowed.rules.images.as_mut().unwrap().svg = true;
    allowed.release = Some(ReleaseName::parse("20260102-120000").unwrap());
    door.apply(vec![allowed]);
    let svg = ask(&door, "url=/svg&w=64", WEBP);
    assert_eq!(svg.header("content-type"), Some("image/svg+xml"));
    assert!(
        svg.header("content-security-policy").unwrap().contains("sandbox"),
        "{}",
        svg.head
    );
    assert!(
        svg.header("content-disposition")
            .unwrap()
            .starts_with("attachment")
    );
}

#[test]
fn what_is_private_is_made_and_kept_by_nobody() {
    let (upstream, count) = app(|_| {
        (
            "200 OK\r\nCache-Control: private, max-age=60".into(),
            picture(100, 100),
        )
    });
    let door = door();
    door.apply(vec![with_images(to("shop", &[upstream.address]))]);
    for number in 1..3 {
        let made = ask(&door, "url=/a.png&w=64", WEBP);
        assert_eq!(
            made.header("cache-control"),
            Some("private, no-store"),
            "{}",
            made.text()
        );
        assert_eq!((cache(&made), count.load(Ordering::SeqCst)), ("MISS", number));
    }
}

#[test]
fn many_who_ask_for_the_same_wait_for_one_and_too_many_different_ones_are_told_to_wait() {
    let (go, wait) = std::sync::mpsc::channel::<()>();
    let wait = Mutex::new(wait);
    let (upstream, count) = app(move |seen| {
        if seen.line().contains("/slow") {
            wait.lock().unwrap().recv_timeout(PATIENCE).ok();
        }
        ("200 OK".into(), picture(100, 100))
    });
    let door = Arc::new(door());
    door.apply(vec![with_images(to("shop", &[upstream.address]))]);
    let asked = |query: String| {
        let door = Arc::clone(&door);
        std::thread::spawn(move || ask(&door, &query, WEBP).status)
    };
    let same: Vec<_> = (0..20).map(|_| asked("url=/slow&w=64".into())).collect();
    until("one asks", || count.load(Ordering::SeqCst) == 1);
    let others: Vec<_> = (0..15).map(|n| asked(format!("url=/slow%3F{n}&w=64"))).collect();
    until("all places are taken", || count.load(Ordering::SeqCst) == 16);
    let refused = ask(&door, "url=/other&w=64", WEBP);
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    // The site itself answers as ever.
    assert_eq!(door.get("shop.localhost", "/").status, 200);
    for _ in 0..16 {
        go.send(()).unwrap();
    }
    for one in same.into_iter().chain(others) {
        assert_eq!(one.join().unwrap(), 200);
    }
    assert_eq!(count.load(Ordering::SeqCst), 17);
    assert_eq!(ask(&door, "url=/other&w=64", WEBP).status, 200);
}

#[test]
fn a_front_door_whose_image_process_dies_or_hangs_serves_on() {
    let (upstream, _) = app(|_| ("200 OK".into(), picture(100, 100)));
    for (path, arguments, status) in [("/bin/false", vec![], 500), ("/bin/sleep", vec!["600"], 504)] {
        let door = Door::start_with(|config| {
            config.images = Some(ImageProgram {
                process: Arc::new(Started(path.into(), arguments)),
                at_once: 1,
                time: Duration::from_millis(500),
            });
        });
        door.apply(vec![with_images(to("shop", &[upstream.address]))]);
        assert_eq!(ask(&door, "url=/a.png&w=64", WEBP).status, status);
        assert_eq!(door.get("shop.localhost", "/").status, 200);
    }
}
