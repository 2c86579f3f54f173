//! Add-ons on a server: each project has its own, and nobody else gets at it; they outlive control, a boot and a kill.

use hostkit_testkit::http::{self, Place};
use hostkit_testkit::machine::{Flavour, Machine, World, wait_until};

use crate::installed::{APT, purge_with_data, said, server, stop_control, until_healthy};
use crate::moment;

/// Who is kept out, and whose things they are.
const FROM: &str = "mallory";
const TO: &str = "blog";
const PROJECTS: [&str; 2] = [FROM, TO];

/// A program that does with its add-ons what a request asks for, by the variables it was given.
const APP: &str = r#"import http.server, os, socket, subprocess, urllib.request
from urllib.parse import urlsplit

def redis(url, *words):
    at = urlsplit(url)
    stream = socket.create_connection((at.hostname, at.port), 5).makefile('rwb')
    def ask(*words):
        stream.write(b'*%d\r\n' % len(words))
        for word in words:
            stream.write(b'$%d\r\n%s\r\n' % (len(word.encode()), word.encode()))
        stream.flush()
        return stream.readline().decode().strip()
    answer = ask('AUTH', at.username, at.password)
    return ask(*words) if answer == '+OK' else answer

def rest(path):
    request = urllib.request.Request(os.environ['UPSTASH_REDIS_REST_URL'] + path)
    request.add_header('Authorization', 'Bearer ' + os.environ['UPSTASH_REDIS_REST_TOKEN'])
    return urllib.request.urlopen(request, timeout=10).read().decode()

def sql(url, text):
    line = ['psql', '-X', '-A', '-t', '-q', '-d', url, '-c', text]
    ended = subprocess.run(line, capture_output=True, text=True, timeout=60)
    return (ended.stderr if ended.returncode else ended.stdout).strip()

COUNT = ('CREATE TABLE IF NOT EXISTS hits (n int); INSERT INTO hits VALUES (1);'
         'SELECT count(*) FROM hits')

class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            text = {
                '/': lambda: os.environ['HOSTKIT_TEST_NAME'],
                '/redis': lambda: redis(os.environ['REDIS_URL'], 'INCR', 'hits'),
                '/rest': lambda: rest('/get/hits'),
                '/direct': lambda: sql(os.environ['DIRECT_URL'], COUNT),
                '/pooled': lambda: sql(os.environ['DATABASE_URL'], 'SELECT count(*) FROM hits'),
            }[self.path]()
        except Exception as why:
            text = 'cannot: %r' % why
        self.send_response(200)
        self.end_headers()
        self.wfile.write(text.encode())

http.server.HTTPServer((os.environ['HOST'], int(os.environ['PORT'])), Answer).serve_forever()
"#;

pub(crate) struct Site {
    pub(crate) machine: Machine,
    _world: World,
    _folder: tempfile::TempDir,
}

impl Site {
    /// A machine, set up, with two projects that have the add-ons.
    fn new(flavour: Flavour, options: &[&str]) -> Self {
        let world = World::new();
        let (machine, folder) = server(&world, flavour);
        machine.exec_within(APT, &["hostkit", "server", "setup"]).ok();
        let site = Site {
            machine,
            _world: world,
            _folder: folder,
        };
        for name in PROJECTS {
            let file = |path: &str, text: &str| {
                site.machine
                    .write(text, &format!("/root/apps/{name}/{path}"), 0o644);
            };
            file("requirements.txt", "");
            file("app.py", APP);
            file("hostkit.toml", "[process.web]\ncommand = \"python3 app.py\"\n");
            site.ok(&[&["hostkit", "project", "create", name], options].concat());
            let set = format!("HOSTKIT_TEST_NAME={name}");
            site.ok(&["hostkit", "env", "set", &set, "--project", name]);
            site.ok(&[
                "hostkit",
                "deploy",
                &format!("/root/apps/{name}"),
                "--project",
                name,
            ]);
        }
        site
    }

    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let output = self.machine.exec_within(APT, arguments).ok();
        output.out.trim().to_owned()
    }

    /// What the program of a project answers.
    pub(crate) fn get(&self, name: &str, path: &str) -> String {
        let host = format!("{name}.apps.example.com");
        http::get(Place::on(&self.machine, 80), &host, path).body
    }

    fn until_it_answers(&self, name: &str, path: &str, wanted: &str) {
        let mut last = String::new();
        wait_until(&format!("{name}{path} answers {wanted}"), || {
            let body = self.get(name, path);
            if body != last {
                eprintln!("{name}{path} answers {body}");
                last.clone_from(&body);
            }
            body == wanted
        });
    }

    /// A variable as the project's `.env` shows it.
    fn variable(&self, project: &str, name: &str) -> String {
        let text = self.machine.read(&format!("/home/{project}/.env"));
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name}=")));
        line.unwrap_or_else(|| panic!("no {name} in {text}"))
            .trim_matches(['"', '\''])
            .to_owned()
    }

    fn port(&self, project: &str, name: &str) -> u16 {
        let url = self.variable(project, name);
        let end = url.rsplit_once(':').unwrap().1;
        end.split(['/', '?']).next().unwrap().parse().unwrap()
    }

    /// Runs Python as an account; whether it ended well.
    pub(crate) fn python(&self, account: &str, line: &str) -> bool {
        let group = format!("--regid={account}");
        let user = format!("--reuid={account}");
        self.machine
            .exec(&["setpriv", &user, &group, "--clear-groups", "python3", "-c", line])
            .code
            == 0
    }

    fn reaches(&self, account: &str, port: u16) -> bool {
        let line = format!("import socket; socket.create_connection(('127.0.0.1', {port}), 5)");
        self.python(account, &line)
    }

    fn main_pid(&self, unit: &str) -> String {
        said(
            &self.machine,
            &["systemctl", "show", "--value", "-p", "MainPID", unit],
        )
    }
}

fn redis_unit(project: &str) -> String {
    format!("hostkit-{project}.production.redis.service")
}

#[test]
#[ignore = "lane host: boots a machine"]
fn a_redis_is_its_projects_alone_and_outlives_control_a_kill_and_a_boot() {
    let mut site = Site::new(Flavour::Bare, &["--with-redis"]);
    // Debian's own servers did not come with their programs.
    for unit in ["redis-server.service", "pgbouncer.service"] {
        site.machine.exec(&["systemctl", "is-active", unit]).failed();
    }
    for name in PROJECTS {
        assert_eq!(site.get(name, "/redis"), ":1");
        assert_eq!(site.get(name, "/rest"), r#"{"result":"1"}"#);
    }
    let (own, other) = (site.port(FROM, "REDIS_URL"), site.port(TO, "REDIS_URL"));
    let gateway = site.port(TO, "UPSTASH_REDIS_REST_URL");
    let kept_apart = |site: &Site, when: &str| {
        assert!(site.reaches(FROM, own) && site.reaches(TO, other), "{when}");
        assert!(!site.reaches(FROM, other), "{when}");
        assert!(!site.reaches("daemon", other), "{when}");
        assert!(
            site.reaches(FROM, gateway) && site.reaches("daemon", gateway),
            "{when}"
        );
    };
    kept_apart(&site, "at first");

    // As the other project's account: neither files, nor processes, nor answers in its place.
    let folder = format!("/var/lib/hostkit/services/{TO}.production.redis");
    let pid = site.main_pid(&redis_unit(TO));
    let tries = [
        format!("open('{folder}/configuration/users.acl')"),
        format!("open('{folder}/spec.json')"),
        format!("import os; os.listdir('{folder}/data')"),
        format!("import os; os.kill({pid}, 0)"),
        format!("open('/proc/{pid}/environ')"),
        "open('/var/lib/hostkit/services/redis-rest/configuration/settings.json')".to_owned(),
    ];
    for line in &tries {
        assert!(!site.python(FROM, line), "{line}");
        // Its own account cannot either: a program of the project is not its Redis.
        assert!(!site.python(TO, line), "{line}");
    }
    // It is the accounts that keep them out: what is the service's own, its account reaches.
    let account = said(&site.machine, &["stat", "-c", "%U", &format!("{folder}/data")]);
    for line in &tries[..1] {
        assert!(site.python(&account, line), "{line}");
    }
    let walk = site.ok(&["hostkit", "doctor", "isolation", FROM, TO]);
    assert!(walk.contains("add-on port"), "{walk}");

    // Without the rules the port is reached, and its password still keeps them out.
    site.ok(&["nft", "flush", "chain", "inet", "hostkit", "loopback"]);
    assert!(site.reaches(FROM, other));
    let url = site
        .variable(FROM, "REDIS_URL")
        .replace(&own.to_string(), &other.to_string());
    let (line, _) = APP.split_once("\nclass").unwrap();
    let refused = format!("{line}\nassert redis('{url}', 'PING').startswith('-WRONGPASS')");
    assert!(site.python(FROM, &refused));
    wait_until("the rules are back", || !site.reaches(FROM, other));
    kept_apart(&site, "after the rules were mended");

    // The place of a Redis that is away is nobody's.
    stop_control(&site.machine);
    let before = site.main_pid(&redis_unit(FROM));
    site.ok(&["systemctl", "kill", "--signal=KILL", &redis_unit(FROM)]);
    site.until_it_answers(FROM, "/redis", ":2");
    assert_ne!(
        site.main_pid(&redis_unit(FROM)),
        before,
        "it was started again, without control"
    );
    site.ok(&["systemctl", "kill", "--signal=KILL", "hostkit-redis-rest.service"]);
    site.until_it_answers(FROM, "/rest", r#"{"result":"2"}"#);
    kept_apart(&site, "without control");

    // After a boot all is back by itself: control is not started.
    site.ok(&[
        "systemctl",
        "disable",
        "hostkit-control.service",
        "hostkit-control.socket",
        "hostkit-api.socket",
    ]);
    site.machine.power_cut();
    site.machine.power_on();
    for (name, count) in [(FROM, ":3"), (TO, ":2")] {
        site.until_it_answers(name, "/redis", count);
    }
    site.machine
        .exec(&["systemctl", "is-active", "hostkit-control.service"])
        .failed();
    kept_apart(&site, "after a boot, without control");
    site.ok(&[
        "systemctl",
        "enable",
        "--now",
        "hostkit-control.socket",
        "hostkit-api.socket",
        "hostkit-control.service",
    ]);
    until_healthy(&site.machine);

    // A new password, while the program goes on.
    let old = site.variable(TO, "REDIS_URL");
    site.ok(&["hostkit", "addon", "rotate", TO, "redis"]);
    wait_until("the new password is told", || {
        site.variable(TO, "REDIS_URL") != old
    });
    site.until_it_answers(TO, "/redis", ":3");
    assert_eq!(
        site.ok(&["hostkit", "redis", "cli", TO, "--", "GET", "hits"]),
        "3"
    );

    // It is backed up and comes back, read and written by nobody but its own account.
    let made = site.ok(&["hostkit", "backup", "now", TO, "--json"]);
    assert!(made.contains("\"proven\""), "{made}");
    site.ok(&["hostkit", "redis", "flush", TO, "--yes"]);
    site.ok(&["hostkit", "backup", "restore", TO, "--yes", "--no-backup"]);
    site.until_it_answers(TO, "/redis", ":4");

    // Removed, nothing of it is left.
    site.ok(&["hostkit", "addon", "remove", TO, "redis", "--yes"]);
    site.machine.exec(&["stat", &folder]).failed();
    site.machine.exec(&["getent", "passwd", &account]).failed();
    site.machine.exec(&["systemctl", "cat", &redis_unit(TO)]).failed();
    let rules = site.ok(&["nft", "list", "table", "inet", "hostkit"]);
    assert!(!rules.contains(&format!("{other} . ")), "{rules}");
    // And with a project goes what it has.
    site.ok(&["hostkit", "project", "delete", FROM, "--yes"]);
    wait_until("the last service is gone", || {
        site.machine
            .exec(&["ls", "/var/lib/hostkit/services"])
            .out
            .trim()
            .is_empty()
    });
    let left = site.machine.read("/etc/passwd");
    assert!(!left.contains("HostKit service"), "{left}");
    let files = site.machine.exec(&["ls", "/etc/systemd/system"]).ok().out;
    assert!(
        !files.contains("redis-rest") && !files.contains(".redis."),
        "{files}"
    );
}

#[test]
#[ignore = "lane host: boots a machine"]
fn a_bucket_is_its_projects_alone_and_outlives_control_and_a_boot() {
    let mut site = Site::new(Flavour::Ready, &["--with-storage"]);
    let put = |site: &Site, name: &str| {
        site.machine.write(name, "/root/object", 0o644);
        let place = format!("{name}:public/object");
        site.ok(&["hostkit", "storage", "cp", "/root/object", &place]);
        site.ok(&["hostkit", "storage", "policy", name, "--public", "public/"]);
    };
    for name in PROJECTS {
        put(&site, name);
        site.until_it_answers(name, "/_hostkit/storage/public/object", name);
    }
    let (own, other) = (site.port(FROM, "S3_ENDPOINT"), site.port(TO, "S3_ENDPOINT"));
    let kept_apart = |site: &Site, when: &str| {
        assert!(site.reaches(FROM, own) && site.reaches(TO, other), "{when}");
        assert!(
            !site.reaches(FROM, other) && !site.reaches("daemon", other),
            "{when}"
        );
    };
    kept_apart(&site, "at first");
    let folder = format!("/var/lib/hostkit/services/{TO}.production.storage");
    for line in [
        format!("import os; os.listdir('{folder}/data')"),
        format!("import os; os.listdir('{folder}/configuration')"),
    ] {
        assert!(!site.python(FROM, &line) && !site.python(TO, &line), "{line}");
    }

    stop_control(&site.machine);
    let unit = format!("hostkit-{TO}.production.storage.service");
    site.ok(&["systemctl", "kill", "--signal=KILL", &unit]);
    site.until_it_answers(TO, "/_hostkit/storage/public/object", TO);
    site.machine.power_cut();
    site.machine.power_on();
    for name in PROJECTS {
        site.until_it_answers(name, "/_hostkit/storage/public/object", name);
    }
    until_healthy(&site.machine);
    kept_apart(&site, "after a boot");

    // It is backed up and comes back, its own account's alone; and so does `shared/`, which its programs keep on seeing.
    let shared = format!("/home/{TO}/shared");
    let write = |what: &str| format!("open('{shared}/kept', 'w').write('{what}')");
    assert!(site.python(TO, &write("first")));
    assert!(site.python(
        TO,
        &format!("import socket; socket.socket(socket.AF_UNIX).bind('{shared}/sock')")
    ));
    let made = site.ok(&["hostkit", "backup", "now", TO, "--json"]);
    assert!(made.contains("\"proven\"") && made.contains("`sock`"), "{made}");
    let place = format!("{TO}:public/object");
    site.ok(&["hostkit", "storage", "rm", &place]);
    assert!(site.python(TO, &write("second")));
    // A link in the place of what comes back leads root nowhere.
    let swap = format!("import os; os.remove('{shared}/kept'); os.symlink('/etc/hostname', '{shared}/kept')");
    assert!(site.python(TO, &swap));
    let hostname = site.machine.read("/etc/hostname");
    let inode = said(&site.machine, &["stat", "-c", "%i", &shared]);
    site.ok(&["hostkit", "backup", "restore", TO, "--yes", "--no-backup"]);
    site.until_it_answers(TO, "/_hostkit/storage/public/object", TO);
    assert_eq!(site.machine.read(&format!("{shared}/kept")), "first");
    assert_eq!(site.machine.read("/etc/hostname"), hostname);
    assert_eq!(said(&site.machine, &["stat", "-c", "%i", &shared]), inode);
    let kept = format!("{shared}/kept");
    let owners = said(&site.machine, &["stat", "-c", "%U:%G", &shared, &kept]);
    assert_eq!(owners, format!("{TO}:{TO}\n{TO}:{TO}"));
    site.machine
        .exec(&["stat", &format!("{shared}.restore")])
        .failed();
    let account = said(
        &site.machine,
        &["stat", "-c", "%U", &format!("{folder}/data/objects")],
    );
    assert!(account.starts_with("hostkit-storage-"), "{account}");
    for line in [
        format!("import os; os.listdir('{folder}/data')"),
        format!("import os; os.listdir('{folder}/data/objects')"),
    ] {
        assert!(!site.python(FROM, &line) && !site.python(TO, &line), "{line}");
    }

    // It goes with a last copy of it.
    site.ok(&["hostkit", "addon", "remove", TO, "storage", "--yes"]);
    site.machine.exec(&["stat", &folder]).failed();
    assert_eq!(site.get(FROM, "/_hostkit/storage/public/object"), FROM);
    site.ok(&["hostkit", "backup", "restore", TO, "--yes", "--no-backup"]);
    site.until_it_answers(TO, "/_hostkit/storage/public/object", TO);
}

#[test]
#[ignore = "lane host: boots a machine"]
fn a_database_is_its_projects_alone_and_outlives_control_kills_and_a_boot() {
    let mut site = Site::new(Flavour::Ready, &["--with-db"]);
    for name in PROJECTS {
        assert_eq!(site.get(name, "/direct"), "1");
        assert_eq!(site.get(name, "/pooled"), "1");
    }
    assert_eq!(site.port(TO, "DATABASE_URL"), 6543);
    assert_eq!(site.port(TO, "DIRECT_URL"), 5432);
    assert_eq!(
        site.ok(&["hostkit", "db", "psql", TO, "--", "-Atc", "SELECT 1"]),
        "1"
    );

    // With its own password, in the other's database: refused, directly and through PgBouncer.
    let (own, other) = (format!("{FROM}_db"), format!("{TO}_db"));
    let enters = |site: &Site, name: &str, database: &str| {
        let url = site.variable(FROM, name);
        let (server, _) = url.rsplit_once('/').unwrap();
        let url = format!("{server}/{database}");
        let line = format!(
            "import subprocess; subprocess.run(['psql', '-X', '-Atc', 'SELECT 1', '-d', '{url}'], check=True)"
        );
        site.python(FROM, &line)
    };
    for name in ["DIRECT_URL", "DATABASE_URL"] {
        assert!(enters(&site, name, &own), "{name}");
        assert!(!enters(&site, name, &other), "{name}");
    }
    // By the socket, as who only root and the machine's own account are.
    for role in ["hostkit", "postgres"] {
        let line = format!(
            "import subprocess; subprocess.run(['psql', '-X', '-w', '-c', 'SELECT 1', '-U', '{role}', '-d', 'postgres'], check=True)"
        );
        assert!(!site.python(FROM, &line), "{role}");
        assert!(!site.python("daemon", &line), "{role}");
    }
    // It is these two walls that keep it out: without them it gets in, until control has put them back.
    stop_control(&site.machine);
    let sql = |text: &str| site.ok(&["runuser", "-u", "postgres", "--", "psql", "-X", "-Atc", text]);
    let rules = sql("SHOW hba_file");
    let before = site.machine.read(&rules);
    site.ok(&["sed", "-i", "1i host all all 127.0.0.1/32 scram-sha-256", &rules]);
    sql("SELECT pg_reload_conf()");
    sql(&format!("GRANT CONNECT ON DATABASE {other} TO PUBLIC"));
    wait_until("it gets in", || enters(&site, "DIRECT_URL", &other));
    site.ok(&[
        "systemctl",
        "start",
        "hostkit-control.socket",
        "hostkit-api.socket",
        "hostkit-control.service",
    ]);
    wait_until("control put the walls back", || {
        !enters(&site, "DIRECT_URL", &other)
    });
    wait_until("the rules of others are where they were", || {
        let now = site.machine.read(&rules);
        now.starts_with(before.lines().next().unwrap())
            && now.contains("host all all 127.0.0.1/32 scram-sha-256")
    });

    // Killed, both are started again without control.
    stop_control(&site.machine);
    site.ok(&["systemctl", "kill", "--signal=KILL", "hostkit-pgbouncer.service"]);
    site.until_it_answers(TO, "/pooled", "1");
    site.ok(&[
        "systemctl",
        "kill",
        "--kill-whom=main",
        "--signal=KILL",
        "postgresql@15-main.service",
    ]);
    site.until_it_answers(TO, "/direct", "2");
    site.until_it_answers(TO, "/pooled", "2");

    // After a boot all is back by itself: control is not started.
    let control = [
        "hostkit-control.service",
        "hostkit-control.socket",
        "hostkit-api.socket",
    ];
    site.ok(&[&["systemctl", "disable"], &control[..]].concat());
    site.machine.power_cut();
    site.machine.power_on();
    site.until_it_answers(TO, "/direct", "3");
    site.until_it_answers(FROM, "/pooled", "1");
    assert!(!enters(&site, "DATABASE_URL", &other));
    site.machine
        .exec(&["systemctl", "is-active", "hostkit-control.service"])
        .failed();
    site.ok(&[&["systemctl", "enable", "--now"], &control[..]].concat());
    until_healthy(&site.machine);

    // A new password, while the program goes on; then nothing of it is left.
    let old = site.variable(TO, "DATABASE_URL");
    site.ok(&["hostkit", "addon", "rotate", TO, "postgres"]);
    wait_until("the new password is told", || {
        site.variable(TO, "DATABASE_URL") != old
    });
    site.until_it_answers(TO, "/direct", "4");
    let made = site.ok(&["hostkit", "backup", "now", TO, "--json"]);
    assert!(made.contains("\"proven\""), "{made}");
    site.until_it_answers(TO, "/direct", "5");
    site.ok(&["hostkit", "backup", "restore", TO, "--yes", "--no-backup"]);
    site.until_it_answers(TO, "/pooled", "4");
    // With a history of all of it on, which ends with the package.
    moment::databases_come_back_to_a_moment(&site, TO, FROM);
    site.ok(&["hostkit", "addon", "remove", TO, "postgres", "--yes"]);
    site.ok(&["hostkit", "project", "delete", FROM, "--yes"]);
    let sql = |text: &str| site.ok(&["runuser", "-u", "postgres", "--", "psql", "-X", "-Atc", text]);
    assert_eq!(
        sql("SELECT datname FROM pg_database WHERE datname LIKE '%_db'"),
        ""
    );
    assert_eq!(sql("SELECT rolname FROM pg_roles WHERE rolname LIKE '%_db%'"), "");
    // A purge takes what serves all projects, and leaves the machine its PostgreSQL.
    purge_with_data(&site.machine);
    assert!(!site.machine.read("/etc/passwd").contains("HostKit service"));
    let units = site
        .machine
        .exec(&["systemctl", "list-units", "--all", "--plain", "hostkit-*"])
        .out;
    assert!(!units.contains("pgbouncer"), "{units}");
    site.machine
        .exec(&["systemctl", "is-active", "postgresql@15-main.service"])
        .ok();
    moment::nothing_is_filed(&site);
}
