//! Two projects on one server: ports, and everything else that one must not be able to do to the other.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hostkit_testkit::http::{self, Place};
use hostkit_testkit::machine::{Flavour, Machine, Output, World, wait_until};
use serde_json::Value;

use crate::installed::{said, server, until_healthy};

/// A program that answers with its name and keeps a socket among its files.
const APP: &str = "import http.server, os, socket\n\
    name = os.environ['HOSTKIT_TEST_NAME']\n\
    path = f'/home/{name}/shared/app.sock'\n\
    if os.path.exists(path): os.remove(path)\n\
    local = socket.socket(socket.AF_UNIX); local.bind(path); local.listen(); os.chmod(path, 0o777)\n\
    class Answer(http.server.BaseHTTPRequestHandler):\n\
    \x20   def do_GET(self):\n\
    \x20       self.send_response(200)\n\
    \x20       self.end_headers()\n\
    \x20       self.wfile.write(name.encode())\n\
    print('started', flush=True)\n\
    http.server.HTTPServer((os.environ['HOST'], int(os.environ['PORT'])), Answer).serve_forever()\n";
/// Who attacks, and who is attacked.
const FROM: &str = "mallory";
const TO: &str = "blog";

struct Site {
    machine: Machine,
    _world: World,
    _folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        let world = World::new();
        let (machine, folder) = server(&world, Flavour::Ready);
        for name in [FROM, TO] {
            let file = |path: &str, text: &str| {
                machine.write(text, &format!("/root/apps/{name}/{path}"), 0o644);
            };
            file("requirements.txt", "");
            file("app.py", APP);
            file("hostkit.toml", "[process.web]\ncommand = \"python3 app.py\"\n");
            let create = [
                "hostkit",
                "project",
                "create",
                name,
                "--with-redis",
                "--with-db",
                "--with-storage",
            ];
            machine.exec(&create).ok();
            let set = format!("HOSTKIT_TEST_NAME={name}");
            machine
                .exec(&["hostkit", "env", "set", &set, "--project", name])
                .ok();
            let folder = format!("/root/apps/{name}");
            machine
                .exec(&["hostkit", "deploy", &folder, "--project", name])
                .ok();
        }
        Site {
            machine,
            _world: world,
            _folder: folder,
        }
    }

    fn exec(&self, arguments: &[&str]) -> Output {
        self.machine.exec(arguments)
    }

    fn ok(&self, arguments: &[&str]) -> String {
        said(&self.machine, arguments)
    }

    fn body(&self, name: &str) -> String {
        let host = format!("{name}.apps.example.com");
        http::get(Place::on(&self.machine, 80), &host, "/").body
    }

    /// Runs Python as an account; whether it ended well.
    fn python(&self, account: &str, line: &str) -> bool {
        let group = format!("--regid={account}");
        let user = format!("--reuid={account}");
        self.exec(&["setpriv", &user, &group, "--clear-groups", "python3", "-c", line])
            .code
            == 0
    }

    fn reaches(&self, account: &str, port: u16) -> bool {
        let line = format!("import socket; socket.create_connection(('127.0.0.1', {port}), 5)");
        self.python(account, &line)
    }

    /// The port of the only instance of a project.
    fn port(&self, name: &str) -> u16 {
        let listed = self
            .exec(&["hostkit", "ps", "--project", name, "--json"])
            .ok()
            .json();
        let address = find(&listed, "address").unwrap_or_else(|| panic!("{listed:#}"));
        address.rsplit_once(':').unwrap().1.parse().unwrap()
    }

    fn unit(&self, name: &str) -> String {
        let pattern = format!("hostkit-{name}.production.web.*");
        let listed = self.ok(&[
            "systemctl",
            "list-units",
            "--all",
            "--plain",
            "--no-legend",
            &pattern,
        ]);
        listed.split_whitespace().next().unwrap().to_owned()
    }

    /// Neither is another project's port reached, nor can its place be taken; the front door and its own project do.
    fn ports_are_kept_apart(&self, when: &str) {
        let (own, other) = (self.port(FROM), self.port(TO));
        assert!(self.reaches(FROM, own), "{when}");
        assert!(self.reaches(TO, other), "{when}");
        assert!(!self.reaches(FROM, other), "{when}");
        assert!(!self.reaches("daemon", other), "{when}");
        assert_eq!(self.body(TO), TO, "{when}");
    }
}

/// The first text of this name anywhere in an answer.
fn find(value: &Value, name: &str) -> Option<String> {
    match value {
        Value::Object(fields) => fields
            .get(name)
            .and_then(Value::as_str)
            .map(str::to_owned)
            .or_else(|| fields.values().find_map(|field| find(field, name))),
        Value::Array(values) => values.iter().find_map(|value| find(value, name)),
        _ => None,
    }
}

#[test]
#[ignore = "lane host: boots a machine"]
fn a_port_is_its_projects_alone_also_while_nobody_listens_and_after_a_reboot() {
    let mut site = Site::new();
    site.ports_are_kept_apart("at first");
    let rules = site.ok(&["nft", "list", "table", "inet", "hostkit"]);

    // Rules that somebody threw away come back.
    site.ok(&["nft", "flush", "ruleset"]);
    assert!(
        site.reaches(FROM, site.port(TO)),
        "without rules: else this proves nothing"
    );
    wait_until("the rules are back", || !site.reaches(FROM, site.port(TO)));
    assert_eq!(site.ok(&["nft", "list", "table", "inet", "hostkit"]), rules);

    // A program that stands in for one that is down is answered by nobody: what it says does not get out.
    let (port, unit) = (site.port(TO), site.unit(TO));
    site.ok(&[
        "systemctl",
        "stop",
        "hostkit-control.socket",
        "hostkit-api.socket",
        "hostkit-control",
    ]);
    site.ok(&["systemctl", "stop", &unit]);
    let squat = format!(
        "import socket; s = socket.create_server(('127.0.0.1', {port})); \n\
         while True: c, _ = s.accept(); c.recv(999); c.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 6\\r\\n\\r\\nstolen'); c.close()"
    );
    site.ok(&[
        "systemd-run",
        "--unit=squatter",
        "--uid",
        FROM,
        "python3",
        "-c",
        &squat,
    ]);
    let listens = format!("sport = :{port}");
    wait_until("it listens", || !site.ok(&["ss", "-Hltn", &listens]).is_empty());
    assert!(!site.reaches("root", port));
    assert_ne!(site.body(TO), "stolen");
    site.ok(&["nft", "flush", "chain", "inet", "hostkit", "loopback"]);
    assert!(
        site.reaches("root", port),
        "without rules: else this proves nothing"
    );
    site.ok(&["systemctl", "stop", "squatter"]);

    // After a restart of the machine the rules are there without control.
    site.ok(&[
        "systemctl",
        "disable",
        "hostkit-control.socket",
        "hostkit-api.socket",
        "hostkit-control",
    ]);
    site.machine.reboot();
    wait_until("the project runs", || site.reaches("root", port));
    site.exec(&["systemctl", "is-active", "hostkit-control"]).failed();
    assert_eq!(site.ok(&["systemctl", "is-active", "hostkit-ports"]), "active");
    assert!(!site.reaches(FROM, port));
    assert!(site.reaches(TO, port));
    assert_eq!(site.ok(&["nft", "list", "table", "inet", "hostkit"]), rules);
    site.ok(&[
        "systemctl",
        "enable",
        "--now",
        "hostkit-control.socket",
        "hostkit-api.socket",
        "hostkit-control",
    ]);
    until_healthy(&site.machine);
    site.ports_are_kept_apart("after a reboot");

    // With the project its ports go.
    site.ok(&["hostkit", "project", "delete", TO, "--yes"]);
    let left = site.ok(&["nft", "list", "set", "inet", "hostkit", "owned"]);
    assert!(!left.contains(&port.to_string()), "{left}");
}

/// What was tried, with how it ended; numbers of processes left out.
struct Attempts(Vec<(String, String, String)>);

impl Attempts {
    fn made(site: &Site, exit_code: i32) -> Self {
        let arguments = ["hostkit", "doctor", "isolation", FROM, TO, "--json"];
        let ended = site.machine.exec_within(Duration::from_secs(600), &arguments);
        assert_eq!(ended.code, exit_code, "{}", ended.all());
        let report = ended.json();
        let text = |value: &Value, key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let attempts = report["attempts"].as_array().unwrap().iter();
        Attempts(
            attempts
                .map(|one| {
                    (
                        text(one, "noun"),
                        without_pid(&text(one, "act")),
                        text(one, "outcome"),
                    )
                })
                .collect(),
        )
    }

    fn ended(&self, outcome: &str) -> BTreeSet<String> {
        let those = self.0.iter().filter(|(_, _, ended)| ended == outcome);
        those.map(|(noun, act, _)| format!("{noun}: {act}")).collect()
    }
}

fn without_pid(act: &str) -> String {
    let is_number = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_digit());
    let parts = act.split('/').map(|part| {
        let words = part
            .split(' ')
            .map(|word| if is_number(word) { "N" } else { word });
        words.collect::<Vec<_>>().join(" ")
    });
    parts.collect::<Vec<_>>().join("/")
}

/// Root for everybody who asks control: what control is told of its callers is not so any more.
const RELAY: &str = "import os, socket, threading\n\
    path = '/run/hostkit/control.sock'\n\
    os.rename(path, path + '.real')\n\
    server = socket.socket(socket.AF_UNIX); server.bind(path); os.chmod(path, 0o666); server.listen()\n\
    def pass_on(a, b):\n\
    \x20   while data := a.recv(65536): b.sendall(data)\n\
    \x20   b.shutdown(socket.SHUT_WR)\n\
    while True:\n\
    \x20   client, _ = server.accept()\n\
    \x20   real = socket.socket(socket.AF_UNIX); real.connect(path + '.real')\n\
    \x20   for pair in ((client, real), (real, client)): threading.Thread(target=pass_on, args=pair, daemon=True).start()\n";

impl Site {
    /// What of a project that is not there by its deployment alone.
    fn furnish(&self) {
        let uid = self.ok(&["id", "-u", TO]);
        let session = format!("/run/user/{uid}");
        self.ok(&["install", "-d", "-m", "700", "-o", TO, "-g", TO, &session]);
        self.ok(&[
            "systemd-run",
            "--wait",
            "--quiet",
            "--uid",
            TO,
            "echo",
            "a line for the journal",
        ]);
        self.ok(&[
            "install",
            "-m",
            "644",
            "-o",
            TO,
            "-g",
            TO,
            "/dev/null",
            "/tmp/blog-notes",
        ]);
        self.ok(&["hostkit", "backup", "now", TO]);
        // As a history of databases leaves them; that it does so is shown where there is one.
        let kept = "install -d -m 711 /var/lib/hostkit/services /var/lib/hostkit/services/postgres \
             /var/lib/hostkit/services/postgres/data && \
             install -d -m 700 -o postgres -g postgres /var/lib/hostkit/services/postgres/data/spool && \
             install -d -m 700 /var/lib/hostkit/backups/cluster.postgres";
        self.ok(&["sh", "-c", kept]);
        self.machine.write("0 0 1 1 * true\n", "/root/table", 0o644);
        self.ok(&["crontab", "-u", TO, "/root/table"]);
        if self.exec(&["test", "-e", "/home/blog/.ssh/authorized_keys"]).code != 0 {
            self.machine.write("", "/home/blog/.ssh/authorized_keys", 0o644);
        }
    }

    /// Opens every place to everybody; what puts the modes back.
    fn open_places(&self) -> BTreeMap<String, String> {
        let script = "for path in /home/blog /home/blog/releases /home/blog/releases/* /home/blog/environments \
             /home/blog/shared /home/blog/shared/app.sock /home/blog/.cache /home/blog/.env /home/blog/.ssh \
             /home/blog/.ssh/authorized_keys /var/log/projects/blog /var/log/projects/blog/*.log /var/lib/hostkit \
             /var/lib/hostkit/hostkit.db /var/lib/hostkit/key /var/lib/hostkit/projects \
             /var/lib/hostkit/backups $(find /var/lib/hostkit/backups/blog) \
             /var/lib/hostkit/backups/cluster.postgres /var/lib/hostkit/backup.key \
             $(find /var/lib/hostkit/projects/blog -path '*/blobs' -prune -o -print) /run/hostkit \
             /run/hostkit/proxy.sock /home /etc /usr/local/bin /var/log/projects /etc/systemd/system \
             /etc/sudoers.d /etc/sudoers.d/hostkit-blog /etc/cron.d /var/lib/systemd/linger /var/spool/cron/crontabs \
             /var/spool/cron/crontabs/blog /run/user/$(id -u blog) /tmp/blog-notes \
             $(find /sys/fs/cgroup -path '*hostkit-blog*' -name cgroup.procs); \
             do stat -c '%a %n' $path; chmod o+rwx $path; done";
        self.open(script)
    }

    /// The same for what services keep, which control would put back at once.
    fn open_services(&self) -> BTreeMap<String, String> {
        let script = "for path in $(find /var/lib/hostkit/services); do stat -c '%a %n' $path; chmod o+rwx $path; done";
        self.open(script)
    }

    fn open(&self, script: &str) -> BTreeMap<String, String> {
        let before = self.ok(&["sh", "-c", script]);
        let modes = before.lines().filter_map(|line| line.split_once(' '));
        modes
            .map(|(mode, path)| (path.to_owned(), mode.to_owned()))
            .collect()
    }

    fn put_back(&self, modes: &BTreeMap<String, String>) {
        for (path, mode) in modes {
            self.ok(&["chmod", mode, path]);
        }
    }

    /// Gives the attacker's programs the rights of root, by every way that programs have.
    fn open_programs(&self) {
        let rule = "Defaults:mallory runas_default=root\nmallory ALL=(ALL) NOPASSWD: ALL\n";
        self.machine.write(rule, "/etc/sudoers.d/zz-open", 0o440);
        self.ok(&["chmod", "u+s", "/usr/bin/systemctl", "/usr/bin/systemd-run"]);
        self.ok(&["usermod", "--append", "--groups", "systemd-journal", FROM]);
        self.ok(&["systemd-run", "--unit=relay", "python3", "-c", RELAY]);
        wait_until("the relay is there", || {
            self.exec(&["test", "-e", "/run/hostkit/control.sock.real"]).code == 0
                && self.exec(&["hostkit", "status"]).code == 0
        });
    }

    fn close_programs(&self) {
        self.ok(&["rm", "/etc/sudoers.d/zz-open"]);
        self.ok(&["chmod", "u-s", "/usr/bin/systemctl", "/usr/bin/systemd-run"]);
        self.ok(&["gpasswd", "--delete", FROM, "systemd-journal"]);
        self.ok(&["systemctl", "stop", "relay"]);
        self.ok(&[
            "mv",
            "/run/hostkit/control.sock.real",
            "/run/hostkit/control.sock",
        ]);
    }
}

#[test]
#[ignore = "lane host: boots a machine"]
fn every_attempt_fails_and_each_succeeds_without_its_protection() {
    let site = Site::new();
    site.furnish();
    let everything = Attempts::made(&site, 0);
    let all = everything.ended("refused");
    assert!(all.len() > 60, "{all:#?}");
    // What this machine does not have.
    let not_made = everything.ended("not_made");
    assert_eq!(
        not_made.into_iter().collect::<Vec<_>>(),
        ["schedule: make a file in /var/spool/cron/atjobs"]
    );
    let mut shown = BTreeSet::new();

    let modes = site.open_places();
    shown.extend(Attempts::made(&site, 1).ended("succeeded"));
    site.put_back(&modes);

    // Without control, which would put the rules back at once.
    let daemons = [
        "hostkit-control.socket",
        "hostkit-api.socket",
        "hostkit-control.service",
    ];
    site.ok(&[&["systemctl", "stop"][..], &daemons].concat());
    site.ok(&["nft", "flush", "chain", "inet", "hostkit", "loopback"]);
    site.ok(&["mount", "-o", "remount,hidepid=off", "/proc"]);
    let modes = site.open_services();
    shown.extend(Attempts::made(&site, 1).ended("succeeded"));
    site.put_back(&modes);
    site.ok(&["mount", "-o", "remount,hidepid=invisible", "/proc"]);
    site.ok(&[&["systemctl", "start"][..], &daemons].concat());
    until_healthy(&site.machine);

    site.open_programs();
    shown.extend(Attempts::made(&site, 1).ended("succeeded"));
    site.close_programs();

    // One number for two accounts: the kernel tells their processes apart by nothing else.
    let (from, to) = (site.ok(&["id", "-u", FROM]), site.ok(&["id", "-u", TO]));
    let share = |old: &str, new: &str| {
        let edit = format!("s/^{TO}:x:{old}:/{TO}:x:{new}:/");
        site.ok(&["sed", "-i", &edit, "/etc/passwd"]);
    };
    share(&to, &from);
    shown.extend(Attempts::made(&site, 1).ended("succeeded"));
    share(&from, &to);

    let never: Vec<&String> = all.difference(&shown).collect();
    assert_eq!(never, Vec::<&String>::new(), "these could not fail");

    // And with every protection back where it was.
    let again = Attempts::made(&site, 0);
    assert_eq!(again.ended("succeeded"), BTreeSet::new());
    let by_people = site.exec(&["hostkit", "doctor", "isolation", FROM, TO]).ok();
    assert!(
        by_people
            .out
            .contains("ok    variables       cannot read /home/blog/.env"),
        "{}",
        by_people.all()
    );
    let refused = site.exec(&[
        "setpriv",
        "--reuid=blog",
        "--regid=blog",
        "--clear-groups",
        "hostkit",
        "doctor",
        "isolation",
        FROM,
        TO,
    ]);
    assert!(refused.failed().err.contains("only root may"));
    for (from, to, code) in [(FROM, FROM, 1), ("root", TO, 1), (FROM, "nobody", 1)] {
        let refused = site.exec(&["hostkit", "doctor", "isolation", from, to]);
        assert_eq!(refused.code, code, "{}", refused.all());
    }
}
