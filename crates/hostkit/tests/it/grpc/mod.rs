//! A real server of gRPC and a real client of it, with the front door between.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::harness::{Installation, Said, projects};

const SERVER: &str = include_str!("server.py");
const CLIENT: &str = include_str!("client.py");

/// The server's source, of one version.
fn source(host: &Installation, version: &str) -> PathBuf {
    projects::folder(
        &host.sources(),
        "shop",
        &[
            ("server.py", &SERVER.replace("VERSION\"", &format!("{version}\""))),
            ("client.py", CLIENT),
            ("requirements.txt", "grpcio==1.85.3\ntyping-extensions==4.16.0\n"),
            (
                "hostkit.toml",
                "[process.web]\ncommand = [\"python\", \"server.py\"]\nprotocol = \"h2c\"\n",
            ),
        ],
    )
}

/// The client, with the interpreter that was built for the server.
fn client(folder: &Path, address: &str, host: &str, task: &str) -> Command {
    let mut command = Command::new(python(folder).expect("an interpreter was built"));
    command
        .arg(folder.join("src/shop/client.py"))
        .args([address, host, task])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// The interpreter of an environment that a build made.
fn python(folder: &Path) -> Option<PathBuf> {
    let entries = std::fs::read_dir(folder).ok()?;
    for entry in entries.flatten() {
        let path = entry.path();
        if path.join("pyvenv.cfg").is_file() {
            return Some(path.join("bin/python"));
        }
        if entry.file_type().is_ok_and(|kind| kind.is_dir())
            && let Some(found) = python(&path)
        {
            return Some(found);
        }
    }
    None
}

fn every_kind() -> Value {
    json!({
        "unary": "one hello",
        "trailer": "me",
        "counts": true,
        "total": 4950,
        "denied": ["PERMISSION_DENIED", "not for you"],
        "late": "DEADLINE_EXCEEDED",
        "unknown": "UNIMPLEMENTED",
    })
}

#[test]
fn calls_of_every_kind_arrive_and_deploys_lose_none() {
    let host = Installation::start();
    host.deploy("shop", &source(&host, "one")).ok();
    let address = format!("127.0.0.1:{}", host.http);
    let asked = format!("shop.localhost:{}", host.http);
    let folder = host.sources().parent().unwrap().to_owned();
    let said = Said::from(client(&folder, &address, &asked, "calls").output().unwrap());
    assert_eq!(said.ok().json(), every_kind());

    let mut load = client(&folder, &address, &asked, "load").spawn().unwrap();
    let mut printed = BufReader::new(load.stdout.take().unwrap());
    printed.read_line(&mut String::new()).unwrap();
    for version in ["two", "three", "four", "five", "six"] {
        host.deploy("shop", &source(&host, version)).ok();
    }
    host.run(&["rollback", "--project", "shop"]).ok();
    drop(load.stdin.take());
    let mut report = String::new();
    printed.read_to_string(&mut report).unwrap();
    Said::from(load.wait_with_output().unwrap()).ok();
    let report: Value = serde_json::from_str(&report).unwrap();
    println!("{report}");
    assert_eq!(report["failed"], json!([]));
    assert!(report["made"].as_u64().unwrap() > 200, "{report}");
    assert!(report["versions"].as_array().unwrap().len() >= 6, "{report}");
}

#[test]
fn calls_of_every_kind_arrive_over_tls() {
    let host = Installation::start_tls();
    host.deploy("shop", &source(&host, "one")).ok();
    let folder = host.sources().parent().unwrap().to_owned();
    let data = host.data();
    let authority = host
        .run(&["trust", "--data", data.to_str().unwrap(), "--print"])
        .ok();
    let port = host.https.unwrap();
    let asked = format!("shop.localhost:{port}");
    let mut client = client(&folder, &format!("127.0.0.1:{port}"), &asked, "calls");
    let said = Said::from(client.arg(authority.out.trim()).output().unwrap());
    assert_eq!(said.ok().json(), every_kind());
}
