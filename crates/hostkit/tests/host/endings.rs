//! How things end on a server: programs at their limits, and projects whose platform is removed below them.

use hostkit_testkit::http::{self, Place};
use hostkit_testkit::machine::{Flavour, Machine, World, wait_until};

use crate::installed::{APT, apt, property, purge_with_data, said, server};

/// Answers, ends itself, or takes 200 MB, as it is asked to.
const PROGRAM: &str = "import http.server, os, signal
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        if self.path == '/eat':
            self.server.eaten = bytearray(b'x') * (200 << 20)
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'alive')
http.server.HTTPServer((os.environ['HOST'], int(os.environ['PORT'])), Answer).serve_forever()
";
const MANIFEST: &str = "[process.web]\ncommand = \"python3 app.py\"\n";

/// What `server setup` writes for the sake of projects, and what guards the machine.
const FOR_PROJECTS: [&str; 5] = [
    "/etc/sysctl.d/60-hostkit.conf",
    "/etc/systemd/system.conf.d/60-hostkit.conf",
    "/etc/systemd/journald.conf.d/60-hostkit.conf",
    "/etc/tmpfiles.d/hostkit-logs.conf",
    "/etc/postgresql-common/createcluster.d/60-hostkit.conf",
];
const GUARDS: [&str; 4] = [
    "/etc/ssh/sshd_config.d/00-hostkit.conf",
    "/etc/hostkit/firewall.nft",
    "/etc/fail2ban/jail.d/hostkit.local",
    "/etc/apt/apt.conf.d/60hostkit",
];

fn deploy(machine: &Machine, manifest: &str) {
    for (path, content) in [
        ("hostkit.toml", manifest),
        ("requirements.txt", ""),
        ("app.py", PROGRAM),
    ] {
        machine.write(content, &format!("/root/shop/{path}"), 0o644);
    }
    machine
        .exec(&["hostkit", "deploy", "/root/shop", "--project", "shop"])
        .ok();
}

/// The unit that the project's own name means.
fn unit(machine: &Machine) -> String {
    property(machine, "hostkit-shop.service", "Id")
}

fn pid(machine: &Machine, unit: &str) -> u32 {
    property(machine, unit, "MainPID").parse().unwrap()
}

fn exists(machine: &Machine, path: &str) -> bool {
    machine.exec(&["test", "-e", path]).code == 0
}

#[test]
#[ignore = "lane host: boots a machine"]
fn a_program_past_its_memory_is_ended_and_named_with_its_limit() {
    let world = World::new();
    let (machine, _folder) = server(&world, Flavour::Ready);
    deploy(&machine, MANIFEST);
    // Nothing was said: the machine's own limits, which on one as large as any that runs this test are the usual ones.
    let first = unit(&machine);
    for (key, value) in [
        ("MemoryMax", "1073741824"),
        ("TasksMax", "512"),
        ("CPUQuotaPerSecUSec", "infinity"),
    ] {
        assert_eq!(property(&machine, &first, key), value, "{key}");
    }

    machine.write(
        "base_domain = \"apps.example.com\"\ninstance_tasks = 300\n",
        "/etc/hostkit/server.toml",
        0o644,
    );
    machine.exec(&["systemctl", "restart", "hostkit-control"]).ok();
    deploy(&machine, &format!("{MANIFEST}memory = \"64MB\"\ncpus = 1.5\n"));
    let second = unit(&machine);
    assert_ne!(second, first);
    for (key, value) in [
        ("MemoryMax", "67108864"),
        ("TasksMax", "300"),
        ("CPUQuotaPerSecUSec", "1.500000s"),
    ] {
        assert_eq!(property(&machine, &second, key), value, "{key}");
    }
    let before = pid(&machine, &second);
    let _ = machine.exec(&[
        "curl",
        "--silent",
        "--max-time",
        "60",
        "--header",
        "Host: shop.apps.example.com",
        "http://127.0.0.1/eat",
    ]);
    let limit = "used more than its memory limit of 64MB";
    wait_until("the event names the limit", || {
        let events = machine.exec(&["hostkit", "events", "--project", "shop"]);
        events.out.contains(limit)
    });
    wait_until("it runs again", || {
        let host = "shop.apps.example.com";
        http::get(Place::on(&machine, 80), host, "/").body == "alive"
    });
    assert_ne!(pid(&machine, &second), before);
    let logs = machine.exec(&["hostkit", "logs", "--project", "shop"]).ok().out;
    assert!(logs.contains(limit), "{logs}");
}

#[test]
#[ignore = "lane host: boots a machine"]
fn programs_are_kept_running_without_the_package_and_a_purge_leaves_what_guards_the_machine() {
    let world = World::new();
    let (mut machine, _folder) = server(&world, Flavour::Ready);
    let set_up = machine.exec_within(APT, &["hostkit", "server", "setup"]).ok();
    assert!(set_up.out.contains("hk_"), "the first token: {set_up:?}");
    // A container leaves the kernel to its host: as on a machine that has one of its own.
    machine.write("vm.swappiness = 20\n", FOR_PROJECTS[0], 0o644);
    deploy(&machine, MANIFEST);
    let unit = unit(&machine);

    apt(&machine, &["remove", "hostkit"]);
    assert!(!exists(&machine, "/usr/bin/hostkit"));
    let before = pid(&machine, &unit);
    machine.exec(&["kill", "-9", &before.to_string()]).ok();
    let answers = |machine: &Machine, before: u32| {
        let now = pid(machine, &unit);
        let port = now != 0 && now != before;
        port && property(machine, &unit, "ActiveState") == "active"
    };
    wait_until("it is started again", || answers(&machine, before));
    machine.power_cut();
    machine.power_on();
    wait_until("it is started with the machine", || answers(&machine, 0));

    for path in FOR_PROJECTS.iter().chain(&GUARDS) {
        assert!(exists(&machine, path), "{path}");
    }
    let uid = said(&machine, &["id", "-u", "shop"]);
    machine.write("left", "/tmp/of-shop", 0o644);
    machine.exec(&["chown", "shop:", "/tmp/of-shop"]).ok();
    let told = purge_with_data(&machine).all();
    machine.exec(&["id", "shop"]).failed();
    for path in FOR_PROJECTS.iter().chain(&["/var/lib/hostkit", "/tmp/of-shop"]) {
        assert!(!exists(&machine, path), "{path}");
    }
    for path in GUARDS {
        assert!(exists(&machine, path) && told.contains(path), "{path}: {told}");
    }
    let table = said(&machine, &["nft", "list", "table", "inet", "hostkit"]);
    assert!(
        table.contains("chain inbound") && !table.contains(&uid),
        "{table}"
    );
    assert_eq!(machine.open_ports(), [22]);
}
