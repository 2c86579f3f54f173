//! Variables arrive byte for byte wherever they are used (ACCEPTANCE A31, A32), and nowhere else (A33).

use crate::harness::{Installation, projects};

/// Values that others have mangled.
pub(crate) const CORPUS: [(&str, &str); 20] = [
    ("DOLLAR", "$"),
    ("DOLLARS", "$$ a$b $HOME ${HOME} $(id) `id`"),
    ("SINGLE", "it's 'quoted'"),
    ("DOUBLE", "say \"hi\""),
    ("BACKSLASH", "a\\b\\\\c\\n\\"),
    ("HASH", "before #after # more"),
    ("EQUALS", "a=b==c="),
    ("SPACES", "  two on both sides  "),
    ("ONLY_SPACE", " "),
    ("NEWLINE", "one\ntwo\n"),
    ("CRLF", "one\r\ntwo"),
    ("TAB", "a\tb"),
    ("EMPTY", ""),
    ("JSON", "{\"a\":[1,\"two\",{\"b\":null}],\"c\":\"\\u00e9\\n\"}"),
    (
        "PEM",
        "-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkqhkiG9w0BAQEFAASC\nBKcwggSjAgEAAoIBAQ==\n-----END PRIVATE KEY-----\n",
    ),
    (
        "BCRYPT",
        "$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW",
    ),
    ("EMOJI", "grüße 🚀 \u{200b}zero width"),
    ("BANG", "!important !! %PATH% ^&*()|;<>"),
    (
        "URL",
        "postgres://u:p%40ss@db.example.com:5432/x?sslmode=require&a=b#frag",
    ),
    ("EXPORT", "export X=1; echo 'y'"),
];

#[test]
fn the_corpus_arrives_in_build_process_and_one_off_commands_byte_for_byte() {
    let host = Installation::start();
    host.run(&["project", "create", "shop"]).ok();
    let pairs: Vec<String> = CORPUS
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut arguments = vec!["env", "set", "--project", "shop"];
    arguments.extend(pairs.iter().map(String::as_str));
    host.run(&arguments).ok();

    let folder = projects::node(&host.sources(), "shop", "here");
    let record = "const names = NAMES; require('fs').writeFileSync('built.json', JSON.stringify(names.map(n => process.env[n] ?? null)))";
    let names = serde_json::to_string(&CORPUS.map(|(name, _)| name)).unwrap();
    std::fs::write(folder.join("build.js"), record.replace("NAMES", &names)).unwrap();
    let package =
        r#"{"name":"app","version":"1.0.0","scripts":{"build":"node build.js","start":"node server.js"}}"#;
    std::fs::write(folder.join("package.json"), package).unwrap();
    host.deploy("shop", &folder).ok();

    let built = host
        .run(&["run", "--project", "shop", "--", "cat", "built.json"])
        .ok()
        .out;
    let built: Vec<Option<String>> = serde_json::from_str(built.trim()).unwrap();
    for ((name, value), built) in CORPUS.iter().zip(built) {
        assert_eq!(built.as_deref(), Some(*value), "{name} in the build");
        let answer = host.get("shop", &format!("/env?name={name}"));
        let seen: Option<String> = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(seen.as_deref(), Some(*value), "{name} in the process");
        let script = format!("process.stdout.write(process.env.{name})");
        let said = host
            .run(&["run", "--project", "shop", "--", "node", "-e", &script])
            .ok();
        assert_eq!(said.out, *value, "{name} in a one-off command");
    }
}

#[test]
fn export_and_import_give_the_same_bytes_and_shells_read_them_too() {
    let host = Installation::start();
    host.run(&["project", "create", "shop"]).ok();
    host.run(&["project", "create", "copy"]).ok();
    let pairs: Vec<String> = CORPUS
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    let mut arguments = vec!["env", "set", "--project", "shop"];
    arguments.extend(pairs.iter().map(String::as_str));
    host.run(&arguments).ok();
    let text = host.run(&["env", "export", "--project", "shop"]).ok().out;
    host.run_with_input(&["env", "import", "-", "--project", "copy"], &text)
        .ok();
    assert_eq!(host.run(&["env", "export", "--project", "copy"]).ok().out, text);
    for (name, value) in CORPUS {
        let said = host.run(&["env", "get", name, "--project", "copy"]).ok().out;
        assert_eq!(said.strip_suffix('\n').unwrap_or(&said), value, "{name}");
    }
    let file = host.data().join("exported.env");
    std::fs::write(&file, &text).unwrap();
    for (name, value) in CORPUS {
        let output = std::process::Command::new("/bin/sh")
            .args([
                "-c",
                "set -a; . \"$1\"; exec printenv \"$2\"",
                "sh",
                file.to_str().unwrap(),
                name,
            ])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8(output.stdout).unwrap(),
            format!("{value}\n"),
            "{name} read by a shell"
        );
    }
}

#[test]
fn a_process_sees_its_own_variables_and_nothing_of_the_machine() {
    let host = Installation::start_with(&[("SECRET_OF_THE_OPERATOR", "do not pass on")]);
    host.deploy("shop", &projects::node(&host.sources(), "shop", "here"))
        .ok();
    let names: Vec<String> = serde_json::from_str(&host.get("shop", "/names").body).unwrap();
    let expected = [
        "HOME",
        "HOST",
        "HOSTKIT_ENVIRONMENT",
        "HOSTKIT_RELEASE",
        "LANG",
        "NODE_ENV",
        "PATH",
        "PORT",
        "PROJECT_NAME",
        "USER",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_planted_secret_shows_up_nowhere() {
    let host = Installation::start();
    host.run(&["project", "create", "shop"]).ok();
    let canary = "hk-canary-7Yb2/kQ9+zz=x1";
    host.run_with_input(&["env", "set", "CANARY", "--stdin", "--project", "shop"], canary)
        .ok();
    let folder = projects::node(&host.sources(), "shop", "here");
    let package = r#"{"name":"app","version":"1.0.0","scripts":{"build":"node -e \"console.log('plain', process.env.CANARY, Buffer.from(process.env.CANARY).toString('base64'), encodeURIComponent(process.env.CANARY))\"","start":"node server.js"}}"#;
    std::fs::write(folder.join("package.json"), package).unwrap();
    let deploy = host
        .run(&["deploy", folder.to_str().unwrap(), "--project", "shop"])
        .ok();
    let mut seen = vec![("deploy".to_owned(), deploy.all())];
    for command in [
        vec!["env", "list", "--project", "shop"],
        vec!["env", "list", "--json", "--project", "shop"],
        vec!["project", "show", "shop", "--json"],
        vec!["releases", "--json", "--project", "shop"],
        vec!["deployments", "--json", "--project", "shop"],
        vec!["ps", "--json", "--project", "shop"],
        vec!["events", "--json"],
        vec!["status", "--json"],
        vec!["doctor"],
    ] {
        seen.push((command.join(" "), host.run(&command).all()));
    }
    for pid in host.processes() {
        let arguments = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        seen.push((
            format!("arguments of {pid}"),
            String::from_utf8_lossy(&arguments).into_owned(),
        ));
    }
    // Everything on disk but what must hold it: `.env` and the private specification of the instance.
    for entry in walk(&host.data()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if name == ".env" || name == "spec.json" {
            continue;
        }
        seen.push((
            entry.display().to_string(),
            String::from_utf8_lossy(&std::fs::read(&entry).unwrap_or_default()).into_owned(),
        ));
    }
    let base64 = "aGstY2FuYXJ5LTdZYjIva1E5K3p6PXgx";
    let encoded = "hk-canary-7Yb2%2FkQ9%2Bzz%3Dx1";
    for (place, text) in seen {
        for form in [canary, base64, encoded] {
            assert!(!text.contains(form), "`{form}` shows up in {place}");
        }
    }
    assert_eq!(
        host.run(&["env", "get", "CANARY", "--project", "shop"])
            .ok()
            .out
            .trim_end(),
        canary
    );
}

fn walk(folder: &std::path::Path) -> Vec<std::path::PathBuf> {
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

#[test]
fn a_rollback_brings_the_variables_of_that_release_back() {
    let host = Installation::start();
    host.run(&["project", "create", "shop"]).ok();
    host.run(&["env", "set", "COLOUR=red", "--project", "shop"]).ok();
    let folder = projects::node(&host.sources(), "shop", "here");
    host.deploy("shop", &folder).ok();
    host.run(&["env", "set", "COLOUR=blue", "--apply", "--project", "shop"])
        .ok();
    assert_eq!(host.get("shop", "/env?name=COLOUR").body, "\"blue\"");
    host.run(&["rollback", "--project", "shop"]).ok();
    assert_eq!(host.get("shop", "/env?name=COLOUR").body, "\"red\"");
}
