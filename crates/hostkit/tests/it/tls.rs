//! `up --tls`: a deploy that is proved through the front door, plain HTTP sent to https, sockets that outlive both, and
//! certificates that are brought.

use std::process::{Command, Output};

use crate::harness::{Installation, Said, wait_until};

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

/// A folder that is the home of an account, with what it wrote to the system's list of authorities: commands run as on
/// a machine of their own, whose list nobody else sees.
struct Machine(tempfile::TempDir);

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (from, name) in [("/etc/ssl", "list"), ("/usr/local/share/ca-certificates", "own")] {
            let to = folder.path().join(name);
            let copied = Command::new("cp").arg("-a").arg(from).arg(&to).status().unwrap();
            assert!(copied.success());
        }
        std::fs::create_dir(folder.path().join("home")).unwrap();
        Machine(folder)
    }

    fn run(&self, program: &str, arguments: &[&str]) -> Output {
        let mounts = "mount --bind \"$0/list\" /etc/ssl && \
            mount --bind \"$0/own\" /usr/local/share/ca-certificates && exec \"$@\"";
        Command::new("unshare")
            .args(["--mount", "--user", "--map-root-user", "sh", "-c", mounts])
            .arg(self.0.path())
            .arg(program)
            .args(arguments)
            .env("HOME", self.0.path().join("home"))
            .env_remove("XDG_DATA_HOME")
            .env("NO_COLOR", "1")
            .output()
            .unwrap()
    }

    /// What `hostkit trust` says.
    fn trust(&self, host: &Installation, more: &[&str]) -> Said {
        let data = host.data();
        let arguments = [&["trust", "--data", data.to_str().unwrap()], more].concat();
        Said::from(self.run(env!("CARGO_BIN_EXE_hostkit"), &arguments))
    }

    /// What curl gets that is told of no authority.
    fn curl(&self, host: &Installation) -> Output {
        let port = host.https.unwrap();
        let resolve = format!("shop.localhost:{port}:127.0.0.1");
        let url = format!("https://shop.localhost:{port}/");
        let asked = [
            "--silent",
            "--show-error",
            "--max-time",
            "60",
            "--resolve",
            &resolve,
            &url,
        ];
        self.run("curl", &asked)
    }

    /// The page as Chromium shows it.
    fn chromium(&self, host: &Installation) -> String {
        let url = format!("https://shop.localhost:{}/", host.https.unwrap());
        let asked = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--dump-dom",
            &url,
        ];
        String::from_utf8_lossy(&self.run("chromium", &asked).stdout).into_owned()
    }
}

#[test]
fn programs_and_browsers_trust_it_after_hostkit_trust() {
    let host = Installation::start_tls();
    let folder = host.sources().join("shop");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("index.html"), "<p>hello</p>").unwrap();
    host.deploy("shop", &folder).ok();
    let machine = Machine::new();
    assert!(!machine.curl(&host).status.success());
    assert!(!machine.chromium(&host).contains("<p>hello</p>"));

    let said = machine.trust(&host, &["--json"]).ok().json();
    let outcomes = |said: &serde_json::Value| -> Vec<String> {
        let places = said["places"].as_array().unwrap().iter();
        places
            .map(|place| {
                format!(
                    "{} {}",
                    place["of"].as_str().unwrap(),
                    place["outcome"].as_str().unwrap()
                )
            })
            .collect()
    };
    assert_eq!(outcomes(&said), ["the system added", "Chromium added"], "{said}");
    let curl = machine.curl(&host);
    assert_eq!(String::from_utf8_lossy(&curl.stdout), "<p>hello</p>", "{curl:?}");
    assert!(machine.chromium(&host).contains("<p>hello</p>"));
    let again = machine.trust(&host, &["--json"]).ok().json();
    assert_eq!(outcomes(&again), ["the system unchanged", "Chromium unchanged"]);
    let printed = machine.trust(&host, &["--print"]).ok().out;
    assert_eq!(printed.trim(), said["certificate"].as_str().unwrap());

    let gone = machine.trust(&host, &["--remove", "--json"]).ok().json();
    assert_eq!(outcomes(&gone), ["the system removed", "Chromium removed"]);
    assert!(!machine.curl(&host).status.success());
    assert!(!machine.chromium(&host).contains("<p>hello</p>"));

    // Without an authority there is nothing to trust.
    let plain = Installation::start();
    let said = machine.trust(&plain, &[]).failed();
    assert!(said.err.contains("hostkit up --tls"), "{said:?}");
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
