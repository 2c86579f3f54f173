//! The production checklist over plain values.

use std::collections::BTreeMap;

use super::*;
use crate::manifest::ProcessRule;
use crate::names::{HostName, ProcessName};
use crate::release::{Artifact, FrozenProcess, Program, Release};
use crate::secret::Secret;
use crate::traits::Health;
use crate::variables::Variables;

/// A text that is drawn at random, as it were; in two parts so that no scanner takes it for a key.
fn random() -> String {
    format!("{}{}", "9f86d081884c7d659a2feaa0", "c55ad015a3bf4f1b")
}

fn shop() -> EnvironmentId {
    EnvironmentId::new("shop".parse().unwrap(), "production".parse().unwrap())
}

fn variables(pairs: &[(&str, &str)]) -> Variables {
    let pairs = pairs.iter();
    pairs
        .map(|(name, value)| (name.parse().unwrap(), Secret::new(*value)))
        .collect()
}

fn release(builder: &str, manifest: &str) -> Release {
    let web = ProcessName::web();
    let program = Program {
        command: crate::manifest::Command::Line("node server.js".into()),
        directory: crate::names::RelativePath::root(),
        path: Vec::new(),
        variables: BTreeMap::from([("NODE_ENV".to_owned(), "production".to_owned())]),
    };
    Release {
        environment: shop(),
        name: "20260101-120000".parse().unwrap(),
        source: crate::source::SourceId::try_from("a".repeat(64)).unwrap(),
        artifact: Artifact {
            builder: builder.into(),
            files: None,
            programs: BTreeMap::new(),
            assumed: Vec::new(),
        },
        manifest: crate::manifest::parse(manifest).unwrap(),
        processes: BTreeMap::from([(
            web.clone(),
            FrozenProcess {
                rule: ProcessRule::named(&web),
                program,
            },
        )]),
        created_at: "2026-01-01T12:00:00Z".parse().unwrap(),
        bytes: 1,
    }
}

fn healthy() -> Activity {
    let look = ProcessLook {
        instances: Wanted { wanted: 1, found: 1 },
        has_health_path: true,
        has_port: true,
        answers: vec![Health::Healthy],
        restarts: 0,
    };
    Activity {
        processes: BTreeMap::from([(ProcessName::web(), look)]),
    }
}

/// All that is looked at, as it should be.
struct World {
    environment: EnvironmentId,
    base: HostName,
    variables: Variables,
    frozen: Option<Variables>,
    live: Option<Release>,
    stopped: bool,
    has_previous: bool,
    activity: Activity,
    free: u64,
}

/// What is found where everything is as it should be but what is changed.
fn found(change: impl FnOnce(&mut World)) -> Vec<Finding> {
    let mut world = World {
        environment: shop(),
        base: HostName::parse("example.com").unwrap(),
        variables: Variables::new(),
        frozen: None,
        live: Some(release("node", "")),
        stopped: false,
        has_previous: true,
        activity: healthy(),
        free: 100 << 30,
    };
    change(&mut world);
    check(&Observed {
        environment: &world.environment,
        base_host: &world.base,
        variables: &world.variables,
        frozen: world.frozen.as_ref(),
        live: world.live.as_ref(),
        stopped: world.stopped,
        has_previous: world.has_previous,
        last: None,
        activity: &world.activity,
        free: Some(world.free),
        least_free: 512 << 20,
    })
}

fn with_variables(pairs: &[(&str, &str)]) -> Vec<Finding> {
    let findings = found(|world| world.variables = variables(pairs));
    for (name, value) in pairs.iter().filter(|(_, value)| value.len() > 5) {
        let said = format!("{findings:?}");
        assert!(!said.contains(value), "the value of {name} is told: {said}");
    }
    findings
}

fn bad(findings: &[Finding]) -> Vec<(Level, &str)> {
    let bad = findings.iter().filter(|finding| finding.level > Level::Fine);
    bad.map(|finding| (finding.level, finding.subject.as_str()))
        .collect()
}

#[test]
fn nothing_is_found_where_all_is_well() {
    let findings = found(|_| {});
    assert_eq!(bad(&findings), [], "{findings:#?}");
    let subjects: Vec<&str> = findings.iter().map(|f| f.subject.as_str()).collect();
    let all = [
        "release",
        "required variables",
        "NODE_ENV",
        "instances of web",
        "health of web",
        "restarts of web",
        "rollback",
        "disk",
    ];
    assert_eq!(subjects, all);
}

#[test]
fn what_is_wrong_with_a_value_is_found() {
    use Level::{Problem, Warning};
    let long = random();
    type Case<'a> = (&'a str, &'a str, Option<(Level, &'a str)>);
    let cases: &[Case<'_>] = &[
        ("JWT_SECRET", "short", Some((Problem, "secret JWT_SECRET"))),
        ("JWT_SECRET", &long, None),
        (
            "API_JWT_SECRET",
            "short",
            Some((Problem, "secret API_JWT_SECRET")),
        ),
        ("NOTJWT_SECRET_PATH", "short", None),
        (
            "JWT_SECRET",
            "your-secret-your-secret-your-secret-here",
            Some((Problem, "secret JWT_SECRET")),
        ),
        (
            "ADMIN_PASSWORD",
            "changeme",
            Some((Problem, "secret ADMIN_PASSWORD")),
        ),
        (
            "ADMIN_PASSWORD",
            "aaaaaaaaaaaa",
            Some((Problem, "secret ADMIN_PASSWORD")),
        ),
        ("ADMIN_PASSWORD", "correct horse battery", None),
        (
            "SITE_URL",
            "http://localhost:3000",
            Some((Warning, "address SITE_URL")),
        ),
        (
            "SITE_URL",
            "http://[::1]:3000/",
            Some((Warning, "address SITE_URL")),
        ),
        ("SITE_URL", "https://localhost.example.com/", None),
        (
            "SITE_URL",
            "https://shop.example.com/?next=http://localhost",
            None,
        ),
        (
            "NEXT_PUBLIC_API",
            "http://127.0.0.1:8000",
            Some((Warning, "address NEXT_PUBLIC_API")),
        ),
        (
            "CORS_ORIGIN",
            "https://shop.example.com,http://localhost:3000",
            Some((Warning, "address CORS_ORIGIN")),
        ),
        ("CACHE_URL", "http://127.0.0.1:11211", None),
        (
            "BOOM_URL",
            "https://sandbox.example.com/v1",
            Some((Warning, "test key BOOM_URL")),
        ),
        (
            "DATABASE_URL",
            "postgres://u:p@db.abcd.supabase.co:5432/x",
            Some((Warning, "database")),
        ),
        (
            "DATABASE_URL",
            "postgres://u:p@x.pooler.supabase.com:6543/x",
            None,
        ),
        ("DATABASE_URL", "postgres://u:p@db.example.com:5432/x", None),
        ("DATABASE_URL", "postgres://u:p@evilsupabase.com:5432/x", None),
        (
            "DIRECT_URL",
            "postgres://u:p@x.pooler.supabase.com:6543/x",
            Some((Warning, "database")),
        ),
        ("LOG_LEVEL", "debug", Some((Warning, "debugging LOG_LEVEL"))),
        (
            "RUST_LOG",
            "info,sqlx=TRACE",
            Some((Warning, "debugging RUST_LOG")),
        ),
        ("LOG_LEVEL", "info", None),
        ("DEBUG", "*", Some((Problem, "debugging DEBUG"))),
        ("FLASK_DEBUG", "True", Some((Problem, "debugging FLASK_DEBUG"))),
        ("DEBUG", "false", None),
        (
            "DB_LOG_QUERIES",
            "true",
            Some((Warning, "debugging DB_LOG_QUERIES")),
        ),
        (
            "NODE_TLS_REJECT_UNAUTHORIZED",
            "0",
            Some((Problem, "debugging NODE_TLS_REJECT_UNAUTHORIZED")),
        ),
        ("NODE_ENV", "development", Some((Warning, "NODE_ENV"))),
        ("GITHUB_APP_ID", "12345", Some((Warning, "webhooks"))),
        (
            "GITHUB_WEBHOOK_SECRET",
            "hook",
            Some((Problem, "webhook secret GITHUB_WEBHOOK_SECRET")),
        ),
        (
            "STRIPE_WEBHOOK_SECRET",
            "not-one-of-stripes-own",
            Some((Problem, "webhook secret STRIPE_WEBHOOK_SECRET")),
        ),
        // Nothing that is no URL makes trouble.
        ("SITE_URL", "://", None),
        ("SITE_URL", "http://[", None),
        ("SITE_URL", "http://@:99999999/", None),
        ("SITE_URL", "\u{fffd}\u{0}://\u{1f600}", None),
    ];
    for (name, value, expected) in cases {
        let findings = with_variables(&[(name, value)]);
        assert_eq!(
            bad(&findings),
            expected.iter().copied().collect::<Vec<_>>(),
            "{name}={value}: {findings:#?}"
        );
        assert!(
            findings
                .iter()
                .filter(|f| f.level > Level::Fine)
                .all(|f| f.hint.is_some())
        );
    }
    let test_key = format!("{}{}", "sk_test_", random());
    assert_eq!(
        bad(&with_variables(&[("STRIPE_KEY", &test_key)])),
        [(Warning, "test key STRIPE_KEY")]
    );
}

#[test]
fn staging_may_have_test_keys_and_debugging_and_a_laptop_its_own_address() {
    let set = variables(&[("LOG_LEVEL", "debug"), ("SITE_URL", "http://localhost:3000")]);
    let staging = EnvironmentId::new("shop".parse().unwrap(), "staging".parse().unwrap());
    let findings = found(|world| {
        world.environment = staging.clone();
        world.variables = set.clone();
    });
    assert_eq!(bad(&findings), []);
    let local = HostName::parse("localhost").unwrap();
    let findings = found(|world| {
        world.base = local;
        world.variables = set.clone();
    });
    assert_eq!(bad(&findings), [(Level::Warning, "debugging LOG_LEVEL")]);
}

#[test]
fn hints_name_project_and_environment() {
    let set = variables(&[("JWT_SECRET", "short")]);
    let staging = EnvironmentId::new("shop".parse().unwrap(), "staging".parse().unwrap());
    let findings = found(|world| {
        world.environment = staging.clone();
        world.variables = set.clone();
    });
    let hint = findings.iter().find_map(|finding| finding.hint.clone()).unwrap();
    assert!(
        hint.contains("hostkit env set JWT_SECRET - --apply -p shop -e staging"),
        "{hint}"
    );
}

#[test]
fn what_does_not_run_or_lead_back_is_found() {
    let nothing_live = found(|world| world.live = None);
    assert_eq!(bad(&nothing_live), [(Level::Problem, "release")]);
    assert!(!nothing_live.iter().any(|f| f.subject == "rollback"));
    let stopped = found(|world| world.stopped = true);
    assert_eq!(bad(&stopped), [(Level::Warning, "release")]);
    let first = found(|world| world.has_previous = false);
    assert_eq!(bad(&first), [(Level::Warning, "rollback")]);
    for (free, level) in [(400, Level::Problem), (1000, Level::Warning)] {
        let findings = found(|world| world.free = free << 20);
        assert_eq!(bad(&findings), [(level, "disk")]);
    }
    let mut activity = healthy();
    if let Some(look) = activity.processes.get_mut(&ProcessName::web()) {
        look.has_health_path = false;
        look.instances.found = 0;
        look.answers = vec![Health::Healthy, Health::Unhealthy("GET /up answered 500".into())];
        look.restarts = 7;
    }
    let findings = found(|world| world.activity = activity);
    let expected = [
        (Level::Problem, "instances of web"),
        (Level::Warning, "health path of web"),
        (Level::Problem, "health of web"),
        (Level::Problem, "restarts of web"),
    ];
    assert_eq!(bad(&findings), expected);
}

#[test]
fn what_is_missing_or_waits_is_named() {
    let needs = release("python", "[variables]\nrequired = [\"DATABASE_URL\", \"MAIL\"]\n");
    let (now, frozen) = (
        variables(&[("MAIL", "b"), ("NEW", "1")]),
        variables(&[("MAIL", "a")]),
    );
    let findings = found(|world| {
        world.live = Some(needs);
        world.variables = now;
        world.frozen = Some(frozen);
    });
    let message = |subject: &str| {
        findings
            .iter()
            .find(|f| f.subject == subject)
            .map(|f| f.message.as_str())
    };
    assert_eq!(message("required variables"), Some("no value: `DATABASE_URL`"));
    assert_eq!(
        message("variables"),
        Some("changed and not live yet: `MAIL`, `NEW`")
    );
}
