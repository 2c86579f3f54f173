//! A project with a bucket of its own, from its creation to its end, and what of it the command line and visitors see.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use hostkit_core::layout::Layout;
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::services::{ServiceName, ServiceRole};
use hostkit_testkit::{http, sdks};
use serde_json::{Value, json};

use crate::harness::{Installation, kill, projects, wait_until};

/// A program that keeps objects with `@aws-sdk/client-s3`, which is told nothing but the variables: `/put/KEY` puts the key
/// as its own content, `/get/KEY` reads it, `/key` is the access key it was told.
pub(crate) fn keeper(parent: &Path) -> PathBuf {
    let server = r#"
import http from 'node:http';
import { S3Client, PutObjectCommand, GetObjectCommand } from '@aws-sdk/client-s3';
const { env } = process;
const client = new S3Client({
  endpoint: env.S3_ENDPOINT, region: env.S3_REGION, forcePathStyle: true, maxAttempts: 1,
  credentials: { accessKeyId: env.S3_ACCESS_KEY_ID, secretAccessKey: env.S3_SECRET_ACCESS_KEY },
});
http.createServer(async (request, response) => {
  const [, act, key] = request.url.split('/');
  const where = { Bucket: env.S3_BUCKET, Key: key };
  try {
    if (act === 'put') { await client.send(new PutObjectCommand({ ...where, Body: key })); response.end('put'); }
    else if (act === 'get') response.end(await (await client.send(new GetObjectCommand(where))).Body.transformToString());
    else response.end(act === 'key' ? env.S3_ACCESS_KEY_ID : 'ok');
  } catch (error) { response.writeHead(500).end(`${error}`); }
}).listen(Number(env.PORT), env.HOST);
"#;
    let start = format!("node --import \"{}\" server.mjs", sdks::node_resolver());
    let package = json!({"name": "app", "version": "1.0.0", "scripts": {"start": start}}).to_string();
    projects::folder(
        parent,
        "keeper",
        &[("server.mjs", server), ("package.json", &package)],
    )
}

/// What the programs of a project are told.
pub(crate) fn told(host: &Installation, project: &str) -> BTreeMap<String, String> {
    let path = format!("projects/{project}/environments/production/.env");
    let text = std::fs::read_to_string(host.data().join(path)).unwrap();
    let lines = text.lines().filter_map(|line| line.split_once('='));
    lines
        .map(|(name, value)| (name.to_owned(), value.trim_matches('"').to_owned()))
        .collect()
}

/// Runs boto3, unchanged, with `client` made from these variables.
pub(crate) fn boto3(variables: &BTreeMap<String, String>, script: &str) -> Output {
    let begin = "import os, boto3, botocore, urllib.request\n\
                 e = os.environ\n\
                 client = boto3.client('s3', endpoint_url=e['S3_ENDPOINT'], region_name=e['S3_REGION'],\n\
                     aws_access_key_id=e['S3_ACCESS_KEY_ID'], aws_secret_access_key=e['S3_SECRET_ACCESS_KEY'])\n\
                 bucket = e['S3_BUCKET']\n";
    Command::new(sdks::python())
        .args(["-c", &[begin, script].concat()])
        .envs(variables)
        .output()
        .unwrap()
}

#[track_caller]
pub(crate) fn went_well(output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

#[track_caller]
fn is_refused(output: &Output) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && said.contains("InvalidAccessKeyId"),
        "{said}"
    );
}

/// The process id of a project's storage server, by the state that its shim keeps.
fn server(host: &Installation, project: &str) -> Option<u32> {
    let name = ServiceName {
        environment: Some(EnvironmentId::new(
            ProjectName::parse(project).unwrap(),
            EnvironmentName::production(),
        )),
        role: ServiceRole::Storage,
    };
    let folder = Layout::new(host.data()).service(&name);
    let state: Value = serde_json::from_slice(&std::fs::read(folder.join("state.json")).ok()?).ok()?;
    u32::try_from(state["program"]["pid"].as_u64()?).ok()
}

/// Puts objects through the program, each under a name of its own, until `act` is over. Answers those that were
/// acknowledged, and how many were not.
fn under_load(host: &Installation, begin: &str, act: impl FnOnce()) -> (Vec<String>, u32) {
    let (over, acknowledged, failed) = (AtomicBool::new(false), Mutex::default(), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for writer in 0..3 {
            let (over, acknowledged, failed) = (&over, &acknowledged, &failed);
            scope.spawn(move || {
                for number in 0.. {
                    let key = format!("{begin}-{writer}-{number}");
                    match host.get("shop", &format!("/put/{key}")) {
                        answer if answer.body == "put" => {
                            Vec::push(&mut acknowledged.lock().unwrap(), key);
                        }
                        _ => drop(failed.fetch_add(1, Ordering::Relaxed)),
                    }
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                }
            });
        }
        act();
        over.store(true, Ordering::Relaxed);
    });
    (acknowledged.into_inner().unwrap(), failed.into_inner())
}

#[test]
fn a_program_keeps_objects_through_rotations_and_kills_until_its_bucket_goes() {
    let host = Installation::start();
    host.run(&["project", "create", "shop", "--with-storage"]).ok();
    host.deploy("shop", &keeper(&host.sources())).ok();
    let first = told(&host, "shop");
    for (r2, s3) in [
        ("R2_ENDPOINT", "S3_ENDPOINT"),
        ("R2_BUCKET_NAME", "S3_BUCKET"),
        ("R2_ACCESS_KEY_ID", "S3_ACCESS_KEY_ID"),
        ("R2_SECRET_ACCESS_KEY", "S3_SECRET_ACCESS_KEY"),
        ("R2_PUBLIC_URL", "S3_PUBLIC_URL"),
    ] {
        assert_eq!(first[r2], first[s3]);
    }
    assert_eq!(first["S3_BUCKET"], "shop");
    assert_eq!(host.get("shop", "/put/a").body, "put");
    let refused = host
        .run(&["env", "set", "S3_BUCKET=x", "--project", "shop"])
        .failed();
    assert!(refused.err.contains("its storage gives it"), "{}", refused.err);

    // A rotation loses no request; afterwards the old keys are refused, and were good before.
    let works = "print(len(client.list_objects_v2(Bucket=bucket)['Contents']))\n\
                 url = client.generate_presigned_url('get_object', {'Bucket': bucket, 'Key': 'a'})\n\
                 assert urllib.request.urlopen(url).read() == b'a', url\n";
    went_well(&boto3(&first, works));
    let (written, failed) = under_load(&host, "rotation", || {
        host.run(&["addon", "rotate", "shop", "storage"]).ok();
        let list = || host.run(&["addon", "list", "shop", "--json"]).ok().json();
        wait_until("the end of the rotation", || list()[0]["rotation"].is_null());
    });
    assert_eq!(failed, 0, "of {}", written.len());
    assert!(!written.is_empty());
    let second = told(&host, "shop");
    assert_eq!(host.get("shop", "/key").body, second["S3_ACCESS_KEY_ID"]);
    wait_until("the refusal of the old keys", || {
        !boto3(&first, works).status.success()
    });
    is_refused(&boto3(&first, works));
    went_well(&boto3(&second, works));

    // Killed, it comes back by itself, and what it acknowledged is there.
    let before = server(&host, "shop").unwrap();
    let (mut acknowledged, _) = under_load(&host, "kill", || {
        std::thread::sleep(std::time::Duration::from_millis(500));
        kill(before);
        wait_until("the server after a kill", || {
            host.get("shop", "/put/after").body == "put"
        });
    });
    assert_ne!(server(&host, "shop"), Some(before));
    acknowledged.extend(written);
    for key in &acknowledged {
        assert_eq!(&host.get("shop", &format!("/get/{key}")).body, key);
    }

    // No log and no list has a key of it; the bucket's name is no secret.
    let events = host.run(&["events", "--json"]).ok().out;
    let status = host.run(&["addon", "list", "shop", "--json"]).ok().out;
    for secret in ["S3_SECRET_ACCESS_KEY", "S3_ACCESS_KEY_ID"] {
        assert!(!events.contains(&second[secret]) && !status.contains(&second[secret]));
    }

    host.run(&["addon", "remove", "shop", "storage", "--yes"]).ok();
    assert_eq!(server(&host, "shop"), None);
    let gone = host.run(&["storage", "ls", "shop"]).failed();
    assert!(gone.err.contains("it has none"), "{}", gone.err);
    // What was in the first does not come back with the next one.
    host.run(&["addon", "add", "shop", "storage"]).ok();
    let list = host.run(&["storage", "ls", "shop", "--json"]).ok().json();
    assert_eq!(list["objects"], json!([]));
    // It comes back with the backup that was made before it went, under the keys that there are now.
    host.run(&["backup", "restore", "shop", "--yes", "--no-backup"])
        .ok();
    host.run(&["restart", "--project", "shop"]).ok();
    for key in &acknowledged {
        assert_eq!(&host.get("shop", &format!("/get/{key}")).body, key);
    }
    let mut old = second;
    old.insert("S3_ENDPOINT".into(), told(&host, "shop")["S3_ENDPOINT"].clone());
    is_refused(&boto3(&old, works));
}

#[test]
fn a_bucket_is_proven_and_comes_back_in_its_place_and_on_another_machine() {
    let host = Installation::start();
    host.run(&["project", "create", "shop", "--with-storage"]).ok();
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(at("small"), "canary-51c0de").unwrap();
    // In parts.
    let large: Vec<u8> = (0..20_000_000_u32).map(|at| (at % 251) as u8).collect();
    std::fs::write(at("large"), &large).unwrap();
    for name in ["small", "large"] {
        host.run(&["storage", "cp", &at(name), &format!("shop:kept/{name}")])
            .ok();
    }
    let policy = [
        "storage", "policy", "shop", "--public", "kept/", "--expire", "tmp/=7d",
    ];
    host.run(&policy).ok();
    let target = home.path().join("backups");
    host.run(&["backup", "target", "folder", target.to_str().unwrap()])
        .ok();
    let made = host.run(&["backup", "now", "shop", "--json"]).ok().json();
    assert_eq!(made["state"], "proven", "{made}");
    let part = made["parts"].as_array().unwrap().iter();
    let part = part.clone().find(|part| part["name"] == "storage").unwrap();
    assert_eq!(part["counts"]["objects"], 2);
    assert_eq!(part["counts"]["bytes of objects"], 20_000_013);
    let shown = host.run(&["backup", "show", "shop"]).ok().out;
    assert!(shown.contains("bytes of objects: 20000013"), "{shown}");

    let is_back = |host: &Installation| {
        let keys = host.run(&["storage", "ls", "shop", "-r", "--json"]).ok().json();
        let keys = keys["objects"].as_array().unwrap().iter();
        let keys: Vec<_> = keys.map(|one| one["key"].clone()).collect();
        assert_eq!(keys, ["kept/large", "kept/small"]);
        for name in ["small", "large"] {
            host.run(&["storage", "cp", &format!("shop:kept/{name}"), &at("back")])
                .ok();
            assert!(std::fs::read(at("back")).unwrap() == std::fs::read(at(name)).unwrap());
        }
        let policy = host.run(&["storage", "policy", "shop", "--json"]).ok().out;
        assert!(policy.contains("tmp/") && policy.contains("kept/"), "{policy}");
    };
    host.run(&["storage", "rm", "shop:kept/small"]).ok();
    host.run(&["storage", "cp", &at("small"), "shop:kept/wrong"]).ok();
    host.run(&["backup", "restore", "shop", "--yes"]).ok();
    is_back(&host);

    // One flipped bit: named, and nothing is touched.
    let file = target.join("shop/production/1/storage");
    let good = std::fs::read(&file).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    std::fs::write(&file, flipped).unwrap();
    let refused = host.run(&["backup", "restore", "shop", "1", "--yes"]).failed();
    assert!(refused.err.contains("`storage` is damaged"), "{}", refused.err);
    is_back(&host);
    std::fs::write(&file, good).unwrap();

    // With its project it goes, and on another machine nothing but the kit is needed.
    let kit = host.run(&["backup", "kit"]).ok().out;
    std::fs::write(at("kit"), kit).unwrap();
    host.run(&["project", "delete", "shop", "--yes"]).ok();
    let other = Installation::start();
    other
        .run(&["backup", "restore", "shop", "--kit", &at("kit")])
        .ok();
    is_back(&other);
}

#[test]
fn keys_of_one_project_open_nothing_of_another() {
    let host = Installation::start();
    let mut keys = BTreeMap::new();
    for name in ["shop", "blog"] {
        host.run(&["project", "create", name, "--with-storage"]).ok();
        host.deploy(name, &keeper(&host.sources().join(name))).ok();
        keys.insert(name, told(&host, name));
    }
    let act = "client.put_object(Bucket=bucket, Key='a', Body=b'a')\n\
               assert client.get_object(Bucket=bucket, Key='a')['Body'].read() == b'a'\n";
    for name in ["shop", "blog"] {
        went_well(&boto3(&keys[name], act));
    }
    assert_ne!(keys["shop"]["S3_ENDPOINT"], keys["blog"]["S3_ENDPOINT"]);
    // Its server and its bucket, our keys.
    let mut mixed = keys["blog"].clone();
    for name in ["S3_ACCESS_KEY_ID", "S3_SECRET_ACCESS_KEY"] {
        mixed.insert(name.into(), keys["shop"][name].clone());
    }
    is_refused(&boto3(&mixed, act));
    is_refused(&boto3(&mixed, "client.list_objects_v2(Bucket=bucket)\n"));
    // Our server has no bucket of theirs.
    let mut ours = keys["shop"].clone();
    ours.insert("S3_BUCKET".into(), "blog".into());
    let said = boto3(&ours, "client.list_objects_v2(Bucket=bucket)\n");
    assert!(String::from_utf8_lossy(&said.stderr).contains("NoSuchBucket"));
    // A token of one project is shown no key of the other.
    let token = host
        .run(&[
            "token",
            "create",
            "of-shop",
            "--project",
            "shop",
            "--role",
            "developer",
            "--json",
        ])
        .ok()
        .json();
    let token = token["secret"].as_str().unwrap().to_owned();
    let refused = host.run(&["--token", &token, "storage", "ls", "blog"]).failed();
    assert!(refused.err.contains("blog"), "{}", refused.err);
}

#[test]
fn the_command_line_copies_lists_signs_and_removes_and_visitors_read_what_is_public() {
    let host = Installation::start();
    host.run(&["project", "create", "shop", "--with-storage"]).ok();
    let home = tempfile::tempdir().unwrap();
    let at = |name: &str| home.path().join(name).to_str().unwrap().to_owned();
    std::fs::create_dir_all(home.path().join("photos/cats")).unwrap();
    std::fs::write(at("photos/a.html"), "<script>1</script>").unwrap();
    std::fs::write(at("photos/cats/b.txt"), "0123456789").unwrap();
    // Larger than what is put at once.
    let large: Vec<u8> = (0..40_000_000_u32).map(|at| (at % 251) as u8).collect();
    std::fs::write(at("large"), &large).unwrap();

    host.run(&["storage", "cp", "-r", &at("photos"), "shop:photos"])
        .ok();
    host.run(&["storage", "cp", &at("large"), "shop:secret/"]).ok();
    let keys = |prefix: &str| -> Vec<String> {
        let list = host.run(&["storage", "ls", prefix, "-r", "--json"]).ok().json();
        let all = list["objects"].as_array().unwrap().iter();
        all.map(|one| one["key"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(
        keys("shop"),
        ["photos/a.html", "photos/cats/b.txt", "secret/large"]
    );
    host.run(&["storage", "cp", "shop:secret/large", &at("back")])
        .ok();
    assert!(std::fs::read(at("back")).unwrap() == large);
    host.run(&["storage", "cp", "-r", "shop:photos", &at("copies")])
        .ok();
    assert_eq!(std::fs::read(at("copies/cats/b.txt")).unwrap(), b"0123456789");
    let url = host
        .run(&["storage", "presign", "shop:photos/a.html", "--expires", "1m"])
        .ok()
        .out;
    let port: u16 = url.trim_start_matches("http://127.0.0.1:")[..5].parse().unwrap();
    let path = url.trim().split_once(&format!(":{port}")).unwrap().1.to_owned();
    let ask = |port: u16, request: &str| http::raw(port, request.as_bytes());
    let signed = ask(
        port,
        &format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1:{port}\r\nconnection: close\r\n\r\n"),
    );
    assert_eq!((signed.status, signed.body.as_str()), (200, "<script>1</script>"));

    // Nothing is public until that is said.
    let visit = |method: &str, path: &str, more: &str| {
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: shop.localhost\r\n{more}content-length: 0\r\nconnection: close\r\n\r\n"
        );
        ask(host.http, &request)
    };
    let public = "/_hostkit/storage/photos/cats/b.txt";
    assert_eq!(visit("GET", public, "").status, 503);
    host.run(&["storage", "policy", "shop", "--public", "photos/"])
        .ok();
    wait_until("what is public", || visit("GET", public, "").status == 200);
    let answer = visit("GET", public, "range: bytes=2-4\r\n");
    assert_eq!((answer.status, answer.body.as_str()), (206, "234"));
    let tag = visit("GET", public, "").header("etag").unwrap().to_owned();
    assert_eq!(
        visit("GET", public, &format!("if-none-match: {tag}\r\n")).status,
        304
    );
    // A page that a visitor brought is none of the site's.
    let page = visit(
        "GET",
        "/_hostkit/storage/photos/a.html?response-content-type=text/plain",
        "",
    );
    assert_eq!(page.header("content-security-policy"), Some("sandbox"));
    assert_eq!(page.header("content-type"), Some("text/html"));
    // Kept by the front door as long as whoever put it said.
    let kept = [
        "storage",
        "cp",
        &at("photos/cats/b.txt"),
        "shop:photos/kept",
        "--cache-control",
        "public, max-age=60",
    ];
    host.run(&kept).ok();
    wait_until("an answer of the cache", || {
        visit("GET", "/_hostkit/storage/photos/kept", "").header("x-hostkit-cache") == Some("HIT")
    });
    host.run(&["storage", "rm", "shop:photos/kept"]).ok();
    // Nothing else, however it is asked for: not even with a signature that is good.
    let signed = path.replace("/shop/photos/a.html", "/_hostkit/storage/secret/large");
    for (method, path, status) in [
        ("GET", "/_hostkit/storage/secret/large", 403),
        ("GET", signed.as_str(), 403),
        ("GET", "/_hostkit/storage/photos/../secret/large", 404),
        ("GET", "/_hostkit/storage/photos/%2e%2e/secret/large", 404),
        ("GET", "/_hostkit/storage/", 404),
        ("GET", "/_hostkit/storage/?list-type=2", 404),
        ("GET", "/_hostkit/storage", 404),
        ("PUT", public, 405),
        ("POST", "/_hostkit/storage/photos/a.html?uploads", 405),
        ("DELETE", public, 405),
    ] {
        let answer = visit(method, path, "");
        assert_eq!(answer.status, status, "{method} {path}: {}", answer.body);
    }
    for header in [
        "authorization: AWS4-HMAC-SHA256 Credential=x\r\n",
        "x-amz-copy-source: /shop/secret/large\r\n",
    ] {
        assert_eq!(visit("GET", public, header).body, "0123456789", "{header}");
    }
    host.run(&["storage", "policy", "shop", "--private", "photos/"])
        .ok();
    wait_until("what is private again", || visit("GET", public, "").status == 503);

    // The quota is the bucket's, and said.
    let stats = host
        .run(&["storage", "policy", "shop", "--quota", "40MB", "--json"])
        .ok();
    assert!(stats.out.contains("quota"), "{}", stats.out);
    let refused = host.run(&["storage", "cp", &at("large"), "shop:again"]).failed();
    assert!(refused.err.contains("QuotaExceeded"), "{}", refused.err);
    assert_eq!(keys("shop:again"), [] as [&str; 0]);
    let stats = host.run(&["storage", "stats", "shop", "--json"]).ok().json();
    assert_eq!(
        (&stats["objects"], &stats["bytes"]),
        (&json!(3), &json!(40_000_028))
    );

    host.run(&["storage", "rm", "shop:secret/large"]).ok();
    let unasked = host.run(&["storage", "rm", "-r", "shop:photos/"]).failed();
    assert!(unasked.err.contains("nobody can be asked"), "{}", unasked.err);
    host.run(&["storage", "rm", "-r", "shop:photos/", "--yes"]).ok();
    assert_eq!(keys("shop"), [] as [&str; 0]);
}
