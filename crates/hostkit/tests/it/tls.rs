//! `up --tls`: a deploy that is proved through the front door, plain HTTP sent to https, sockets that outlive both, and
//! certificates that are brought.

use std::process::Command;

use crate::harness::{Installation, wait_until};

/// What curl says of a path of the project `shop` over TLS.
fn get(host: &Installation, path: &str) -> String {
    let port = host.https.unwrap();
    let output = Command::new("curl")
        .args(["--silent", "--insecure", "--max-time", "60"])
        .args(["--write-out", " %{http_version} %{http_code}"])
        .args(["--resolve", &format!("shop.localhost:{port}:127.0.0.1")])
        .arg(format!("https://shop.localhost:{port}{path}"))
        .output()
        .unwrap();
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn projects_answer_over_tls_and_plain_http_is_sent_there() {
    let mut host = Installation::start_tls();
    let folder = host.sources().join("shop");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("index.html"), "hello").unwrap();
    host.deploy("shop", &folder).ok();
    assert_eq!(get(&host, "/"), "hello 2 200");
    let answer = host.get("shop", "/a?b");
    let there = format!("https://shop.localhost:{}/a?b", host.https.unwrap());
    assert_eq!(
        (answer.status, answer.header("location")),
        (301, Some(there.as_str()))
    );
    let status = host.run(&["status", "--json"]).ok().json();
    let address = format!("https://localhost:{}", host.https.unwrap());
    assert_eq!(status["front_door"], address.as_str());

    // Connections wait while the front door is started again, and the port stays the same when all of it is.
    host.kill("proxy");
    assert_eq!(get(&host, "/"), "hello 2 200");
    host.kill("supervisor");
    host.up();
    wait_until("it answers", || get(&host, "/") == "hello 2 200");
    std::fs::write(folder.join("index.html"), "again").unwrap();
    host.deploy("shop", &folder).ok();
    assert_eq!(get(&host, "/"), "again 2 200");
}

#[test]
fn certificates_are_listed_and_one_that_is_brought_is_shown_until_it_is_removed() {
    let host = Installation::start_tls();
    let folder = host.sources().join("shop");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("index.html"), "hello").unwrap();
    host.deploy("shop", &folder).ok();
    let source = || {
        let listed = host.run(&["cert", "list", "--json"]).ok().json();
        let all = listed.as_array().unwrap().iter();
        let shown = all
            .filter(|one| one["state"] == "served")
            .find(|one| one["name"] == "shop.localhost");
        shown.map(|one| one["source"].clone())
    };
    wait_until("it has one of our own", || source() == Some("local".into()));
    let made = rcgen::generate_simple_self_signed(vec!["shop.localhost".to_owned()]).unwrap();
    let (chain, key) = (host.sources().join("chain.pem"), host.sources().join("key.pem"));
    std::fs::write(&chain, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let (chain, key) = (chain.to_str().unwrap(), key.to_str().unwrap());
    host.run(&["cert", "import", chain, key]).ok();
    assert_eq!(source(), Some("imported".into()));
    assert_eq!(get(&host, "/"), "hello 2 200");
    host.run(&["cert", "remove", "shop.localhost"]).ok();
    assert_eq!(source(), Some("local".into()));
    host.run(&["cert", "renew", "shop.localhost"]).ok();
    let events = host.run(&["events", "--project", "shop"]).ok().out;
    for words in ["imported by", "removed by"] {
        let line = format!("certificate of shop.localhost {words}");
        assert!(events.contains(&line), "{events}");
    }
    let unknown = host.run(&["cert", "remove", "nobody.example"]).failed();
    assert!(unknown.err.contains("none was imported for it"), "{unknown:?}");
}
