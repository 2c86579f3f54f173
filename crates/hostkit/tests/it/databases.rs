//! `hostkit db`: everything that is asked of databases, as people ask it, through the real binary.

use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::harness::{Installation, Said, wait_until};

/// What `psql` says to a statement, as the project; without headings.
fn ask(host: &Installation, database: &str, statement: &str) -> Said {
    host.run(&[
        "db",
        "psql",
        "shop",
        "--",
        "-d",
        database,
        "-XAtq",
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        statement,
    ])
}

fn asked(host: &Installation, database: &str, statement: &str) -> String {
    ask(host, database, statement).ok().out.trim().to_owned()
}

fn labels(host: &Installation) -> Vec<String> {
    let list = host.run(&["db", "list", "shop", "--json"]).ok().json();
    let all = list.as_array().unwrap().iter();
    all.map(|one| one["label"].as_str().unwrap().to_owned()).collect()
}

/// The names of the events that happened, oldest first.
fn events(host: &Installation) -> Vec<Value> {
    let said = host.run(&["events", "--project", "shop", "--json"]).ok().out;
    said.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn happened(host: &Installation, name: &str) -> usize {
    events(host).iter().filter(|event| event["event"] == name).count()
}

fn with_orders() -> Installation {
    let host = Installation::start();
    host.run(&["project", "create", "shop", "--with-db"]).ok();
    asked(
        &host,
        "shop_db",
        "CREATE TABLE orders (id int PRIMARY KEY, tenant text, note text);
         INSERT INTO orders SELECT n, 't' || n % 3, repeat('x', 50) FROM generate_series(1, 3000) n;
         CREATE INDEX nobody_uses ON orders (note)",
    );
    host
}

fn file(host: &Installation, name: &str) -> PathBuf {
    host.data().parent().unwrap().join(name)
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn databases_are_listed_made_looked_into_and_dropped() {
    let host = with_orders();
    let made = host
        .run(&["db", "create", "shop", "tenant_a", "--json"])
        .ok()
        .json();
    assert_eq!(
        (&made["label"], &made["name"]),
        (&json!("tenant_a"), &json!("shop_tenant_a"))
    );
    let twice = host.run(&["db", "create", "shop", "tenant_a"]).failed();
    assert!(twice.err.contains("it is there"), "{}", twice.err);
    assert_eq!(labels(&host), ["db", "tenant_a"]);
    let shown = host.run(&["db", "list", "shop"]).ok().out;
    assert!(
        shown.contains("shop_tenant_a") && shown.contains("/25") && shown.contains("MB"),
        "{shown}"
    );
    for direct in [
        &["db", "url", "shop", "-d", "tenant_a"][..],
        &["db", "url", "shop", "-d", "tenant_a", "--direct"],
    ] {
        let url = host.run(direct).ok().out;
        let said = std::process::Command::new("psql")
            .args([url.trim(), "-XAtqc", "SELECT current_database(), current_user"])
            .output()
            .unwrap();
        assert_eq!(
            String::from_utf8_lossy(&said.stdout).trim(),
            "shop_tenant_a|shop_db"
        );
    }

    asked(
        &host,
        "shop_db",
        "SELECT count(*) FROM orders WHERE tenant = 'a value of theirs'",
    );
    let stats = host.run(&["db", "stats", "shop", "--json"]).ok();
    assert!(!stats.out.contains("a value of theirs"), "{}", stats.out);
    let stats = stats.json();
    assert_eq!(stats["tables"][0]["name"], "orders");
    assert_eq!(stats["unused_indexes"][0]["name"], "nobody_uses");
    let slow = stats["slow_queries"].as_array().unwrap();
    assert!(
        slow.iter()
            .any(|one| one["text"].as_str().unwrap().contains("FROM orders WHERE tenant")),
        "{slow:?}"
    );
    let shown = host.run(&["db", "stats", "shop"]).ok().out;
    assert!(
        shown.contains("UNUSED INDEX") && shown.contains("nobody_uses"),
        "{shown}"
    );

    // Somebody who waits for somebody.
    let statement = "BEGIN; UPDATE orders SET note = '' WHERE id = 1; SELECT pg_sleep(30)";
    let session = |statement: &str| {
        host.prepared(&["db", "psql", "shop", "--", "-Xqc", statement])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    };
    let mut first = session(statement);
    let connections = || host.run(&["db", "connections", "shop", "--json"]).ok().json();
    wait_until("somebody who sleeps", || {
        connections().to_string().contains("PgSleep")
    });
    let mut second = session("UPDATE orders SET note = 'second' WHERE id = 1");
    wait_until("somebody who waits", || {
        let all = connections();
        all.as_array()
            .unwrap()
            .iter()
            .any(|one| one["blocked_by"].is_array())
    });
    let top = host.run(&["db", "top", "shop"]).ok().out;
    assert!(top.contains("pg_sleep") && top.contains("connection "), "{top}");
    for child in [&mut first, &mut second] {
        child.kill().unwrap();
        child.wait().unwrap();
    }

    let refused = host.run(&["db", "drop", "shop", "tenant_a"]).failed();
    assert!(refused.err.contains("add `--yes`"), "{}", refused.err);
    let main = host.run(&["db", "drop", "shop", "db", "--yes"]).failed();
    assert!(
        main.err.contains("it goes with the add-on itself"),
        "{}",
        main.err
    );
    host.run(&["db", "drop", "shop", "tenant_a", "--yes"]).ok();
    assert_eq!(labels(&host), ["db"]);
    let listed = host.run(&["backup", "list", "shop", "--json"]).ok().json();
    let kept = listed["backups"].as_array().unwrap();
    assert_eq!(kept.len(), 1, "none before what was refused: {listed}");
    assert_eq!(
        (&kept[0]["cause"], &kept[0]["state"]),
        (&"before".into(), &"proven".into())
    );
    let parts: Vec<&str> = kept[0]["parts"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|part| part["name"].as_str())
        .collect();
    assert!(parts.contains(&"postgres.tenant_a"), "{listed}");
    let gone = host.run(&["db", "drop", "shop", "tenant_a", "--yes"]).failed();
    assert!(gone.err.contains("has none of that name"), "{}", gone.err);
    assert_eq!(
        (
            happened(&host, "database_created"),
            happened(&host, "database_dropped")
        ),
        (1, 1)
    );
}

#[test]
fn extensions_are_added_and_tenants_kept_apart() {
    let host = with_orders();
    host.run(&["db", "extensions", "shop", "--add", "pgcrypto"]).ok();
    let all = host.run(&["db", "extensions", "shop", "--json"]).ok().json();
    let found = all
        .as_array()
        .unwrap()
        .iter()
        .find(|one| one["name"] == "pgcrypto");
    assert!(found.unwrap()["installed"].is_string());
    for bad in ["dblink", "plpython3u", "x\"; DROP TABLE orders; --", "../x"] {
        let refused = host.run(&["db", "extensions", "shop", "--add", bad]).failed();
        assert!(
            refused.err.contains("not one that a project may make"),
            "{}",
            refused.err
        );
    }

    let protect = |table: &str, column: &str, more: &[&str]| {
        let mut words = vec!["db", "protect", "shop", table, "--column", column];
        words.extend(more);
        host.run(&words)
    };
    let before = protect("orders", "tenant", &["--only-try"]).failed();
    assert!(before.out.contains("3000 of 3000 rows"), "{}", before.out);
    let after = protect("orders", "tenant", &["--json"]).ok().json();
    assert_eq!(after["holds"], true);
    assert!(
        after["statements"]
            .as_str()
            .unwrap()
            .contains("FORCE ROW LEVEL SECURITY")
    );
    protect("orders", "tenant", &["--only-try"]).ok();
    assert_eq!(asked(&host, "shop_db", "SELECT count(*) FROM orders"), "0");
    let one = "BEGIN; SET LOCAL app.tenant = 't1'; SELECT count(*) FROM orders; COMMIT";
    assert_eq!(asked(&host, "shop_db", one), "1000");
    for (table, column) in [
        ("orders; DROP TABLE orders", "tenant"),
        ("orders\"; DROP TABLE orders; --", "tenant"),
        ("orders", "tenant = '' OR true; --"),
        ("orders", ""),
        ("nothing", "tenant"),
    ] {
        protect(table, column, &[]).failed();
    }
    assert_eq!(asked(&host, "shop_db", one), "1000");
}

#[test]
fn a_dump_comes_back_and_what_is_no_dump_changes_nothing() {
    let host = with_orders();
    let dump = file(&host, "shop.dump");
    let said = host.run(&["db", "dump", "shop", "-o", text(&dump)]).ok();
    assert!(said.err.contains("shop.dump"), "{}", said.err);
    let whole = std::fs::read(&dump).unwrap();
    assert!(whole.starts_with(b"PGDMP"));
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&dump).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    let again = host.run(&["db", "dump", "shop", "-o", text(&dump)]).failed();
    assert!(again.err.contains("it is there"), "{}", again.err);
    // To stdout, for whoever encrypts it or sends it elsewhere.
    let output = host.prepared(&["db", "dump", "shop"]).output().unwrap();
    assert!(output.status.success() && output.stdout.starts_with(b"PGDMP"));

    asked(
        &host,
        "shop_db",
        "DELETE FROM orders WHERE id > 10; CREATE TABLE later (n int)",
    );
    let count = || asked(&host, "shop_db", "SELECT count(*) FROM orders");
    let refused = host.run(&["db", "restore", "shop", text(&dump)]).failed();
    assert!(refused.err.contains("add `--yes`"), "{}", refused.err);
    let mut flipped = whole.clone();
    let middle = flipped.len() / 2;
    flipped[middle..middle + 64].fill(0xff);
    for (name, bytes) in [
        ("cut", &whole[..whole.len() / 2]),
        ("flipped", &flipped),
        ("text", b"\\! touch /tmp/x\nDROP ROLE shop_db;"),
        ("empty", b""),
        ("huge", &vec![b'x'; 64 << 20]),
        ("beginning", b"PGDMP"),
    ] {
        let path = file(&host, name);
        std::fs::write(&path, bytes).unwrap();
        let failed = host
            .run(&["db", "restore", "shop", text(&path), "--yes"])
            .failed();
        assert!(
            failed.err.contains("is not a dump") || failed.err.contains("pg_restore refused it"),
            "{name}: {}",
            failed.err
        );
        assert_eq!(count(), "10", "{name}");
    }
    let missing = host
        .run(&["db", "restore", "shop", "/nonexistent", "--yes"])
        .failed();
    assert!(
        missing.err.contains("cannot read `/nonexistent`"),
        "{}",
        missing.err
    );
    let nowhere = host
        .run(&["db", "restore", "shop", "-d", "tenant_x", text(&dump), "--yes"])
        .failed();
    assert!(
        nowhere.err.contains("hostkit db create shop tenant_x"),
        "{}",
        nowhere.err
    );
    assert_eq!(labels(&host), ["db"]);

    let restored = host
        .run(&["db", "restore", "shop", text(&dump), "--yes", "--json"])
        .ok()
        .json();
    assert_eq!(
        (&restored["name"], &restored["tables"], &restored["rows"]),
        (&json!("shop_db"), &json!(1), &json!(3000))
    );
    assert_eq!(count(), "3000");
    ask(&host, "shop_db", "SELECT * FROM later").failed();
    // From stdin, into a further one.
    host.run(&["db", "create", "shop", "tenant_a"]).ok();
    let into = host
        .prepared(&["db", "restore", "shop", "-d", "tenant_a", "-", "--yes"])
        .stdin(std::fs::File::open(&dump).unwrap())
        .output()
        .unwrap();
    Said::from(into).ok();
    assert_eq!(
        asked(&host, "shop_tenant_a", "SELECT count(*) FROM orders"),
        "3000"
    );
    assert_eq!(
        (
            happened(&host, "database_dumped"),
            happened(&host, "database_replaced")
        ),
        (2, 2)
    );
}

#[test]
fn a_clone_is_another_database_of_the_project() {
    let host = with_orders();
    let cloned = host
        .run(&["db", "clone", "shop", "db", "trial", "--json"])
        .ok()
        .json();
    assert_eq!(cloned["rows"], 3000);
    asked(&host, "shop_trial", "DELETE FROM orders");
    assert_eq!(asked(&host, "shop_db", "SELECT count(*) FROM orders"), "3000");
    let refused = host.run(&["db", "clone", "shop", "db", "trial"]).failed();
    assert!(refused.err.contains("add `--yes`"), "{}", refused.err);
    host.run(&["db", "clone", "shop", "db", "trial", "--yes"]).ok();
    assert_eq!(asked(&host, "shop_trial", "SELECT count(*) FROM orders"), "3000");
    for (from, to) in [("db", "db"), ("nothing", "other")] {
        host.run(&["db", "clone", "shop", from, to, "--yes"]).failed();
    }
    assert_eq!(labels(&host), ["db", "trial"]);
    host.run(&["addon", "add", "shop", "postgres", "--env", "staging"])
        .ok();
    host.run(&[
        "db",
        "clone",
        "shop",
        "db",
        "db",
        "--from-env",
        "production",
        "--env",
        "staging",
        "--yes",
    ])
    .ok();
    let there = host.run(&[
        "db",
        "psql",
        "shop",
        "--env",
        "staging",
        "--",
        "-XAtqc",
        "SELECT count(*) FROM orders",
    ]);
    assert_eq!(there.ok().out.trim(), "3000");
}

#[test]
fn names_are_refused_before_anything_is_made() {
    let host = Installation::start();
    host.run(&["project", "create", "shop"]).ok();
    let none = host.run(&["db", "list", "shop"]).failed();
    assert!(
        none.err.contains("hostkit addon add shop postgres"),
        "{}",
        none.err
    );
    host.run(&["addon", "add", "shop", "postgres"]).ok();
    for bad in [
        "A",
        "1a",
        "a-b",
        "a b",
        "a\"; DROP DATABASE shop_db; --",
        "../db",
        "",
        "ä",
        "shop_db.new",
        &"a".repeat(25),
    ] {
        let refused = host.run(&["db", "create", "shop", bad]).failed();
        assert_eq!(refused.code, 64, "{bad}: {}", refused.err);
    }
    assert_eq!(labels(&host), ["db"]);
}

/// The folder of all databases is gone: that is told, and nothing empty takes its place.
#[test]
fn lost_data_are_a_finding_and_are_not_made_anew() {
    let mut host = with_orders();
    host.run(&["project", "create", "blog", "--with-redis"]).ok();
    host.run(&["addon", "set", "blog", "redis", "--memory", "128MB", "--keep-all"])
        .ok();
    let policy = host
        .run(&["redis", "cli", "blog", "--", "INFO", "memory"])
        .ok()
        .out;
    assert!(
        policy.contains("maxmemory:134217728") && policy.contains("maxmemory_policy:noeviction"),
        "{policy}"
    );
    let refused = host
        .run(&["addon", "set", "blog", "redis", "--memory", "1MB"])
        .failed();
    assert!(refused.err.contains("4MB are the least"), "{}", refused.err);
    let list = host.run(&["addon", "list", "blog", "--json"]).ok().json();
    assert_eq!(
        list[0]["settings"],
        json!({ "memory": "134217728", "keep_all": true })
    );
    let refused = host
        .run(&["addon", "set", "shop", "postgres", "--memory", "8MB"])
        .failed();
    assert!(refused.err.contains("it is for Redis alone"), "{}", refused.err);

    host.run(&["down"]).ok();
    let data = hostkit_core::layout::Layout::new(host.data());
    let name = hostkit_core::services::ServiceName {
        environment: None,
        role: hostkit_core::services::ServiceRole::Postgres,
    };
    let place = data.service(&name);
    let aside = file(&host, "aside");
    std::fs::rename(&place, &aside).unwrap();
    host.up();
    wait_until("word of it", || {
        let events = events(&host);
        events
            .iter()
            .any(|event| event["event"] == "addon_down" && event["reason"].to_string().contains("gone"))
    });
    assert!(!place.join("data/cluster").exists());
    let whole = host.run(&["doctor"]).failed();
    assert!(
        whole.all().contains("shop/production postgres"),
        "{}",
        whole.all()
    );
    let one = host.run(&["doctor", "shop"]).failed();
    assert!(one.all().contains("it does not work"), "{}", one.all());
    host.run(&["down"]).ok();
    drop(std::fs::remove_dir_all(&place));
    std::fs::rename(&aside, &place).unwrap();
    host.up();
    wait_until("the data that were put back", || {
        ask(&host, "shop_db", "SELECT count(*) FROM orders").out.trim() == "3000"
    });
}
