//! Control is killed at each step of a deploy; every way a deploy can fail. The old release serves throughout.

use hostkit_testkit::small_disk;

use crate::harness::load::Load;
use crate::harness::{Installation, projects, wait_until};

const STEPS: [&str; 9] = [
    "fetch", "build", "freeze", "prepare", "start", "check", "switch", "retire", "confirm",
];

/// Exactly one instance, of the live release, and that release answers through the front door.
#[track_caller]
fn assert_consistent(host: &Installation, project: &str) {
    wait_until("every deployment is final", || {
        let list = host
            .run(&["deployments", "--project", project, "--json"])
            .ok()
            .json();
        list.as_array().unwrap().iter().all(|d| {
            let state = d["state"].as_str().unwrap();
            state != "running" && state != "queued"
        })
    });
    wait_until("one instance of the release that answers", || {
        let instances = host.run(&["ps", "--project", project, "--json"]).ok().json();
        let instances = instances.as_array().unwrap();
        let serving = host.get(project, "/");
        instances.len() == 1
            && serving.status == 200
            && instances[0]["release"].as_str() == serving.header("x-hostkit-release")
    });
}

#[test]
fn control_killed_at_any_step_leaves_a_consistent_state_and_no_lost_request() {
    let host = Installation::start();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "version 0"))
        .ok();
    let load = Load::start(host.http, "shop.localhost", "/", 100);
    let mut version = 0;
    for step in STEPS {
        for moment in ["before", "after"] {
            version += 1;
            let before = host.get("shop", "/").body;
            let text = format!("version {version}");
            let control = host.pid("control");
            host.plant(&format!("kill:{moment}:{step}"));
            host.deploy("shop", &projects::node(&host.sources(), "shop", &text));
            host.wait_for_control();
            assert_ne!(
                host.pid("control"),
                control,
                "control was not killed {moment} {step}"
            );
            assert_consistent(&host, "shop");
            let after = host.get("shop", "/").body;
            assert!(
                after == before || after == text,
                "{moment} {step}: `{after}`, was `{before}`"
            );
        }
    }
    let report = load.finish();
    let shown: Vec<&crate::harness::load::Lost> = report.failures.iter().take(5).collect();
    assert!(
        report.failures.is_empty(),
        "{} of {} failed: {shown:#?}",
        report.failures.len(),
        report.requests
    );
    let scratch = host.data().join("projects/shop/environments/production/build");
    wait_until("no scratch is left", || {
        std::fs::read_dir(&scratch).map_or(0, Iterator::count) == 0
    });
}

/// Deploys something broken over a good release; returns everything the command said.
#[track_caller]
fn fail_over_good(host: &Installation, broken: &[(&str, &str)]) -> String {
    let good = projects::node(&host.sources(), "good", "good");
    host.deploy("shop", &good).ok();
    let folder = projects::folder(&host.sources(), "broken", broken);
    let said = host
        .run(&["deploy", folder.to_str().unwrap(), "--project", "shop"])
        .failed();
    assert_eq!(said.code, 1, "{}", said.all());
    assert_eq!(
        host.get("shop", "/").body,
        "good",
        "the old release does not serve"
    );
    assert_consistent(host, "shop");
    said.all()
}

#[track_caller]
fn assert_says(said: &str, words: &[&str]) {
    for word in words {
        assert!(said.contains(word), "`{word}` is not in:\n{said}");
    }
}

#[test]
fn a_build_error_shows_the_command_and_its_last_lines() {
    let host = Installation::start();
    let package = r#"{"name":"a","version":"1.0.0","scripts":{"build":"echo about to break; exit 7","start":"node server.js"}}"#;
    let said = fail_over_good(&host, &[("package.json", package), ("server.js", "")]);
    assert_says(&said, &["about to break", "exit status 7"]);
}

#[test]
fn a_program_that_does_not_start_shows_status_and_lines() {
    let host = Installation::start();
    let said = fail_over_good(
        &host,
        &[
            ("index.js", "console.error('no can do'); process.exit(9)"),
            ("package.json", "{}"),
        ],
    );
    assert_says(&said, &["no can do", "exit status 9"]);
}

#[test]
fn a_missing_module_is_named() {
    let host = Installation::start();
    let said = fail_over_good(
        &host,
        &[("index.js", "require('left-pad')"), ("package.json", "{}")],
    );
    assert_says(&said, &["left-pad"]);
}

#[test]
fn a_program_that_never_gets_healthy_shows_where_it_listens() {
    let host = Installation::start();
    let server =
        "require('http').createServer((q, a) => a.end('x')).listen(0, '127.0.0.1', () => console.log('up'))";
    let manifest = "[process.web.health]\npath = \"/up\"\nstart_period = \"3s\"\n";
    let said = fail_over_good(
        &host,
        &[
            ("index.js", server),
            ("package.json", "{}"),
            ("hostkit.toml", manifest),
        ],
    );
    assert_says(&said, &["PORT", "127.0.0.1:"]);
}

#[test]
fn a_redirect_on_the_health_path_is_named() {
    let host = Installation::start();
    let server = "require('http').createServer((q, a) => { a.writeHead(301, {location: 'https://example.com/up'}); a.end() }).listen(process.env.PORT)";
    let manifest = "[process.web.health]\npath = \"/up\"\nstart_period = \"3s\"\n";
    let said = fail_over_good(
        &host,
        &[
            ("index.js", server),
            ("package.json", "{}"),
            ("hostkit.toml", manifest),
        ],
    );
    assert_says(&said, &["301", "https://example.com/up"]);
}

#[test]
fn a_program_that_crashes_right_after_the_switch_is_taken_back() {
    let host = Installation::start();
    // It answers its health check, and dies of the first request with a host name of the public.
    let server = "require('http').createServer((q, a) => { a.end('x'); if (!q.url.startsWith('/up')) setTimeout(() => { console.error('fell over'); process.exit(4) }, 5) }).listen(process.env.PORT)";
    let manifest = "[process.web.health]\npath = \"/up\"\n";
    let good = projects::node(&host.sources(), "good", "good");
    host.deploy("shop", &good).ok();
    let port = host.http;
    let stop = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = stop.clone();
    let visitor = std::thread::spawn(move || {
        while !seen.load(std::sync::atomic::Ordering::Relaxed) {
            crate::harness::http::get(port, "shop.localhost", "/");
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    });
    let folder = projects::folder(
        &host.sources(),
        "broken",
        &[
            ("index.js", server),
            ("package.json", "{}"),
            ("hostkit.toml", manifest),
        ],
    );
    let said = host
        .run(&["deploy", folder.to_str().unwrap(), "--project", "shop"])
        .failed();
    stop.store(true, std::sync::atomic::Ordering::Relaxed);
    visitor.join().unwrap();
    assert_says(&said.all(), &["fell over", "exit status 4"]);
    host.wait_for_text("shop", "/", "good");
    assert_consistent(&host, "shop");
}

#[test]
fn a_missing_required_variable_is_named_before_anything_is_built() {
    let host = Installation::start();
    let package =
        r#"{"name":"a","version":"1.0.0","scripts":{"build":"echo was built","start":"node server.js"}}"#;
    let manifest = "[variables]\nrequired = [\"DATABASE_URL\", \"PATH_TO_X\"]\n";
    let said = fail_over_good(
        &host,
        &[
            ("package.json", package),
            ("server.js", ""),
            ("hostkit.toml", manifest),
        ],
    );
    assert_says(&said, &["DATABASE_URL", "PATH_TO_X", "hostkit env set"]);
    assert!(!said.contains("was built"), "{said}");
}

#[test]
fn a_variable_the_program_misses_is_named() {
    let host = Installation::start();
    let server = "if (!process.env.STRIPE_KEY) throw new Error('STRIPE_KEY is not set')";
    let said = fail_over_good(&host, &[("index.js", server), ("package.json", "{}")]);
    assert_says(&said, &["STRIPE_KEY", "hostkit env set STRIPE_KEY="]);
}

#[test]
fn a_program_over_its_memory_is_named() {
    let host = Installation::start();
    let server = "const a = []; setInterval(() => a.push(Buffer.alloc(16 << 20, 1)), 10)";
    let manifest = "[process.web]\nmemory = \"120MB\"\n[process.web.health]\nstart_period = \"30s\"\n";
    let said = fail_over_good(
        &host,
        &[
            ("index.js", server),
            ("package.json", "{}"),
            ("hostkit.toml", manifest),
        ],
    );
    assert_says(&said, &["memory"]);
}

#[test]
fn every_problem_of_a_manifest_is_said_at_once() {
    let host = Installation::start();
    let manifest =
        "[build]\nbuildr = \"node\"\n[process.web]\ncount = 100\n[process.web.health]\npath = \"up\"\n";
    let said = fail_over_good(&host, &[("index.js", ""), ("hostkit.toml", manifest)]);
    assert_says(
        &said,
        &["hostkit.toml:2:", "builder", "hostkit.toml:4:", "hostkit.toml:6:"],
    );
}

#[test]
fn a_full_disk_stops_the_deploy_and_nothing_else() {
    if !small_disk::inside_own_mounts("faults::a_full_disk_stops_the_deploy_and_nothing_else") {
        return;
    }
    let small = tempfile::tempdir().unwrap();
    small_disk::mount(small.path(), 900 << 10);
    let host = Installation::start_in(small.path());
    let good = projects::node(&host.sources(), "good", "good");
    host.deploy("shop", &good).ok();

    // The disk fills while it builds.
    let fill = "const f = require('fs').openSync('fill', 'w'); for (let i = 0; i < 2000; i++) require('fs').writeSync(f, Buffer.alloc(1 << 20))";
    let package =
        r#"{"name":"a","version":"1.0.0","scripts":{"build":"node fill.js","start":"node server.js"}}"#;
    let folder = projects::folder(
        &host.sources(),
        "filling",
        &[("package.json", package), ("fill.js", fill), ("server.js", "")],
    );
    let said = host
        .run(&["deploy", folder.to_str().unwrap(), "--project", "shop"])
        .failed();
    assert_says(&said.all(), &["ENOSPC"]);
    assert_eq!(host.get("shop", "/").body, "good");
    assert_consistent(&host, "shop");

    // There is so little left that the build is not even begun.
    std::fs::write(small.path().join("ballast"), vec![0; 500 << 20]).unwrap();
    let package =
        r#"{"name":"a","version":"1.0.0","scripts":{"build":"echo was built","start":"node server.js"}}"#;
    let folder = projects::folder(
        &host.sources(),
        "late",
        &[("package.json", package), ("server.js", "")],
    );
    let said = host
        .run(&["deploy", folder.to_str().unwrap(), "--project", "shop"])
        .failed();
    assert_says(&said.all(), &["disk", "free"]);
    assert!(!said.all().contains("was built"), "{}", said.all());
    assert_eq!(host.get("shop", "/").body, "good");

    std::fs::remove_file(small.path().join("ballast")).unwrap();
    host.deploy("shop", &projects::node(&host.sources(), "shop", "room again"))
        .ok();
    assert_eq!(host.get("shop", "/").body, "room again");
}
