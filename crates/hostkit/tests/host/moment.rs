//! Databases of a server that come back as they were at a moment: those of one project, out of the machine's own PostgreSQL.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use hostkit_testkit::machine::wait_until;
use jiff::Timestamp;
use serde_json::Value;

use crate::addons::Site;
use crate::installed::{said, until_healthy};

const SPOOL: &str = "/var/lib/hostkit/services/postgres/data/spool";
/// A new start of PostgreSQL takes seconds, also on a busy host.
const LONGEST_START: Duration = Duration::from_secs(120);
const ON: [&str; 5] = ["hostkit", "backup", "history", "on", "--yes"];

/// As the machine's administrator.
fn sql(site: &Site, text: &str) -> String {
    site.ok(&["runuser", "-u", "postgres", "--", "psql", "-XAtqc", text])
}

/// As a project's program.
fn own(site: &Site, project: &str, text: &str) -> String {
    site.ok(&["hostkit", "db", "psql", project, "--", "-XAtqc", text])
}

fn history(site: &Site) -> Value {
    site.machine
        .exec(&["hostkit", "backup", "history", "--json"])
        .json()
}

fn notes(site: &Site, project: &str) -> String {
    own(
        site,
        project,
        "SELECT string_agg(text, ',' ORDER BY text) FROM notes",
    )
}

/// A moment a second after all that was done, and a second before all that is done next.
fn moment() -> String {
    std::thread::sleep(Duration::from_secs(1));
    let now = Timestamp::now();
    std::thread::sleep(Duration::from_secs(1));
    now.to_string()
}

fn settings(site: &Site) -> String {
    sql(
        site,
        "SELECT string_agg(name || '=' || setting, ' ' ORDER BY name) FROM pg_file_settings
         WHERE name LIKE 'archive%' OR name LIKE 'basic_archive%'",
    )
}

/// Leaves the history on.
pub(crate) fn databases_come_back_to_a_moment(site: &Site, project: &str, other: &str) {
    let begun = Instant::now();
    is_kept_from_now_on(site, project);
    eprintln!("a history is kept after {:?}", begun.elapsed());
    for name in [project, other] {
        own(
            site,
            name,
            "CREATE TABLE notes (text text); INSERT INTO notes VALUES ('a')",
        );
    }
    let at = moment();
    for name in [project, other] {
        own(site, name, "INSERT INTO notes VALUES ('b')");
    }
    no_link_is_followed(site, other);
    eprintln!("no link was followed after {:?}", begun.elapsed());

    let (unit, scratch) = (
        format!("hostkit-{project}.production.postgres.service"),
        format!("/var/lib/hostkit/services/{project}.production.postgres"),
    );
    let restore = [
        "hostkit",
        "backup",
        "restore",
        project,
        "--to-time",
        &at,
        "--yes",
        "--no-backup",
    ];
    let data = format!("{scratch}/data");
    let aside = ["systemd-run", "--quiet", "--collect", "--unit=restoring", "--"];
    site.ok(&[&aside[..], &restore[..]].concat());
    wait_until("the server as it was is made", || {
        site.machine
            .exec(&["test", "-e", &format!("{data}/cluster/pg_wal")])
            .code
            == 0
    });
    let owner = said(&site.machine, &["stat", "-c", "%U %a", &data]);
    let (account, mode) = owner.split_once(' ').unwrap();
    assert!(
        account.starts_with("hostkit-postgres-") && mode == "700",
        "{owner}"
    );
    for name in [project, other] {
        assert!(
            !site.python(name, &format!("import os; os.listdir('{data}')")),
            "{name}"
        );
    }
    site.ok(&["systemctl", "kill", "--signal=KILL", "hostkit-control.service"]);
    wait_until("what was cut off is gone", || {
        let is_gone = |line: &[&str]| site.machine.exec(line).code != 0;
        is_gone(&["test", "-e", &scratch])
            && is_gone(&["getent", "passwd", account])
            && is_gone(&["systemctl", "cat", &unit])
    });
    until_healthy(&site.machine);
    eprintln!("control was killed, and is back after {:?}", begun.elapsed());
    assert_eq!(
        (notes(site, project), notes(site, other)),
        ("a,b".into(), "a,b".into())
    );

    site.ok(&restore);
    assert_eq!(
        (notes(site, project), notes(site, other)),
        ("a".into(), "a,b".into())
    );
    for gone in [&["test", "-e", &scratch][..], &["getent", "passwd", account]] {
        site.machine.exec(gone).failed();
    }
    eprintln!("a moment came back after {:?}", begun.elapsed());

    // Off, it leaves one word, for as long as this server runs; on again, it is started anew by nobody.
    let before = sql(site, "SELECT pg_postmaster_start_time()");
    site.ok(&["hostkit", "backup", "history", "off"]);
    wait_until("nothing is filed", || {
        settings(site) == "archive_command=/bin/true hostkit"
            && site.machine.exec(&["test", "-e", SPOOL]).code != 0
    });
    assert_eq!(sql(site, "SHOW archive_command"), "/bin/true hostkit");
    site.ok(&ON[..4]);
    wait_until("it is filed again", || {
        sql(site, "SHOW archive_library") == "basic_archive"
    });
    assert_eq!(sql(site, "SELECT pg_postmaster_start_time()"), before);
}

/// After the package went, while a history was kept.
pub(crate) fn nothing_is_filed(site: &Site) {
    assert_eq!(settings(site), "archive_command=/bin/true hostkit");
    assert_eq!(sql(site, "SHOW archive_library"), "");
}

fn is_kept_from_now_on(site: &Site, project: &str) {
    let unasked = site.machine.exec(&ON[..4]).failed();
    assert!(unasked.err.contains("started anew"), "{}", unasked.err);
    assert_eq!(settings(site), "");
    // Where somebody else files the log it stays theirs.
    sql(site, "ALTER SYSTEM SET archive_command = 'cp %p /srv/%f'");
    sql(site, "SELECT pg_reload_conf()");
    let theirs = site.machine.exec(&ON).failed();
    assert!(theirs.err.contains("archive_command"), "{}", theirs.err);
    assert_eq!(settings(site), "archive_command=cp %p /srv/%f");
    sql(site, "ALTER SYSTEM RESET archive_command");
    sql(site, "SELECT pg_reload_conf()");

    // While the server is started anew, what goes through PgBouncer waits and does not fail.
    let is_on = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| {
            let mut answers = Vec::new();
            let begun = Instant::now();
            while !is_on.load(Ordering::Relaxed) && begun.elapsed() < LONGEST_START {
                answers.push(site.get(project, "/pooled"));
            }
            answers
        });
        site.ok(&ON);
        is_on.store(true, Ordering::Relaxed);
        let answers = asking.join().unwrap();
        assert!(answers.iter().all(|answer| answer == "4"), "{answers:?}");
    });
    wait_until("there are moments", || {
        !history(site)["windows"].as_array().unwrap().is_empty()
    });
}

/// The server's own account may put there what it likes: root reads its pieces and nothing else.
fn no_link_is_followed(site: &Site, other: &str) {
    let planted = format!("{SPOOL}/0000000100000000000000EE");
    let line = format!("import os; os.listdir('{SPOOL}')");
    assert!(!site.python(other, &line) && !site.python("daemon", &line));
    let as_postgres = ["runuser", "-u", "postgres", "--"];
    site.machine.write("nobody's", "/root/secret", 0o600);
    site.ok(&[&as_postgres[..], &["ln", "-s", "/root/secret", &planted]].concat());
    // Choosing makes control look at once.
    let choose = |days| site.ok(&["hostkit", "backup", "history", "--days", days]);
    choose("8");
    wait_until("it is told", || {
        let trouble = history(site)["trouble"].as_str().unwrap_or_default().to_owned();
        trouble.contains(&planted)
    });
    let kept = site.ok(&[
        "find",
        "/var/lib/hostkit/backups/cluster.postgres",
        "-name",
        "*ee.*",
    ]);
    assert_eq!(kept, "");
    assert_eq!(site.machine.read("/root/secret"), "nobody's");
    site.ok(&[&as_postgres[..], &["rm", "--", &planted]].concat());
    choose("7");
    wait_until("it goes on", || history(site)["trouble"].is_null());
}
