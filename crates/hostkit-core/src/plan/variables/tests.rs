//! Who sets which variable, and who wins.

use super::*;
use crate::manifest::{Command, ProcessRule};
use crate::names::{EnvironmentName, ProjectName, RelativePath};
use crate::release::Program;

fn name(text: &str) -> VariableName {
    VariableName::parse(text).unwrap()
}

fn variables(pairs: &[(&str, &str)]) -> Variables {
    pairs
        .iter()
        .map(|(n, value)| (name(n), Secret::new(*value)))
        .collect()
}

/// The environment of `web` of `shop`, from what user, defaults and program say.
fn environment(
    user: &[(&str, &str)],
    defaults: &[(&str, &str)],
    program: &[(&str, &str)],
) -> BTreeMap<String, String> {
    let web = ProcessName::web();
    let process = FrozenProcess {
        rule: ProcessRule {
            port_variable: name("SERVER_PORT"),
            ..ProcessRule::named(&web)
        },
        program: Program {
            command: Command::Line("run".into()),
            directory: RelativePath::root(),
            path: ["venv/bin", "."]
                .map(|p| RelativePath::parse(p).unwrap())
                .to_vec(),
            variables: program
                .iter()
                .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
                .collect(),
        },
    };
    let manifest = Manifest {
        defaults: defaults.iter().map(|(n, v)| (name(n), (*v).to_owned())).collect(),
        ..Manifest::default()
    };
    let found = environment_of_process(&ProcessContext {
        environment: &EnvironmentId::new(ProjectName::parse("shop").unwrap(), EnvironmentName::production()),
        release: &ReleaseName::parse("20250215-120000").unwrap(),
        folder: Path::new("/r"),
        process: &process,
        manifest: &manifest,
        user: &variables(user),
        internal_ports: &[(ProcessName::parse("ml-model").unwrap(), 8002)].into(),
        system_path: SYSTEM_PATH,
        home: Path::new("/home/shop"),
        account: "shop",
    });
    found
        .into_iter()
        .map(|(name, value)| (name.to_string(), value.reveal().to_owned()))
        .collect()
}

#[test]
fn a_program_finds_these_and_nothing_else() {
    let found = environment(&[("A", "1")], &[("B", "2")], &[("NODE_ENV", "production")]);
    let expected = [
        ("A", "1"),
        ("B", "2"),
        ("HOME", "/home/shop"),
        ("HOSTKIT_ENVIRONMENT", "production"),
        ("HOSTKIT_RELEASE", "20250215-120000"),
        ("LANG", "C.UTF-8"),
        ("ML_MODEL_HOST", "127.0.0.1"),
        ("ML_MODEL_PORT", "8002"),
        ("ML_MODEL_URL", "http://127.0.0.1:8002"),
        ("NODE_ENV", "production"),
        (
            "PATH",
            "/r/venv/bin:/r:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        ),
        ("PROJECT_NAME", "shop"),
        ("USER", "shop"),
    ];
    let found: Vec<(&str, &str)> = found.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    assert_eq!(found, expected);
}

#[test]
fn the_user_wins_over_the_program_and_the_program_over_defaults() {
    for (user, defaults, program, variable, value) in [
        (Some("user"), Some("default"), Some("program"), "X", Some("user")),
        (None, Some("default"), Some("program"), "X", Some("program")),
        (None, Some("default"), None, "X", Some("default")),
        (None, None, None, "X", None),
        (Some("/home/other"), None, None, "HOME", Some("/home/other")),
        (None, Some("de_DE.UTF-8"), None, "LANG", Some("de_DE.UTF-8")),
        (
            Some("http://elsewhere"),
            None,
            None,
            "ML_MODEL_URL",
            Some("http://elsewhere"),
        ),
        (
            None,
            Some("http://default"),
            None,
            "ML_MODEL_URL",
            Some("http://127.0.0.1:8002"),
        ),
        (Some("x"), Some("y"), Some("z"), "PROJECT_NAME", Some("shop")),
        (
            Some("x"),
            Some("y"),
            Some("z"),
            "HOSTKIT_RELEASE",
            Some("20250215-120000"),
        ),
        (Some("x"), Some("y"), Some("z"), "PORT", None),
        (Some("x"), Some("y"), Some("z"), "HOST", None),
        (Some("x"), Some("y"), Some("z"), "SERVER_PORT", None),
        (
            Some("/opt/bin"),
            None,
            None,
            "PATH",
            Some("/r/venv/bin:/r:/opt/bin"),
        ),
        (Some("$X 'y' \"z\"\n"), None, None, "X", Some("$X 'y' \"z\"\n")),
    ] {
        fn pair<'a>(variable: &'a str, value: Option<&'a str>) -> Vec<(&'a str, &'a str)> {
            value.map(|value| (variable, value)).into_iter().collect()
        }
        let found = environment(
            &pair(variable, user),
            &pair(variable, defaults),
            &pair(variable, program),
        );
        assert_eq!(
            found.get(variable).map(String::as_str),
            value,
            "{variable} {user:?} {defaults:?} {program:?}"
        );
    }
}

#[test]
fn required_names_without_a_value_are_listed() {
    let manifest = Manifest {
        required: ["A", "B", "C", "D", "E"].map(name).to_vec(),
        defaults: [
            (name("B"), "default".to_owned()),
            (name("E"), "default".to_owned()),
        ]
        .into(),
        ..Manifest::default()
    };
    let user = variables(&[("A", "1"), ("D", ""), ("E", "")]);
    assert_eq!(missing(&manifest, &user), ["C", "D", "E"].map(name));
}
