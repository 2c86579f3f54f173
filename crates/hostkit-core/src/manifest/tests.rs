//! The manifest: what reads, what is refused and in which words, and that nothing sent can make it panic.

use proptest::prelude::*;

use super::*;

const FULL: &str = r#"
name = "shop"
hosts = ["shop.example.com", "www.example.com", "*.shop.example.com"]
keep = ["uploads", "data/app.db"]

[build]
builder = "node"
install = "npm ci"
command = ["npm", "run", "build"]
output = "dist"
single_page = true
node = ">=18.17"
python = "3.11"
timeout = "20m"
memory = "1.5GB"

[process.web]
command = "node server.js"
count = 3
port_variable = "SERVER_PORT"
drain = "1m"
memory = "512MB"
cpus = 1.5
sticky = true
protocol = "h2c"
health = { path = "/healthz?deep=1", ready = "/ready", interval = "10s", timeout = "500ms", failures = 5, start_period = "2m" }
stop = { signal = "SIGINT", grace = "20s" }

[process.worker]
command = ["node", "worker.js"]

[process.ml]
root = "ml"
directory = "src"
command = "uvicorn app:app"
internal = true
build = { builder = "python", memory = "8GB" }

[variables]
required = ["DATABASE_URL"]
rotate_every = "30d"

[variables.defaults]
LOG_LEVEL = "info"
GREETING = "a $b 'c' \"d\""

[releases]
keep = 9
command = "npm run migrate"

[[cron]]
name = "nightly"
schedule = "0 3 * * mon-fri"
command = "node nightly.js"
"#;

fn problems(text: &str) -> Vec<String> {
    match parse(text) {
        Ok(_) => Vec::new(),
        Err(found) => found.problems.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn nothing_at_all_is_a_manifest() {
    assert_eq!(parse("").unwrap(), Manifest::default());
    assert_eq!(
        parse("\u{feff}# only a comment\r\n").unwrap(),
        Manifest::default()
    );
    assert_eq!(parse("[build]\n[process]\n").unwrap(), Manifest::default());
}

#[test]
fn every_key_arrives() {
    let manifest = parse(FULL).unwrap();
    assert_eq!(manifest.name.as_ref().unwrap().as_str(), "shop");
    let hosts: Vec<String> = manifest.hosts.iter().map(ToString::to_string).collect();
    assert_eq!(
        hosts,
        ["shop.example.com", "www.example.com", "*.shop.example.com"]
    );
    assert_eq!(manifest.keep[1].as_str(), "data/app.db");
    assert_eq!(manifest.build.builder.as_deref(), Some("node"));
    assert_eq!(
        manifest.build.command,
        Some(Command::Arguments(vec![
            "npm".into(),
            "run".into(),
            "build".into()
        ]))
    );
    assert_eq!(manifest.build.memory, ByteSize::mib(1536));
    assert_eq!(manifest.build.timeout, Span::secs(1200));
    assert!(manifest.build.single_page);
    let web = &manifest.processes[&ProcessName::web()];
    assert_eq!(web.reach, Reach::Public);
    assert_eq!(
        (web.count, web.port_variable.as_str(), web.drain),
        (3, "SERVER_PORT", Span::secs(60))
    );
    assert_eq!(web.health.path.as_deref(), Some("/healthz?deep=1"));
    let readiness = web.health.readiness().unwrap();
    assert_eq!(
        (readiness.path.as_deref(), readiness.readiness()),
        (Some("/ready"), None)
    );
    assert_eq!(web.health.timeout.0.as_millis(), 500);
    assert_eq!(web.stop.signal, StopSignal::Int);
    let worker = &manifest.processes[&ProcessName::parse("worker").unwrap()];
    assert_eq!(worker.reach, Reach::Unreachable);
    assert!(web.sticky && !worker.sticky);
    assert_eq!(
        [web.health.protocol, worker.health.protocol],
        [Protocol::H2c, Protocol::Http1]
    );
    let ml = &manifest.processes[&ProcessName::parse("ml").unwrap()];
    assert_eq!(
        (ml.reach, ml.root.as_str(), ml.directory.as_str()),
        (Reach::Internal, "ml", "src")
    );
    assert_eq!(ml.build.as_ref().unwrap().memory, ByteSize::mib(8192));
    assert_eq!(manifest.releases, 9);
    assert_eq!(
        manifest.release_command,
        Some(Command::Line("npm run migrate".into()))
    );
    assert_eq!(
        manifest.defaults[&VariableName::parse("GREETING").unwrap()],
        "a $b 'c' \"d\""
    );
    assert_eq!(manifest.cron[0].schedule, "0 3 * * mon-fri");
}

#[test]
fn every_problem_is_told_at_once_with_its_place() {
    let text = "nmae = \"shop\"\n[build]\nbuilder = \"nodejs\"\n\n[process.web]\ncount = 65\n  helth = {}\ndrain = 10\n";
    let failure = parse(text).unwrap_err().into_failure(FILE_NAME);
    assert_eq!(failure.message, "cannot read `hostkit.toml`: 5 problems found");
    assert_eq!(
        failure.details,
        [
            "hostkit.toml:1:1: unknown key `nmae` (did you mean `name`?)",
            "hostkit.toml:3:11: `build.builder` cannot be `nodejs`: it is one of `python`, `node`, `nextjs`, `static` (did you mean `node`?)",
            "hostkit.toml:6:9: `process.web.count` cannot be 65: it is a whole number from 0 to 64",
            "hostkit.toml:7:3: unknown key `helth` (did you mean `health`?)",
            "hostkit.toml:8:9: `process.web.drain` is a duration in quotes such as `\"30s\"`, not a whole number (did you mean `\"10s\"`?)",
        ]
    );
}

/// One wrong thing each, and words its message has.
const REFUSED: &[(&str, &str)] = &[
    ("name = \"My_App\"", "did you mean `my-app`?"),
    (
        "name = 5",
        "is a text in quotes, not a whole number (did you mean `\"5\"`?)",
    ),
    ("hosts = \"a.example.com\"", "did you mean `[\"a.example.com\"]`?"),
    (
        "hosts = [\"https://a.example.com/\"]",
        "did you mean `a.example.com`?",
    ),
    ("hosts = [\"a.de\", \"a.de\"]", "names `a.de` twice"),
    ("keep = [\"/data\"]", "did you mean `data`?"),
    ("keep = [\"./data\"]", "did you mean `data`?"),
    ("keep = [\"../x\"]", "relative path"),
    ("keep = [\".\"]", "the whole folder cannot be kept"),
    ("keep = [\"data/a\", \"data\"]", "`data/a`, which lies in `data`"),
    ("command = \"x\"", "it belongs into `[build]` or `[process.NAME]`"),
    ("env = {}", "did you mean `variables`?"),
    ("zzz = 1", "the file knows `name`, `hosts`"),
    ("[build]\nnode = 20", "did you mean `\"20\"`?"),
    ("[build]\nnode = \"lts/iron\"", "is not a version"),
    ("[build]\ntimeout = \"0s\"", "from 1s to 24h"),
    ("[build]\ntimeout = \"5 hours\"", "duration such as"),
    (
        "[process.web]\ncpus = 0",
        "`process.web.cpus`: `0` is not a number of processors such as `0.5` or `2`",
    ),
    ("[process.web]\ncpus = nan", "is not a number of processors"),
    ("[process.web]\ncpus = -1.5", "is not a number of processors"),
    ("[process.web]\ncpus = \"2\"", "did you mean `2`?"),
    (
        "[build]\nmemory = \"512\"",
        "at least 16MB (did you mean `512MB`?)",
    ),
    ("[build]\nmemory = 512", "did you mean `\"512MB\"`?"),
    ("[build]\ncommand = []", "the first argument names the program"),
    ("[build]\ncommand = \" \"", "is not a command"),
    ("[build]\ncommand = [\"a\", 5]", "did you mean `\"5\"`?"),
    ("[build]\nsingle_page = \"yes\"", "did you mean `true`?"),
    ("[process.Web]", "did you mean `web`?"),
    (
        "[process]\nweb = \"npm start\"",
        "`process.web` is a table, not a text",
    ),
    ("[process.web]\ncount = -1", "from 0 to 64"),
    ("[process.web]\ncount = 99999999999999999999999", "from 0 to 64"),
    ("[process.web]\ncount = \"2\"", "did you mean `2`?"),
    ("[process.web]\nreplicas = 2", "did you mean `count`?"),
    ("[process.web]\nport = 3000", "did you mean `port_variable`?"),
    ("[process.web]\nport_variable = \"HOST\"", "has another meaning"),
    ("[process.web]\ndrain = \"301s\"", "from 0s to 5m"),
    (
        "[process.web]\npublic = true\ninternal = true",
        "both public and internal",
    ),
    (
        "[process.web]\n[process.site]\npublic = true",
        "`path = \"/site\"` and `process = \"site\"`",
    ),
    ("[process.web]\nbuild = {}", "needs a `root` of its own"),
    (
        "[process.web]\nroot = \".\"\nbuild = {}",
        "needs a `root` of its own",
    ),
    (
        "[process.web]\nroot=\"a\"\nbuild={node=\"1\"}\n[process.b]\nroot=\"a\"\nbuild={node=\"2\"}",
        "in different ways",
    ),
    (
        "[process.web.health]\npath = \"healthz\"",
        "did you mean `/healthz`?",
    ),
    (
        "[process.web.health]\npath = \"http://localhost:3000/up\"",
        "did you mean `/up`?",
    ),
    ("[process.web.health]\npath = \"//evil/up\"", "name no host"),
    (
        "[process.web.health]\npath = \"/up HTTP/1.1\\r\\nX: y\"",
        "percent-encoded",
    ),
    (
        "[process.web.health]\ncommand = \"curl localhost\"",
        "belongs into",
    ),
    ("[process.web.health]\ntimeout = \"0s\"", "from 1ms to"),
    ("[process.worker.health]\npath = \"/up\"", "add `internal = true`"),
    ("[process.web.stop]\nsignal = \"TERM\"", "did you mean `SIGTERM`?"),
    ("[process.web.stop]\ngrace = \"6m\"", "from 0s to 5m"),
    ("[releases]\nkeep = 1", "from 2 to"),
    (
        "[variables]\nrequired = [\"PORT\"]",
        "`PORT` is always set by HostKit",
    ),
    ("[variables]\nrequired = [\"my-key\"]", "did you mean `MY_KEY`?"),
    ("[variables.defaults]\nLEVEL = 3", "did you mean `\"3\"`?"),
    (
        "[variables.defaults]\nHOST = \"0.0.0.0\"",
        "always set by HostKit",
    ),
    ("[variables.defaults]\nA = \"a\\u0000b\"", "NUL"),
    ("[cron]\nname = \"a\"", "written with double brackets"),
    (
        "[[cron]]\nname = \"a\"\nschedule = \"0 3 * * *\"",
        "`cron` needs the key `command`",
    ),
    (
        "[[cron]]\nname = \"a\"\nschedule = \"@daily\"\ncommand = \"x\"",
        "did you mean `0 0 * * *`?",
    ),
    (
        "[[cron]]\nname = \"a\"\nschedule = \"61 * * * *\"\ncommand = \"x\"",
        "`61` is not a minute from 0 to 59",
    ),
    (
        "[[cron]]\nname = \"a\"\nschedule = \"* * 5-1 * *\"\ncommand = \"x\"",
        "not a day of month",
    ),
    (
        "[[cron]]\nname = \"a\"\nschedule = \"*/0 * * * *\"\ncommand = \"x\"",
        "not a minute",
    ),
    (
        "[[cron]]\nname = \"a\"\nschedule = \"* * * * *\"\ncommand = \"x\"\n[[cron]]\nname = \"a\"\nschedule = \"* * * * *\"\ncommand = \"x\"",
        "names `a` twice",
    ),
    (
        "[process.worker]\ncommand = \"x\"\nsticky = true",
        "`process.worker` has no port, so no visitor can stay",
    ),
    (
        "[process.worker]\ncommand = \"x\"\nprotocol = \"h2c\"",
        "`process.worker` has no port on which it could speak",
    ),
    ("[process.web]\nprotocol = \"h2\"", "process.web.protocol"),
    ("hosts = [\"*.com\"]", "the name below the star needs a dot"),
    ("hosts = [\"*\"]", "is not a valid host name"),
    ("hosts = [\"*.*.example.com\"]", "is not a valid host name"),
    ("hosts = [\"a.*.example.com\"]", "is not a valid host name"),
    ("hosts = [\"*.10.0.0.1\"]", "ends with a number"),
    ("hosts = [\"*.Example.com\"]", "is not a valid host name"),
    ("hosts = [\"*.a.example.com\", \"*.a.example.com\"]", "twice"),
    ("a = 1\na = 2", "duplicate key"),
    ("name = ", "1:8"),
    ("name = \"a\nb\"", "1:"),
    ("[build\nnode = \"20\"", "1:7"),
    ("\0", "1:1"),
];

#[test]
fn each_wrong_thing_is_refused_in_words_that_help() {
    for (text, words) in REFUSED {
        let found = problems(text);
        assert!(
            found.iter().any(|p| p.contains(words)),
            "{text}\ngave {found:#?}\nwithout {words}"
        );
    }
}

#[test]
fn one_mistake_gives_one_problem() {
    for (text, words) in REFUSED {
        if !words.starts_with("1:")
            && !text.contains('\0')
            && !text.starts_with("a = 1")
            && !text.starts_with("[[cron]]\nname = \"a\"\nschedule = \"0")
        {
            assert_eq!(problems(text).len(), 1, "{text}\ngave {:#?}", problems(text));
        }
    }
}

#[test]
fn broken_toml_does_not_hide_other_problems() {
    let found = problems("nmae = \"a\"\n[build]\nnode = \nbuilder = \"noed\"\npython = = 3\n");
    assert!(found.iter().any(|p| p.contains("`nmae`")), "{found:#?}");
    assert!(found.iter().any(|p| p.starts_with("3:")), "{found:#?}");
    assert!(found.iter().any(|p| p.contains("`noed`")), "{found:#?}");
    assert!(found.iter().any(|p| p.starts_with("5:")), "{found:#?}");
}

#[test]
fn columns_count_characters() {
    let found = parse("[variables.defaults]\n\"ä\" = 1\n").unwrap_err();
    assert_eq!((found.problems[0].line, found.problems[0].column), (2, 1));
    let found = parse("x = { \"äöü\" = 1, y }\r\nz = 1\r\n").unwrap_err();
    assert!(
        found.problems.iter().any(|p| p.line == 2 && p.column == 1),
        "{found:?}"
    );
}

#[test]
fn messages_show_no_control_characters_and_stay_short() {
    let text = format!(
        "\"\\u001b[31m{}\" = 1\nname = \"\\u001b]0;x\\u0007{}\"\n",
        "x".repeat(5000),
        "y".repeat(5000)
    );
    for line in parse(&text).unwrap_err().into_failure(FILE_NAME).details {
        assert!(
            !line.contains(|c: char| c.is_control()) && line.len() < 600,
            "{line}"
        );
    }
}

#[test]
fn hostile_files_are_refused_and_soon() {
    let many: String = (0..40_000).map(|n| format!("key{n} = 1\n")).collect();
    let tables: String = (0..20_000)
        .map(|n| format!("[process.p{n}]\npublic = true\n"))
        .collect();
    for text in [
        "x".repeat(10 << 20),
        format!("a = {}", "[".repeat(100_000)),
        format!("a = {}{}", "[".repeat(100_000), "]".repeat(100_000)),
        "a = {b = ".repeat(100_000),
        format!("{} = 1", "a.".repeat(50_000) + "a"),
        format!("[{}]", "a.".repeat(100_000) + "a"),
        "\"".repeat(100_000),
        "\0".repeat(1000),
        many,
        tables,
        format!(
            "keep = [{}]",
            (0..80_000).map(|n| format!("\"{n}\",")).collect::<String>()
        ),
        format!("name = {}", "9".repeat(100_000)),
    ] {
        let failure = parse(&text).unwrap_err().into_failure(FILE_NAME);
        assert!(failure.details.len() <= 51, "{}", failure.details.len());
    }
}

#[test]
fn what_is_rendered_reads_back() {
    let manifest = parse(FULL).unwrap();
    let text = render(
        &manifest,
        &["Express, from package.json\nwith a line break".to_owned()],
    );
    assert_eq!(parse(&text).unwrap(), manifest, "{text}");
    let empty = render(&Manifest::default(), &[]);
    assert_eq!(parse(&empty).unwrap(), Manifest::default());
    // The commented keys are right as well: without their `# ` the file still reads.
    let lines = empty.lines().skip(1);
    let uncommented: String = lines
        .filter(|line| !line.starts_with("# Files") && !line.starts_with("# keep"))
        .map(|line| format!("{}\n", line.trim_start_matches("# ")))
        .collect();
    assert_eq!(parse(&uncommented).unwrap().processes.len(), 1, "{uncommented}");
}

#[test]
fn the_schema_knows_every_key_and_forbids_others() {
    let schema = schema();
    assert_eq!(schema["additionalProperties"], false);
    for path in keys::every_path() {
        let mut at = &schema;
        for part in path.split('.') {
            if at.get("items").is_some() {
                at = &at["items"];
            }
            at = if part == "NAME" {
                &at["additionalProperties"]
            } else {
                &at["properties"][part]
            };
        }
        assert!(
            at["description"].is_string() || path.ends_with("NAME"),
            "{path}: {at}"
        );
    }
}

#[test]
fn the_defaults_written_down_are_those_that_hold() {
    fn write(keys: &[keys::Key]) -> String {
        keys.iter()
            .filter_map(|key| key.default.map(|value| format!("{} = {value}\n", key.name)))
            .collect()
    }
    fn table<'a>(keys: &'a [keys::Key], name: &str) -> &'a [keys::Key] {
        match keys.iter().find(|key| key.name == name).map(|key| &key.shape) {
            Some(keys::Shape::Table(keys)) => keys,
            Some(keys::Shape::Named(_, keys::Shape::Table(keys))) => keys,
            _ => panic!("{name} is no table"),
        }
    }
    let process = table(keys::ROOT, "process");
    let text = format!(
        "[build]\n{}[releases]\n{}[process.other]\n{}[process.other.health]\n{}[process.other.stop]\n{}",
        write(table(keys::ROOT, "build")),
        write(table(keys::ROOT, "releases")),
        write(process),
        write(table(process, "health")),
        write(table(process, "stop")),
    );
    let manifest = parse(&text).unwrap();
    let name = ProcessName::parse("other").unwrap();
    let expected = Manifest {
        processes: [(name.clone(), ProcessRule::named(&name))].into(),
        ..Manifest::default()
    };
    assert_eq!(manifest, expected, "{text}");
    for line in text.lines().filter_map(|line| line.split_once(" = ")) {
        assert!(
            serde_json::from_str::<serde_json::Value>(line.1).is_ok(),
            "{line:?} is not JSON as well"
        );
    }
}

fn repository_file(path: &str) -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path)
}

#[test]
fn the_schema_in_the_repository_is_fresh() {
    let file = repository_file("schemas/hostkit.schema.json");
    let wanted = format!("{}\n", serde_json::to_string_pretty(&schema()).unwrap());
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&file, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        found == wanted,
        "write it anew: UPDATE=1 cargo test -p hostkit-core schema"
    );
}

/// Each table of the file has a section, each key a row in it that names its default.
#[test]
fn the_reference_page_has_every_key() {
    let page = std::fs::read_to_string(repository_file("docs/manifest.md")).unwrap();
    let sections: BTreeMap<&str, &str> = page
        .split("\n#")
        .filter_map(|section| section.trim_start_matches('#').split_once('\n'))
        .map(|(heading, text)| (heading.trim(), text))
        .collect();
    const LISTS: [&str; 6] = ["cron", "headers", "limits", "redirects", "rewrites", "routes"];
    fn look(sections: &BTreeMap<&str, &str>, table: &str, keys: &[keys::Key]) {
        let heading = match table {
            "" => "Top of the file".to_owned(),
            // One section for all of them.
            table if table.ends_with(".has") || table.ends_with(".missing") => "Conditions".to_owned(),
            table if LISTS.contains(&table) => format!("`[[{table}]]`"),
            table => format!("`[{table}]`"),
        };
        let section = sections
            .get(heading.as_str())
            .unwrap_or_else(|| panic!("no section {heading}"));
        for key in keys {
            let row = section
                .lines()
                .find(|line| line.starts_with(&format!("| `{}` |", key.name)));
            if table == "process.NAME.build" {
                assert!(
                    section.contains(&format!("`{}`", key.name)),
                    "{table}.{} is not mentioned",
                    key.name
                );
            } else {
                let row = row.unwrap_or_else(|| panic!("`{}` has no row in {heading}", key.name));
                let default = key.default.map(|value| format!("`{value}`")).unwrap_or_default();
                assert!(
                    row.contains(&default) || row.contains("else `false`"),
                    "{row} has no {default}"
                );
            }
            let below = if table.is_empty() {
                key.name.to_owned()
            } else {
                format!("{table}.{}", key.name)
            };
            match &key.shape {
                keys::Shape::Table(keys) | keys::Shape::List(keys::Shape::Table(keys)) => {
                    look(sections, &below, keys)
                }
                keys::Shape::Named(_, keys::Shape::Table(keys)) => {
                    look(sections, &format!("{below}.NAME"), keys)
                }
                _ => {}
            }
        }
    }
    look(&sections, "", keys::ROOT);
    for word in keys::BUILDERS.iter().chain(keys::SIGNALS) {
        assert!(page.contains(&format!("`{word}`")), "{word} is not mentioned");
    }
}

#[test]
fn the_examples_of_the_reference_page_and_the_sample_apps_are_right() {
    let page = std::fs::read_to_string(repository_file("docs/manifest.md")).unwrap();
    let mut examples: Vec<String> = page
        .split("```toml\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next().map(str::to_owned))
        .collect();
    assert!(examples.len() >= 2);
    for app in std::fs::read_dir(repository_file("fixtures/apps")).unwrap() {
        examples.extend(std::fs::read_to_string(app.unwrap().path().join(FILE_NAME)).ok());
    }
    for example in examples {
        assert_eq!(problems(&example), [] as [&str; 0], "{example}");
    }
}

fn pieces() -> impl Strategy<Value = String> {
    let words: Vec<&str> = vec![
        "[",
        "]",
        "[[",
        "]]",
        "{",
        "}",
        "=",
        ".",
        ",",
        "\n",
        "\r\n",
        "\"",
        "'",
        "\"\"\"",
        "'''",
        "#",
        " ",
        "\\",
        "process",
        "web",
        "build",
        "name",
        "cron",
        "health",
        "path",
        "count",
        "public",
        "true",
        "1",
        "-9e99",
        "0x",
        "nan",
        "\u{feff}",
        "1979-05-27T07:32:00Z",
        "keep",
        "variables",
        "defaults",
        "\0",
        "é",
        "\"/\"",
        "\"30s\"",
        "\\u0000",
    ];
    prop::collection::vec(prop::sample::select(words), 0..60).prop_map(|parts| parts.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn no_text_makes_it_panic(text in prop_oneof![pieces(), any::<String>(), ".{0,200}"]) {
        if let Err(found) = parse(&text) {
            prop_assert!(!found.problems.is_empty());
            prop_assert!(found.problems.iter().all(|p| p.line >= 1 && p.column >= 1));
            found.into_failure(FILE_NAME);
        }
    }

    #[test]
    fn a_damaged_file_does_not_make_it_panic(at in 0..FULL.len(), byte in any::<u8>()) {
        let mut bytes = FULL.as_bytes().to_vec();
        bytes[at] = byte;
        let _ = parse(&String::from_utf8_lossy(&bytes)).map(|m| render(&m, &[]));
    }
}
