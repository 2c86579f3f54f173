//! Backups of a project with a database and a Redis: made, proven, damaged, restored; here and on another machine.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::harness::tls_front::TlsFront;
use crate::harness::{Installation, Said, projects, wait_until};

/// A value that must be nowhere but encrypted.
const CANARY: &str = "canary-51c0de";

/// What `psql` says as the project.
pub(crate) fn psql(host: &Installation, project: &str, statement: &str) -> String {
    let said = host.run(&[
        "db",
        "psql",
        project,
        "--",
        "-XAtq",
        "-v",
        "ON_ERROR_STOP=1",
        "-c",
        statement,
    ]);
    said.ok().out.trim().to_owned()
}

/// Fills what a project keeps.
fn fill(host: &Installation, project: &str) {
    psql(
        host,
        project,
        "CREATE TABLE orders (id int PRIMARY KEY, note text);
         INSERT INTO orders SELECT n, md5(n::text) FROM generate_series(1, 20000) n;
         CREATE INDEX ON orders (note)",
    );
    host.run(&["env", "set", &format!("API_KEY={CANARY}"), "--project", project])
        .ok();
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(files(&path)),
            false => found.push(path),
        }
    }
    found
}

fn backups(host: &Installation) -> Vec<Value> {
    let list = host.run(&["backup", "list", "shop", "--json"]).ok().json();
    list["backups"].as_array().unwrap().clone()
}

#[test]
fn a_project_comes_back_from_a_proven_backup_and_never_from_a_damaged_one() {
    let host = Installation::start();
    host.run(&["project", "create", "shop", "--with-db", "--with-redis"])
        .ok();
    fill(&host, "shop");
    let redis = |words: &[&str]| {
        let said = host.run(&[&["redis", "cli", "shop", "--"], words].concat()).ok();
        said.out.trim().to_owned()
    };
    for (key, more) in [("a", &[][..]), ("b", &[]), ("soon-gone", &["PX", "1"])] {
        redis(&[&["SET", key, CANARY], more].concat());
    }

    let shared = host.data().join("projects/shop/environments/production/shared");
    std::fs::create_dir_all(shared.join("uploads")).unwrap();
    std::fs::write(shared.join("uploads/photo"), CANARY).unwrap();
    let piped = Command::new("mkfifo").arg(shared.join("pipe")).status().unwrap();
    assert!(piped.success());

    let made = host.run(&["backup", "now", "shop"]).ok();
    assert!(made.err.contains("all of it came back"), "{}", made.err);
    assert!(made.err.contains("Not safe yet"), "{}", made.err);
    let first = &backups(&host)[0];
    assert_eq!((&first["state"], &first["number"]), (&"proven".into(), &1.into()));
    let part = |name: &str| {
        let parts = first["parts"].as_array().unwrap();
        parts.iter().find(|part| part["name"] == name).unwrap().clone()
    };
    assert_eq!(part("postgres")["counts"]["rows of public.orders"], 20000);
    assert_eq!(part("variables")["counts"]["variables"], 1);
    assert_eq!(part("redis")["counts"]["keys that do not expire"], 2);
    // What cannot be in it is told then, and can be read later.
    let left_out = part("shared")["left_out"][0].as_str().unwrap().to_owned();
    assert!(
        left_out.contains("`pipe`") && made.err.contains(&left_out),
        "{left_out}"
    );
    let shown = host.run(&["backup", "show", "shop", "1"]).ok().out;
    assert!(shown.contains(&left_out), "{shown}");
    let folder = host.data().join("backups");
    let stored = files(&folder.join("shop"));
    assert_eq!(stored.len(), 6, "{stored:?}");
    for file in &stored {
        let bytes = std::fs::read(file).unwrap();
        assert!(
            !bytes
                .windows(CANARY.len())
                .any(|window| window == CANARY.as_bytes())
        );
    }

    // A part can be taken out, and is what it says.
    let dump = host.sources();
    std::fs::create_dir_all(&dump).unwrap();
    let dump = dump.join("shop.dump");
    host.run(&[
        "backup",
        "download",
        "shop",
        "postgres",
        "-o",
        dump.to_str().unwrap(),
    ])
    .ok();
    assert!(std::fs::read(&dump).unwrap().starts_with(b"PGDMP"));

    // After a loss it comes back, and so does the variable; what was there before is a backup, too.
    psql(&host, "shop", "DROP TABLE orders; CREATE TABLE wrong (n int)");
    host.run(&["env", "set", "API_KEY=other", "--project", "shop"])
        .ok();
    redis(&["FLUSHALL"]);
    std::fs::remove_dir_all(&shared).unwrap();
    let asked = host.run(&["backup", "restore", "shop"]).failed();
    assert!(asked.err.contains("--yes"), "{}", asked.err);
    host.run(&["backup", "restore", "shop", "1", "--yes"]).ok();
    assert_eq!(
        psql(
            &host,
            "shop",
            "SELECT count(*), max(note) IS NOT NULL FROM orders"
        ),
        "20000|t"
    );
    let value = host.run(&["env", "get", "API_KEY", "--project", "shop"]).ok().out;
    assert_eq!(value.trim(), CANARY);
    assert_eq!(
        (redis(&["GET", "a"]), redis(&["DBSIZE"])),
        (CANARY.to_owned(), "2".to_owned())
    );
    redis(&["SET", "c", "1"]);
    assert_eq!(
        std::fs::read_to_string(shared.join("uploads/photo")).unwrap(),
        CANARY
    );
    assert_eq!(backups(&host)[0]["cause"], "before");

    // One flipped bit: red, named, refused; nothing is touched.
    let file = folder.join("shop/production/1/postgres");
    let mut bytes = std::fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&file, bytes).unwrap();
    psql(&host, "shop", "DELETE FROM orders WHERE id > 10");
    let refused = host.run(&["backup", "restore", "shop", "1", "--yes"]).failed();
    assert!(refused.err.contains("`postgres` is damaged"), "{}", refused.err);
    assert_eq!(psql(&host, "shop", "SELECT count(*) FROM orders"), "10");
    let red = host.run(&["backup", "verify", "shop", "1"]).failed();
    assert!(red.err.contains("is damaged"), "{}", red.err);
    let doctor = host.run(&["doctor", "--json"]).all();
    assert!(doctor.contains("recovery kit"), "{doctor}");
    // The one before the restore is still good, and has what was there then.
    host.run(&["backup", "restore", "shop", "2", "--to", "copy"]).ok();
    assert_eq!(psql(&host, "copy", "SELECT count(*) FROM wrong"), "0");

    // What stays of a project that is gone can be looked at, read back, and taken out.
    host.run(&["project", "delete", "copy", "--yes"]).ok();
    assert_eq!(
        host.run(&["project", "list", "--json"])
            .ok()
            .out
            .matches("\"copy\"")
            .count(),
        0
    );
    let last = host.run(&["backup", "show", "copy"]).ok();
    assert!(last.all().contains("proven"), "{}", last.all());
    let verified = host.run(&["backup", "verify", "copy"]).ok();
    assert!(
        verified.all().contains("copy/production is gone"),
        "{}",
        verified.all()
    );
    let again = dump.with_extension("again");
    host.run(&[
        "backup",
        "download",
        "copy",
        "postgres",
        "-o",
        again.to_str().unwrap(),
    ])
    .ok();
    host.run(&["backup", "prune", "copy", "--plan"]).ok();
}

#[test]
fn on_another_machine_nothing_but_the_kit_is_needed() {
    let host = Installation::start();
    let disk = tempfile::tempdir().unwrap();
    let target = disk.path().join("backups");
    host.run(&["backup", "target", "folder", target.to_str().unwrap()])
        .ok();
    host.run(&["project", "create", "shop", "--with-db"]).ok();
    fill(&host, "shop");
    host.run(&["backup", "now", "shop"]).ok();
    let kit = host.run(&["backup", "kit"]).ok().out;
    host.run_with_input(&["backup", "kit", "--confirm"], "ABCDE")
        .failed();
    host.run_with_input(&["backup", "kit", "--confirm"], &kit).ok();
    let list = host.run(&["backup", "list", "shop"]).ok();
    assert!(!list.all().contains("ot safe yet"), "{}", list.all());
    host.run(&["backup", "kit"]).failed();

    // Deleted for good here; the last backup stays.
    host.run(&["project", "delete", "shop", "--yes"]).ok();
    assert_eq!(backups(&host)[0]["cause"], "last");

    let other = Installation::start();
    let file = disk.path().join("kit");
    std::fs::write(&file, &kit).unwrap();
    let restored = other
        .run(&["backup", "restore", "shop", "--kit", file.to_str().unwrap()])
        .ok();
    assert!(restored.err.contains("made anew"), "{}", restored.err);
    assert_eq!(psql(&other, "shop", "SELECT count(*) FROM orders"), "20000");
    let value = other
        .run(&["env", "get", "API_KEY", "--project", "shop"])
        .ok()
        .out;
    assert_eq!(value.trim(), CANARY);
}

#[test]
fn the_data_of_an_addon_are_backed_up_before_it_is_removed_and_a_lost_disk_is_told() {
    let host = Installation::start();
    host.run(&["project", "create", "shop", "--with-db"]).ok();
    fill(&host, "shop");
    host.run(&["addon", "remove", "shop", "postgres", "--yes"]).ok();
    assert_eq!(
        (&backups(&host)[0]["cause"], &backups(&host)[0]["state"]),
        (&"before".into(), &"proven".into())
    );
    host.run(&["backup", "restore", "shop", "--yes"]).ok();
    assert_eq!(psql(&host, "shop", "SELECT count(*) FROM orders"), "20000");

    // The disk of the backups is not mounted: told, and nothing is removed.
    std::fs::remove_file(host.data().join("backups/.hostkit-backups")).unwrap();
    host.run(&["backup", "target", "folder", "relative"]).failed();
    let disk = tempfile::tempdir().unwrap();
    let target = disk.path().join("mounted");
    host.run(&["backup", "target", "folder", target.to_str().unwrap()])
        .ok();
    std::fs::remove_dir_all(&target).unwrap();
    std::fs::create_dir(&target).unwrap();
    let failed = host.run(&["backup", "now", "shop"]).failed();
    assert!(
        failed.err.contains("not the folder that was set up"),
        "{}",
        failed.err
    );
    let refused = host
        .run(&["addon", "remove", "shop", "postgres", "--yes"])
        .failed();
    assert!(refused.err.contains("nothing was changed"), "{}", refused.err);
    host.run(&["addon", "remove", "shop", "postgres", "--yes", "--no-backup"])
        .ok();
}

#[test]
fn a_bucket_keeps_backups_and_one_that_is_away_is_told_and_loses_none() {
    // The bucket is reached over TLS, by a certificate that the system trusts.
    let certificate = || rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (trusted, strange) = (certificate(), certificate());
    let authority = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(authority.path(), trusted.cert.pem()).unwrap();
    let host = Installation::start_with(&[("SSL_CERT_FILE", authority.path().to_str().unwrap())]);
    host.run(&["project", "create", "keeper", "--with-storage"]).ok();
    let page = projects::folder(&host.sources(), "keeper", &[("index.html", "a page")]);
    host.deploy("keeper", &page).ok();
    let value = |name: &str| -> String {
        let told = host.data().join("projects/keeper/environments/production/.env");
        let told = std::fs::read_to_string(told).unwrap();
        let line = told
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap().trim_matches('"').to_owned()
    };
    let storage = value("S3_ENDPOINT");
    let storage = storage.strip_prefix("http://").unwrap().parse().unwrap();
    let (front, stranger) = (
        TlsFront::start(&trusted, storage),
        TlsFront::start(&strange, storage),
    );
    let named_at = |port: u16, bucket: &str, secret: &str| {
        let endpoint = format!("https://localhost:{port}");
        let target = host
            .prepared(&["backup", "target", "s3", "--endpoint", &endpoint])
            .args(["--bucket", bucket, "--region", "auto", "--prefix", "backups/one"])
            .args(["--access-key-id", &value("S3_ACCESS_KEY_ID")])
            .env("HOSTKIT_S3_SECRET", secret)
            .output();
        Said::from(target.unwrap())
    };
    let named = |bucket: &str, secret: &str| named_at(front.port, bucket, secret);
    let secret = value("S3_SECRET_ACCESS_KEY");
    let wrong = named("keeper", &"0".repeat(64)).failed();
    assert!(wrong.err.contains("SignatureDoesNotMatch"), "{}", wrong.err);
    assert!(!wrong.err.contains(&secret), "{}", wrong.err);
    let nowhere = named("no-such-bucket", &secret).failed();
    assert!(nowhere.err.contains("no-such-bucket"), "{}", nowhere.err);
    let unknown = named_at(stranger.port, "keeper", &secret).failed();
    assert!(unknown.err.contains("certificate"), "{}", unknown.err);
    named("keeper", &secret).ok();

    host.run(&["project", "create", "shop", "--with-db"]).ok();
    fill(&host, "shop");
    host.run(&["backup", "now", "shop"]).ok();
    assert_eq!(backups(&host)[0]["state"], "proven");
    let kept = host.run(&["storage", "ls", "keeper:backups/", "-r"]).ok().out;
    assert!(kept.contains("backups/one/shop/production/1/postgres"), "{kept}");

    // Its keys are changed: told, and the backup that there was is as good as before.
    psql(&host, "shop", "DELETE FROM orders");
    host.run(&["addon", "rotate", "keeper", "storage"]).ok();
    let list = || host.run(&["addon", "list", "keeper", "--json"]).ok().json();
    wait_until("the end of the rotation", || list()[0]["rotation"].is_null());
    let failed = host.run(&["backup", "now", "shop"]).failed();
    assert!(failed.err.contains("InvalidAccessKeyId"), "{}", failed.err);
    let told = host.run(&["events", "--project", "shop"]).ok().out;
    assert!(told.contains("backup 2 failed"), "{told}");
    named("keeper", &value("S3_SECRET_ACCESS_KEY")).ok();
    host.run(&["backup", "restore", "shop", "1", "--yes"]).ok();
    assert_eq!(psql(&host, "shop", "SELECT count(*) FROM orders"), "20000");
}

/// Tables that are large on the disk, with a row or two in each page.
const LARGE: &str = "
    CREATE TABLE orders (id int PRIMARY KEY, body text) WITH (fillfactor = 10);
    INSERT INTO orders SELECT n, repeat(md5(n::text), 24) FROM generate_series(1, 9000) n;
    CREATE TABLE lines (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, of int REFERENCES orders, body text)
        WITH (fillfactor = 10);
    INSERT INTO lines (of, body) SELECT n, repeat(md5(n::text), 24) FROM generate_series(1, 9000) n;
    CREATE TABLE small (n int); INSERT INTO small VALUES (1)";
/// What is in them.
const SUMS: &str = "SELECT (SELECT md5(string_agg(o::text, ',' ORDER BY id)) FROM orders o),
    (SELECT md5(string_agg(l::text, ',' ORDER BY id)) FROM lines l), (SELECT sum(n) FROM small),
    (SELECT count(*) FROM pg_constraint WHERE conrelid = 'lines'::regclass)";

#[test]
fn a_large_database_is_taken_out_in_several_dumps_that_tools_of_ones_own_restore() {
    let processors = std::thread::available_parallelism().unwrap().get();
    assert!(
        processors > 1,
        "with one processor there is one dump: this needs two"
    );
    let host = Installation::start();
    host.run(&["project", "create", "shop", "--with-db"]).ok();
    host.run(&["project", "create", "empty", "--with-db"]).ok();
    psql(&host, "shop", LARGE);
    let there = psql(&host, "shop", SUMS);
    host.run(&["backup", "now", "shop"]).ok();
    assert_eq!(backups(&host)[0]["state"], "proven");

    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("shop.dump");
    let download = |to: &str| host.run(&["backup", "download", "shop", "postgres", "-o", to]);
    let refused = download("-").failed();
    assert!(
        refused.err.contains("several dumps") && refused.out.is_empty(),
        "{}",
        refused.err
    );
    let said = download(first.to_str().unwrap()).ok();
    let second = folder.path().join("shop-2.dump");
    for file in [&first, &second] {
        assert!(std::fs::read(file).unwrap().starts_with(b"PGDMP"));
    }
    // What is said is what restores them.
    let url = host.run(&["db", "url", "empty", "--direct"]).ok().out;
    let commands: Vec<&str> = said
        .err
        .lines()
        .filter(|line| line.contains("pg_restore "))
        .collect();
    assert_eq!(commands.len(), 4, "{}", said.err);
    for command in commands {
        let done = Command::new("sh")
            .args(["-ec", command])
            .env("URL", url.trim())
            .output();
        let done = done.unwrap();
        assert!(
            done.status.success(),
            "{command}: {}",
            String::from_utf8_lossy(&done.stderr)
        );
    }
    assert_eq!(psql(&host, "empty", SUMS), there);
    // Nothing is written over, and nothing of half a download is left.
    std::fs::remove_file(&first).unwrap();
    download(first.to_str().unwrap()).failed();
    assert!(!first.exists() && second.exists());

    host.run(&["backup", "restore", "shop", "--to", "copy"]).ok();
    assert_eq!(psql(&host, "copy", SUMS), there);
}
