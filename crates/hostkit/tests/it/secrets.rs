//! A secret of each kind is planted, everything is done that could show it, and it is looked for everywhere (ACCEPTANCE A33,
//! S20). It may be in the environment of the project's own programs and in files that their owner alone can read; it is
//! encrypted in the state, and nowhere else.

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use crate::harness::{Installation, projects, wait_until};

/// The secrets that are looked for, each with what it is.
struct Planted(Vec<(String, String)>);

impl Planted {
    fn add(&mut self, what: &str, secret: &str) {
        assert!(
            secret.len() >= 16,
            "{what} is too short to be looked for: {secret}"
        );
        self.0.push((what.to_owned(), secret.to_owned()));
    }

    /// What of them a text shows, in any form in which programs print them.
    fn shown_in(&self, bytes: &[u8]) -> Vec<&str> {
        let text = String::from_utf8_lossy(bytes);
        let shows = |secret: &str| {
            let json = serde_json::to_string(secret).unwrap();
            let url: String = url_encoded(secret);
            let forms = [
                secret.to_owned(),
                json[1..json.len() - 1].to_owned(),
                url,
                // Without the last characters, which may share bytes with what stands behind.
                without_end(STANDARD.encode(secret)),
                without_end(URL_SAFE_NO_PAD.encode(secret)),
            ];
            forms.iter().any(|form| text.contains(form.as_str()))
        };
        self.0
            .iter()
            .filter(|(_, secret)| shows(secret))
            .map(|(what, _)| what.as_str())
            .collect()
    }

    #[track_caller]
    fn not_in(&self, place: &str, bytes: &[u8]) {
        let shown = self.shown_in(bytes);
        assert!(shown.is_empty(), "{shown:?} in {place}");
    }
}

fn url_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| match byte.is_ascii_alphanumeric() {
            true => char::from(byte).to_string(),
            false => format!("%{byte:02X}"),
        })
        .collect()
}

fn without_end(mut text: String) -> String {
    text.truncate(text.trim_end_matches('=').len() - 2);
    text
}

/// Of what was told before the rotation.
const REVOKED: &str = "at first";

/// Prints all that it knows in every form, when it is built and when it runs, and dies when it is told to.
fn talker(parent: &Path) -> PathBuf {
    let tell = r#"
const names = ['CANARY', 'MADE_UP', 'REDIS_URL', 'DATABASE_URL', 'DIRECT_URL', 'UPSTASH_REDIS_REST_TOKEN', 'UPSTASH_REDIS_REST_READ_ONLY_TOKEN'];
for (const name of names) {
  const value = process.env[name] ?? '';
  console.log(name, value);
  console.error(JSON.stringify({ value }), encodeURIComponent(value));
  for (const before of ['', 'u', 'us']) console.log(Buffer.from(before + value).toString('base64'), Buffer.from(before + value).toString('base64url'));
}
console.log(JSON.stringify(process.env));
"#;
    let server = format!(
        "{tell}\nrequire('http').createServer((request, response) => {{
  if (request.url === '/die') {{ console.error(process.env); process.abort(); }}
  response.end('ok');
}}).listen(Number(process.env.PORT), process.env.HOST);"
    );
    projects::folder(
        parent,
        "talker",
        &[
            ("tell.js", tell),
            ("server.js", &server),
            (
                "package.json",
                r#"{"name":"app","version":"1.0.0","scripts":{"build":"node tell.js","start":"node server.js"}}"#,
            ),
            ("hostkit.toml", "[variables.generate]\nMADE_UP = \"64 hex\"\n"),
        ],
    )
}

/// What the project's programs are told, as its `.env` has it.
fn told(host: &Installation, name: &str) -> String {
    let file = host.data().join("projects/shop/environments/production/.env");
    let text = std::fs::read_to_string(file).unwrap();
    let begin = format!("{name}=");
    let value = text.lines().find_map(|line| line.strip_prefix(&begin));
    value.expect(name).trim_matches(['"', '\'']).to_owned()
}

/// The password of `redis://user:PASSWORD@host`.
fn password(url: &str) -> &str {
    let (_, rest) = url.split_once("://").unwrap();
    rest.split_once('@').unwrap().0.split_once(':').unwrap().1
}

fn plant_what_is_told(host: &Installation, planted: &mut Planted, when: &str) {
    for name in ["REDIS_URL", "DATABASE_URL"] {
        planted.add(&format!("password of {name} {when}"), password(&told(host, name)));
    }
    for name in ["UPSTASH_REDIS_REST_TOKEN", "UPSTASH_REDIS_REST_READ_ONLY_TOKEN"] {
        planted.add(&format!("{name} {when}"), &told(host, name));
    }
}

#[test]
fn a_secret_of_each_kind_is_nowhere_but_where_it_must_be() {
    let host = Installation::start();
    let mut planted = Planted(Vec::new());
    host.run(&["project", "create", "shop", "--with-redis", "--with-db"])
        .ok();
    let canary = "hk-canary/7Yb2+kQ9 \"zz\"=x1";
    planted.add("the user's variable", canary);
    let mut set = host
        .prepared(&["env", "set", "CANARY", "--stdin", "-p", "shop"])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    set.stdin.take().unwrap().write_all(canary.as_bytes()).unwrap();
    assert!(set.wait().unwrap().success());
    let token = host.run(&["token", "create", "ci", "--project", "shop", "--json"]);
    planted.add("the token of ci", token.ok().json()["secret"].as_str().unwrap());
    let token = std::fs::read_to_string(host.data().join("token")).unwrap();
    planted.add("the administrator's token", token.trim());
    let key = std::fs::read_to_string(host.data().join("key")).unwrap();
    planted.add("the master key", key.trim().rsplit(' ').next().unwrap());

    let folder = talker(&host.sources());
    let mut seen: Vec<(String, String)> = Vec::new();
    let mut run = |arguments: &[&str]| {
        let said = host.run(arguments);
        seen.push((arguments.join(" "), said.all()));
        said
    };
    run(&["deploy", folder.to_str().unwrap(), "-p", "shop"]).ok();
    planted.add("the variable that was made up", &told(&host, "MADE_UP"));
    plant_what_is_told(&host, &mut planted, REVOKED);
    assert_eq!(host.get("shop", "/").body, "ok");

    // It crashes, gets new credentials, a new master key, another release, and one that fails.
    host.get("shop", "/die");
    wait_until("it runs again", || host.get("shop", "/").body == "ok");
    for kind in ["redis", "postgres"] {
        run(&["addon", "rotate", "shop", kind]).ok();
        let list = || host.run(&["addon", "list", "shop", "--json"]).ok().json();
        wait_until("the end of the rotation", || {
            list()
                .as_array()
                .unwrap()
                .iter()
                .all(|addon| addon["rotation"].is_null())
        });
    }
    plant_what_is_told(&host, &mut planted, "after the rotation");
    run(&["vault", "rotate-key"]).ok();
    let key = std::fs::read_to_string(host.data().join("key")).unwrap();
    planted.add("the new master key", key.trim().rsplit(' ').next().unwrap());
    let broken = folder.join("package.json");
    let good = std::fs::read(&broken).unwrap();
    std::fs::write(
        &broken,
        r#"{"name":"app","version":"1.0.0","scripts":{"build":"node tell.js && exit 3","start":"node server.js"}}"#,
    )
    .unwrap();
    run(&["deploy", folder.to_str().unwrap(), "-p", "shop"]).failed();
    run(&["deploy", folder.to_str().unwrap(), "-p", "shop", "--json"]).failed();
    std::fs::write(&broken, good).unwrap();
    run(&["restart", "-p", "shop"]).ok();
    run(&["run", "-p", "shop", "--", "node", "--version"]).ok();

    for command in [
        "status",
        "doctor",
        "doctor shop",
        "project list",
        "project show shop",
        "releases -p shop",
        "deployments -p shop",
        "deployments show 1 -p shop",
        "deployments log 1 -p shop",
        "ps -p shop",
        "logs -p shop",
        "events",
        "env list -p shop",
        "env history -p shop",
        "addon list shop",
        "token list",
        "domain list -p shop",
    ] {
        let words: Vec<&str> = command.split(' ').collect();
        run(&words);
        run(&[words.as_slice(), &["--json"]].concat());
    }
    for (place, text) in &seen {
        let mut shown = planted.shown_in(text.as_bytes());
        if place.starts_with("logs ") {
            // What a program printed before a rotation opens nothing any more, and nobody knows it any more.
            shown.retain(|what| !what.ends_with(REVOKED));
        }
        assert!(shown.is_empty(), "{shown:?} in {place}");
    }
    // So that the search proves something: what it looked through did have the output of the program.
    let logs = &seen.iter().find(|(place, _)| place == "logs -p shop").unwrap().1;
    assert!(logs.contains("[masked]") && logs.contains("MADE_UP"), "{logs}");

    look_at_processes(&host, &planted);
    look_at_files(&host, &planted);
}

/// Arguments of no process, and the environment of none but the project's own programs; and none may leave a core dump.
fn look_at_processes(host: &Installation, planted: &Planted) {
    let mut own = 0;
    for pid in host.processes() {
        let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
        let (arguments, environment) = (read("cmdline"), read("environ"));
        let name = String::from_utf8_lossy(&arguments).replace('\0', " ");
        planted.not_in(&format!("the arguments of `{name}`"), &arguments);
        let environment_text = String::from_utf8_lossy(&environment);
        if environment_text.contains("HOSTKIT_RELEASE=") {
            own += 1;
        } else {
            planted.not_in(&format!("the environment of `{name}`"), &environment);
        }
        let limits = String::from_utf8_lossy(&read("limits")).into_owned();
        let core = limits.lines().find(|line| line.starts_with("Max core file size"));
        if let Some(core) = core {
            assert!(
                core.split_whitespace().nth(4) == Some("0"),
                "`{name}` may leave a core dump: {core}"
            );
        }
    }
    assert!(own >= 1, "the program does not run");
}

/// Files that have one: each for its owner alone, and each of a kind that is known.
fn look_at_files(host: &Installation, planted: &Planted) {
    let mut with_secrets = Vec::new();
    for path in walk(&host.data()) {
        let shown = planted.shown_in(&std::fs::read(&path).unwrap_or_default());
        if shown.is_empty() {
            continue;
        }
        let place = path
            .strip_prefix(host.data())
            .unwrap()
            .to_string_lossy()
            .into_owned();
        let mode = std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            mode & 0o077,
            0,
            "{shown:?} in `{place}`, which others may read ({mode:o})"
        );
        with_secrets.push((place, format!("{shown:?}")));
    }
    for (place, shown) in with_secrets {
        assert!(must_have_some(&place), "{shown} in `{place}`");
    }
    let kept: Vec<PathBuf> = walk(&host.sources());
    for path in kept {
        planted.not_in(&path.display().to_string(), &std::fs::read(&path).unwrap());
    }
}

/// Where a secret has to be, for a server or a program to have it; and what the project's own program printed, which lies as
/// it was printed and is hidden where it is shown.
fn must_have_some(place: &str) -> bool {
    let name = place.rsplit('/').next().unwrap();
    matches!(place, "key" | "token")
        || matches!(name, ".env" | "spec.json")
        || place.starts_with("services/")
        || place.starts_with("projects/shop/environments/production/logs/")
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let kind = entry.file_type().unwrap();
        if kind.is_dir() {
            found.extend(walk(&entry.path()));
        } else if kind.is_file() {
            found.push(entry.path());
        }
    }
    found
}
