//! Programs that others wrote, over TLS: a browser, `h2load` and `curl`. `script/setup.sh` installs them.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

use crate::harness::{Installation, projects, wait_until};

/// Asks for a hundred things at once, opens a WebSocket, and says how it went.
const PAGE: &str = r"<!doctype html><title>page</title><script>
const all = async () => {
  const echo = new Promise((heard, failed) => {
    const socket = new WebSocket(`wss://${location.host}/ws`);
    socket.onopen = () => socket.send('from a page');
    socket.onmessage = message => heard(message.data);
    socket.onerror = () => failed('the socket failed');
  });
  const paths = [...Array(100).keys()].map(number => `/headers?${number}`);
  const answers = await Promise.all(paths.map(path => fetch(path)));
  const spoken = performance.getEntriesByType('resource').filter(entry => entry.name.includes('/headers?'));
  const by = [...new Set(spoken.map(entry => entry.nextHopProtocol))];
  return `${answers.filter(answer => answer.ok).length} ${by} ${await echo} ${isSecureContext}`;
};
all().catch(String).then(text => fetch('/report?text=' + encodeURIComponent(text)));
</script>";

fn installation() -> Installation {
    let host = Installation::start_tls();
    host.deploy("shop", &projects::node(&host.sources(), "shop", PAGE))
        .ok();
    host
}

fn run(program: &str, arguments: &[&str]) -> Output {
    Command::new(program)
        .args(arguments)
        .output()
        .unwrap_or_else(|why| panic!("cannot start `{program}`: {why}; `script/setup.sh` installs it"))
}

fn text(output: &Output) -> String {
    let [out, err] =
        [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    out + &err
}

/// A browser, until it is dropped.
struct Browser(Child);

impl Browser {
    /// Opens an address, trusting an authority as its user would.
    fn open(home: &Path, authority: &Path, address: &str) -> Self {
        let database = home.join(".pki/nssdb");
        std::fs::create_dir_all(&database).unwrap();
        let database = format!("sql:{}", database.display());
        let trusted = authority.to_str().unwrap();
        for arguments in [
            &["-N", "--empty-password"][..],
            &["-A", "-t", "C,,", "-n", "HostKit", "-i", trusted],
        ] {
            let said = run("certutil", &[&["-d", &database], arguments].concat());
            assert!(said.status.success(), "{}", text(&said));
        }
        let log = std::fs::File::create(home.join("browser.log")).unwrap();
        let started = Command::new("chromium")
            .args([
                "--headless=new",
                "--no-sandbox",
                "--disable-gpu",
                "--disable-dev-shm-usage",
            ])
            .args([
                "--no-first-run",
                "--disable-background-networking",
                "--remote-debugging-port=0",
            ])
            .arg(format!("--user-data-dir={}", home.join("profile").display()))
            .arg(address)
            .env("HOME", home)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn();
        Browser(
            started.unwrap_or_else(|why| {
                panic!("cannot start `chromium`: {why}; `script/setup.sh` installs it")
            }),
        )
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // In order, so that it ends its helpers.
        let browser = nix::unistd::Pid::from_raw(self.0.id() as i32);
        nix::sys::signal::kill(browser, nix::sys::signal::Signal::SIGTERM).ok();
        self.0.wait().ok();
    }
}

#[test]
fn a_browser_trusts_the_authority_of_this_machine_and_speaks_http2_and_websocket() {
    let host = installation();
    let home = tempfile::tempdir().unwrap();
    let authority = host.data().join("proxy/certificates/authority/ca.pem");
    let address = format!("https://shop.localhost:{}/page", host.https.unwrap());
    let browser = Browser::open(home.path(), &authority, &address);
    let reported = || {
        let port = host.https.unwrap();
        let resolve = format!("shop.localhost:{port}:127.0.0.1");
        let address = format!("https://shop.localhost:{port}/reported");
        let said = run(
            "curl",
            &["--silent", "--insecure", "--resolve", &resolve, &address],
        );
        String::from_utf8_lossy(&said.stdout).into_owned()
    };
    wait_until("the page says how it went", || !reported().is_empty());
    let log = std::fs::read_to_string(home.path().join("browser.log")).unwrap();
    assert_eq!(reported(), "100 h2 from a page true", "{log}");
    drop(browser);
}

#[test]
fn h2load_is_answered_all_it_asks_by_both_protocols() {
    let host = installation();
    let port = host.https.unwrap();
    let to = format!("--connect-to=127.0.0.1:{port}");
    let address = format!("https://shop.localhost:{port}/headers");
    for (protocol, at_once) in [("--npn-list=h2", "-m50"), ("--h1", "-m1")] {
        let said = run(
            "h2load",
            &[protocol, at_once, "-n2000", "-c20", "-t1", &to, &address],
        );
        let said = text(&said);
        println!("{said}");
        for line in [
            "requests: 2000 total, 2000 started, 2000 done, 2000 succeeded, 0 failed, 0 errored, 0 timeout",
            "status codes: 2000 2xx, 0 3xx, 0 4xx, 0 5xx",
        ] {
            assert!(said.contains(line), "{protocol}: {said}");
        }
    }
}

#[test]
fn curl_speaks_every_version_and_sends_a_body() {
    let host = installation();
    let port = host.https.unwrap();
    let resolve = format!("shop.localhost:{port}:127.0.0.1");
    let address = format!("https://shop.localhost:{port}/upload");
    let always = [
        "--silent",
        "--insecure",
        "--max-time",
        "60",
        "--resolve",
        &resolve,
    ];
    let body = host.sources().join("body");
    std::fs::write(&body, vec![b'x'; 1 << 20]).unwrap();
    let body = format!("@{}", body.display());
    for (version, tls, spoken) in [
        ("--http2", "--tlsv1.3", "2 200"),
        ("--http2", "--tls-max 1.2", "2 200"),
        ("--http1.1", "--tlsv1.3", "1.1 200"),
        ("--http1.0", "--tlsv1.2", "1 200"),
    ] {
        let tls: Vec<&str> = tls.split(' ').collect();
        for (sent, length) in [(&[][..], 0), (&["--data-binary", &body], 1 << 20)] {
            let told = ["--write-out", " %{http_version} %{http_code}"];
            let line = [&always[..], &[version], &tls, sent, &told, &[&address]].concat();
            let said = run("curl", &line);
            assert_eq!(text(&said), format!("{length} {spoken}"), "{line:?}");
            assert!(said.status.success(), "{line:?}");
        }
    }
}
