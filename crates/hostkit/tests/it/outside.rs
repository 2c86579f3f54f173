//! A project whose database somebody else keeps: a second server, with TLS, that HostKit knows by its address alone.

use std::path::PathBuf;

use hostkit_testkit::elsewhere::Elsewhere;
use serde_json::json;

use crate::harness::{Installation, Said, wait_until};
use crate::postgres::{counter, told};

/// In the address its last letter is written otherwise.
const PASSWORD: &str = "canary-4f1e%2F";

fn addons(host: &Installation) -> serde_json::Value {
    host.run(&["addon", "list", "shop", "--json"]).ok().json()
}

fn state(host: &Installation) -> String {
    addons(host)[0]["state"]["health"]["is"]
        .as_str()
        .unwrap()
        .to_owned()
}

/// An installation with a project, and a customer elsewhere whose address is in a file.
fn begin() -> (Installation, Elsewhere, PathBuf) {
    let elsewhere = Elsewhere::start();
    elsewhere.customer("customer", "canary-4f1e/");
    let host = Installation::start();
    host.run(&["project", "create", "shop"]).ok();
    let file = host.data().parent().unwrap().join("address");
    std::fs::write(&file, elsewhere.address("customer", PASSWORD) + "\n").unwrap();
    (host, elsewhere, file)
}

fn add(host: &Installation, file: &std::path::Path) -> Said {
    let source = file.to_str().unwrap();
    host.run(&["addon", "add", "shop", "postgres", "--outside", source, "--json"])
}

#[test]
fn an_address_is_tried_before_anything_is_added_and_is_never_an_argument() {
    let (host, elsewhere, file) = begin();
    let good = elsewhere.address("customer", PASSWORD);
    let refused = host
        .run(&["addon", "add", "shop", "postgres", "--outside", &good])
        .failed();
    assert!(
        refused.err.contains("from the command line") && !refused.err.contains("canary"),
        "{}",
        refused.err
    );
    let unproven = good.replace("verify-full&sslrootcert", "verify-full&ignored");
    let nobody = good.replace(&format!(":{}/", elsewhere.port), ":1/");
    let other = good.replace(PASSWORD, "canary-other");
    for (address, why) in [
        ("canary".to_owned(), "it is not a URL"),
        (
            "redis://u:canary@127.0.0.1/1".to_owned(),
            "does not begin with `postgresql://`",
        ),
        (nobody, "does not answer"),
        (unproven, "certificate"),
        (other, "password authentication failed"),
        (good.replace("/customer?", "/nowhere?"), "does not exist"),
    ] {
        let said = host
            .run_with_input(&["addon", "add", "shop", "postgres", "--outside", "-"], &address)
            .failed();
        assert!(
            said.err.contains(why) && !said.all().contains("canary"),
            "{why}: {}",
            said.err
        );
        assert_eq!(addons(&host), json!([]), "{why}");
    }
    let added = add(&host, &file).ok();
    assert!(!added.all().contains("canary"), "{}", added.all());
    let added = added.json();
    assert_eq!(
        (&added["settings"]["outside"], &added["port"]),
        (&json!(true), &json!(null))
    );
    assert!(
        added["state"]["version"].is_string() && added["state"]["warnings"].is_null(),
        "{added}"
    );

    // A superuser is warned of.
    let boss = elsewhere.address("boss", "boss").replace("/boss?", "/postgres?");
    let said = host
        .run_with_input(&["addon", "rotate", "shop", "postgres", "--outside", "-"], &boss)
        .ok();
    assert!(said.err.contains("has a new address"), "{}", said.err);
    let warnings = addons(&host)[0]["state"]["warnings"].to_string();
    assert!(warnings.contains("superuser"), "{warnings}");
    let doctor = host.run(&["doctor", "shop"]);
    assert!(doctor.all().contains("superuser"), "{}", doctor.all());
}

#[test]
fn a_project_lives_on_a_database_that_somebody_else_keeps() {
    let (host, mut elsewhere, file) = begin();
    add(&host, &file).ok();
    let folder = counter(&host.sources());
    host.deploy("shop", &folder).ok();
    assert_eq!(
        told(&host, "shop", "DATABASE_URL"),
        elsewhere.address("customer", PASSWORD)
    );
    assert_eq!(
        told(&host, "shop", "DIRECT_URL"),
        elsewhere.address("customer", PASSWORD)
    );
    assert_eq!(host.get("shop", "/make").body, "made");
    assert_eq!(host.get("shop", "/count").body, "1");

    // The same commands, as far as the login may.
    let list = host.run(&["db", "list", "shop", "--json"]).ok().json();
    assert_eq!(
        (&list[0]["label"], &list[0]["name"]),
        (&json!("db"), &json!("customer"))
    );
    let stats = host.run(&["db", "stats", "shop", "--json"]).ok().json();
    assert_eq!(stats["tables"][0]["name"], "visits");
    host.run(&["db", "connections", "shop", "--json"]).ok();
    host.run(&["db", "extensions", "shop", "--add", "pgcrypto"]).ok();
    let url = host.run(&["db", "url", "shop"]).ok().out;
    assert_eq!(url.trim(), elsewhere.address("customer", PASSWORD));
    let asked = |statement: &str| {
        let said = host.run(&["db", "psql", "shop", "--", "-XAtqc", statement]).ok();
        said.out.trim().to_owned()
    };
    assert_eq!(
        asked("SELECT current_user, ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"),
        "customer|t"
    );
    let refused = host.run(&["db", "create", "shop", "tenant_a"]).failed();
    assert!(refused.err.contains("kept elsewhere"), "{}", refused.err);
    let refused = host
        .run(&["db", "protect", "shop", "visits", "--column", "at"])
        .failed();
    assert!(
        refused.err.contains("ENABLE ROW LEVEL SECURITY"),
        "{}",
        refused.err
    );

    // A copy goes, and comes back in one transaction or not at all.
    let dump = host.data().parent().unwrap().join("shop.dump");
    let dump = dump.to_str().unwrap();
    host.run(&["db", "dump", "shop", "-o", dump]).ok();
    asked("INSERT INTO visits VALUES (now()), (now()); CREATE TABLE later (n int)");
    elsewhere.run(
        "customer",
        "CREATE SCHEMA theirs; CREATE VIEW theirs.seen AS SELECT * FROM public.visits",
    );
    let refused = host
        .run(&["db", "restore", "shop", dump, "--yes", "--no-backup"])
        .failed();
    assert!(
        refused.err.contains("depend") && refused.err.contains("is as it was before"),
        "{}",
        refused.err
    );
    assert_eq!(asked("SELECT count(*) FROM visits"), "3");
    elsewhere.run("customer", "DROP SCHEMA theirs CASCADE");
    host.run(&["db", "restore", "shop", dump, "--yes", "--no-backup"])
        .ok();
    assert_eq!(asked("SELECT count(*) FROM visits"), "1");
    assert_eq!(asked("SELECT count(*) FROM later"), "0");

    // A backup is tried in HostKit's own server, where nothing of it stays, and restored elsewhere.
    elsewhere.run(
        "customer",
        "CREATE SCHEMA theirs; CREATE TABLE theirs.secret (n int)",
    );
    let made = host.run(&["backup", "now", "shop"]).ok();
    assert!(made.err.contains("all of it came back"), "{}", made.err);
    asked("DELETE FROM visits");
    host.run(&["backup", "restore", "shop", "--yes"]).ok();
    assert_eq!(asked("SELECT count(*) FROM visits"), "1");

    // Elsewhere it comes into a database of HostKit's own: an address is in no backup.
    let copied = host.run(&["backup", "restore", "shop", "1", "--to", "copy"]).ok();
    assert!(
        copied.all().contains("is one of HostKit's own now"),
        "{}",
        copied.all()
    );
    let own = host
        .run(&[
            "db",
            "psql",
            "copy",
            "--",
            "-XAtqc",
            "SELECT count(*), current_database() FROM visits",
        ])
        .ok();
    assert_eq!(own.out.trim(), "1|copy_db");

    // A new password, told by a restart.
    elsewhere.run("postgres", "ALTER ROLE customer PASSWORD 'canary-second'");
    let refused = host.run(&["addon", "rotate", "shop", "postgres"]).failed();
    assert!(refused.err.contains("--outside -"), "{}", refused.err);
    let next = elsewhere.address("customer", "canary-second");
    let rotate = ["addon", "rotate", "shop", "postgres", "--outside", "-"];
    host.run_with_input(&rotate, &format!("DATABASE_URL='{next}'\nOTHER=x\n"))
        .ok();
    wait_until("the new address is all there is", || {
        addons(&host)[0]["rotation"].is_null()
    });
    assert_eq!(told(&host, "shop", "DATABASE_URL"), next);
    assert_eq!(host.get("shop", "/count").body, "2");

    // Away and back.
    elsewhere.pause();
    assert_eq!(state(&host), "down");
    let doctor = host.run(&["doctor", "shop"]);
    assert!(doctor.all().contains("does not answer"), "{}", doctor.all());
    elsewhere.resume();
    assert_eq!(state(&host), "ready");

    // Forgotten, and nothing is taken away.
    let gone = host.run(&["addon", "remove", "shop", "postgres"]).ok();
    assert!(
        gone.err.contains("What is kept there is as it was"),
        "{}",
        gone.err
    );
    assert_eq!(elsewhere.run("customer", "SELECT count(*) FROM visits"), "2");
    let events = host.run(&["events", "--project", "shop", "--json"]).ok();
    assert!(!events.out.contains("canary"), "{}", events.out);
}

/// The names of all projects.
fn projects(host: &Installation) -> Vec<String> {
    let all = host.run(&["project", "list", "--json"]).ok().json();
    let all = all.as_array().unwrap().iter();
    all.map(|one| one["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_project_is_made_with_a_database_elsewhere_or_not_at_all() {
    let (host, elsewhere, file) = begin();
    let good = elsewhere.address("customer", PASSWORD);
    let source = format!("postgres={}", file.display());
    let nobody = good.replace(&format!(":{}/", elsewhere.port), ":1/");
    for verb in [&["project", "create"][..], &["provision"]] {
        for (address, why, code) in [
            ("canary".to_owned(), "it is not a URL", 1),
            (
                good.replace(PASSWORD, "canary-other"),
                "password authentication failed",
                1,
            ),
            (nobody.clone(), "does not answer", 2),
        ] {
            std::fs::write(&file, address).unwrap();
            let no_others = ["--no-db", "--no-auth", "--no-storage"];
            let others = if verb.len() == 1 { &no_others[..] } else { &[] };
            let said = host
                .run(&[verb, &["new", "--outside", &source, "--json"][..], others].concat())
                .failed();
            assert_eq!(said.code, code, "{}", said.err);
            assert!(
                said.err.contains(why) && said.err.contains("nothing was made"),
                "{}",
                said.err
            );
            assert!(!said.all().contains("canary"), "{}", said.all());
            assert_eq!(projects(&host), ["shop"], "{why}");
        }
    }
    std::fs::write(&file, &good).unwrap();
    let made = host.run(&["project", "create", "new", "--outside", &source]).ok();
    assert!(
        made.err
            .contains("`new` has a PostgreSQL database, kept elsewhere."),
        "{}",
        made.err
    );
    let asked = ["db", "psql", "new", "--", "-XAtqc", "SELECT current_user"];
    assert_eq!(host.run(&asked).ok().out.trim(), "customer");
    // A name that is taken stays as it is, and says so.
    let taken = host
        .run(&["project", "create", "shop", "--outside", &source])
        .failed();
    assert!(taken.err.contains("there is one of this name"), "{}", taken.err);
    assert_eq!(addons(&host), json!([]));
}
