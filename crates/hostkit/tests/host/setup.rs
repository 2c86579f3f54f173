//! `hostkit server setup` and `check` on a machine as a hoster delivers it: what is said is what is so.

use std::io::Write;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use hostkit_testkit::machine::{Flavour, HERE, Machine, Output, ROOT_PASSWORD, World, wait_until};
use serde_json::Value;

/// Somebody else in the world.
const STRANGER: &str = "10.77.0.66";

/// A bare machine with nothing but the binary, and the folder of tests for what a client needs.
struct Server {
    world: World,
    machine: Machine,
    client: tempfile::TempDir,
}

impl Server {
    /// As a hoster delivers it.
    fn bare() -> Self {
        Server::boot(Flavour::Bare)
    }

    /// With packages and nothing else, where their installation is not the point.
    fn with_packages() -> Self {
        Server::boot(Flavour::Ready)
    }

    fn boot(flavour: Flavour) -> Self {
        let world = World::new();
        let machine = Machine::boot(&world, flavour);
        machine.put(
            Path::new(env!("CARGO_BIN_EXE_hostkit")),
            "/usr/bin/hostkit",
            0o755,
        );
        Server {
            world,
            machine,
            client: tempfile::Builder::new().prefix("hk-test-").tempdir().unwrap(),
        }
    }

    fn ready() -> Self {
        let server = Server::with_packages();
        server.setup().ok();
        server
    }

    fn setup(&self) -> Output {
        self.hostkit(&["server", "setup"])
    }

    fn hostkit(&self, arguments: &[&str]) -> Output {
        let all = [&["hostkit"], arguments].concat();
        self.machine.exec_within(Duration::from_secs(600), &all)
    }

    /// `setup --json`: how many changes.
    #[track_caller]
    fn changes(&self) -> u64 {
        self.hostkit(&["server", "setup", "--json"]).ok().json()["changes"]
            .as_u64()
            .unwrap()
    }

    #[track_caller]
    fn is_as_it_should_be(&self) {
        let said = self.hostkit(&["server", "setup", "--json"]).ok().json();
        assert_eq!(said["changes"], 0, "{said:#}");
        self.hostkit(&["server", "check"]).ok();
    }

    /// One item of `check --json`.
    #[track_caller]
    fn checked(&self, name: &str) -> Value {
        let report = self.hostkit(&["server", "check", "--json"]).json();
        let items = report["items"].as_array().unwrap();
        items.iter().find(|item| item["name"] == name).unwrap().clone()
    }

    /// Logs in as root from an address of the world, by key or by password.
    fn ssh(&self, from: &str, account: &str, by_key: bool) -> bool {
        let key = self.machine.operator_key();
        let to = format!("{account}@{}", self.machine.address());
        let askpass = self.askpass();
        self.world.run(|| {
            let mut command = Command::new("ssh");
            command
                .args(["-F", "none", "-b", from])
                .args(["-o", "StrictHostKeyChecking=no"])
                .args(["-o", "UserKnownHostsFile=/dev/null"])
                .args(["-o", "NumberOfPasswordPrompts=1"])
                .args(["-o", "ConnectTimeout=60"])
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            if by_key {
                command.args(["-o", "BatchMode=yes", "-i"]).arg(key);
            } else {
                command
                    .args(["-o", "PreferredAuthentications=password,keyboard-interactive"])
                    .args(["-o", "PubkeyAuthentication=no"])
                    .env("SSH_ASKPASS", &askpass)
                    .env("SSH_ASKPASS_REQUIRE", "force");
            }
            command.args([&to, "true"]).status().unwrap().success()
        })
    }

    /// A program that answers what ssh asks, for it reads no password from anywhere else.
    fn askpass(&self) -> std::path::PathBuf {
        let path = self.client.path().join("askpass");
        if !path.exists() {
            let mut file = std::fs::File::create(&path).unwrap();
            writeln!(file, "#!/bin/sh\necho {ROOT_PASSWORD}").unwrap();
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        }
        path
    }

    fn key_works(&self) -> bool {
        self.ssh(&HERE.to_string(), "root", true)
    }

    fn password_works(&self) -> bool {
        self.ssh(&HERE.to_string(), "root", false)
    }

    /// A server of any port, in a unit of its own.
    fn serve(&self, port: u16) {
        let (unit, port) = (format!("--unit=serve-{port}"), port.to_string());
        let arguments = [
            "systemd-run",
            &unit,
            "python3",
            "-m",
            "http.server",
            "--directory",
            "/srv",
            &port,
        ];
        self.machine.exec(&arguments).ok();
    }

    /// Whether something on the machine itself gets through to a port.
    fn is_served(&self, port: u16) -> bool {
        let attempt = format!("import socket; socket.create_connection(('127.0.0.1', {port}), 10)");
        self.machine.exec(&["python3", "-c", &attempt]).code == 0
    }

    fn state(&self, unit: &str, verb: &str) -> String {
        self.machine
            .exec(&["systemctl", verb, unit])
            .out
            .trim()
            .to_owned()
    }
}

#[test]
#[ignore = "lane host: boots a machine"]
fn a_bare_machine_is_made_ready_in_one_command_and_stays_so() {
    let mut server = Server::bare();
    // As it is delivered: passwords work, and everything that listens is reached. Else the rest would prove nothing.
    assert!(server.password_works() && server.key_works());
    let bare = server.hostkit(&["server", "check", "--json"]).failed().json();
    assert_eq!(bare["ok"], false);
    assert_eq!(server.checked("packages")["state"], "missing");
    assert_eq!(server.checked("ssh")["state"], "missing");

    let planned = server.hostkit(&["server", "setup", "--plan"]).ok();
    assert!(
        planned.out.contains("+PasswordAuthentication no"),
        "{}",
        planned.all()
    );
    assert!(planned.out.contains("Nothing was done."));
    for path in [
        "/etc/ssh/sshd_config.d/00-hostkit.conf",
        "/var/lib/hostkit",
        "/usr/sbin/nft",
    ] {
        server.machine.exec(&["test", "-e", path]).failed();
    }

    let said = server.hostkit(&["server", "setup", "--json"]).ok().json();
    assert!(said["changes"].as_u64().unwrap() > 10, "{said:#}");
    server.is_as_it_should_be();

    assert!(server.key_works());
    assert!(!server.password_works());
    for unit in [
        "fail2ban",
        "hostkit-firewall",
        "logrotate.timer",
        "apt-daily-upgrade.timer",
        "ssh",
    ] {
        assert_eq!(server.state(unit, "is-active"), "active", "{unit}");
        assert_eq!(server.state(unit, "is-enabled"), "enabled", "{unit}");
    }
    let failed = ["systemctl", "list-units", "--failed", "--plain", "--no-legend"];
    assert_eq!(server.machine.exec(&failed).ok().out, "");
    let limit = server
        .machine
        .exec(&["systemctl", "show", "--property=DefaultLimitNOFILESoft"]);
    assert_eq!(limit.out.trim(), "DefaultLimitNOFILESoft=65536");
    let folder = server
        .machine
        .exec(&["stat", "-c", "%a %U:%G", "/var/log/projects"])
        .ok();
    assert_eq!(folder.out.trim(), "755 root:root");
    assert_eq!(server.checked("swap")["state"], "not_applicable");
    let as_postgres = [
        "runuser",
        "-u",
        "postgres",
        "--",
        "psql",
        "-XAtc",
        "SHOW max_connections",
    ];
    assert_eq!(server.machine.exec(&as_postgres).ok().out.trim(), "300");

    for port in [80, 443, 5432, 8123] {
        server.serve(port);
        wait_until("it serves", || server.is_served(port));
    }
    assert_eq!(server.machine.open_ports(), [22, 80, 443]);

    server.machine.reboot();
    assert_eq!(server.state("hostkit-firewall", "is-active"), "active");
    server.serve(8123);
    wait_until("it serves", || server.is_served(8123));
    assert_eq!(server.machine.open_ports(), [22]);
    assert!(server.key_works());
    assert!(!server.password_works());
    server.is_as_it_should_be();
}

#[test]
#[ignore = "lane host: boots a machine"]
fn declared_ports_are_open_and_a_port_of_ssh_that_moved_as_well() {
    let server = Server::ready();
    server
        .machine
        .write("open_ports = [\"8123\"]\n", "/etc/hostkit/server.toml", 0o644);
    server.machine.write(
        "Port 22\nPort 2222\n",
        "/etc/ssh/sshd_config.d/10-port.conf",
        0o644,
    );
    server.machine.exec(&["systemctl", "restart", "ssh"]).ok();
    assert_eq!(server.checked("firewall")["state"], "drift");
    server.setup().ok();
    for port in [8123, 8124] {
        server.serve(port);
        wait_until("it serves", || server.is_served(port));
    }
    assert_eq!(server.machine.open_ports(), [22, 2222, 8123]);
    server
        .machine
        .write("open_ports = [\"0\"]\n", "/etc/hostkit/server.toml", 0o644);
    let said = server.hostkit(&["server", "check"]).failed();
    assert!(said.err.contains("open_ports"), "{}", said.all());
}

#[test]
#[ignore = "lane host: boots a machine"]
fn who_guesses_is_shut_out_and_nobody_else() {
    let server = Server::ready();
    server.world.add_address(STRANGER.parse().unwrap());
    let reaches = |from: &str| {
        let (from, to) = (
            SocketAddr::from((from.parse::<IpAddr>().unwrap(), 0)),
            SocketAddr::from((server.machine.address(), 22)),
        );
        server.world.run(|| {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(async {
                let socket = tokio::net::TcpSocket::new_v4().unwrap();
                socket.bind(from).unwrap();
                let connected = tokio::time::timeout(Duration::from_secs(20), socket.connect(to)).await;
                connected.is_ok_and(|connection| connection.is_ok())
            })
        })
    };
    assert!(reaches(STRANGER));
    for attempt in 0..6 {
        assert!(!server.ssh(STRANGER, &format!("guess{attempt}"), true));
    }
    wait_until("the stranger is shut out", || !reaches(STRANGER));
    assert!(server.key_works());
    let jail = server
        .machine
        .exec(&["fail2ban-client", "get", "sshd", "banip"])
        .ok()
        .out;
    assert_eq!(jail.trim(), STRANGER);
    // It is shut out by a table of its own, which ours leaves alone.
    server.is_as_it_should_be();
    assert!(!reaches(STRANGER));
}

#[test]
#[ignore = "lane host: boots a machine"]
fn drift_is_named_and_mended() {
    let server = Server::ready();
    let exec = |arguments: &[&str]| server.machine.exec(arguments).ok();
    let is_mended = |name: &str, word: &str| {
        let item = server.checked(name);
        assert_eq!(item["state"], "drift", "{item:#}");
        assert!(item["findings"].to_string().contains(word), "{item:#}");
        assert_eq!(item["fix"], "hostkit server setup");
        assert!(server.changes() > 0);
        assert_eq!(server.changes(), 0);
    };
    server.machine.write(
        "PasswordAuthentication yes\n",
        "/etc/ssh/sshd_config.d/00-hostkit.conf",
        0o644,
    );
    exec(&["systemctl", "reload", "ssh"]);
    is_mended(
        "ssh",
        "PasswordAuthentication is `yes` by /etc/ssh/sshd_config.d/00-hostkit.conf line 1",
    );
    assert!(!server.password_works());

    exec(&["nft", "insert", "rule", "inet", "hostkit", "inbound", "accept"]);
    is_mended("firewall", "somebody changed");
    exec(&["nft", "flush", "ruleset"]);
    is_mended("firewall", "no firewall of ours");
    exec(&["systemctl", "disable", "hostkit-firewall"]);
    is_mended("firewall", "not started at boot");

    exec(&["systemctl", "stop", "fail2ban"]);
    is_mended("fail2ban", "does not run");
    exec(&["fail2ban-client", "stop", "sshd"]);
    is_mended("fail2ban", "without a jail `sshd`");

    exec(&["systemctl", "mask", "apt-daily-upgrade.timer"]);
    is_mended("updates", "masked");
    exec(&["apt-get", "remove", "--yes", "acl"]);
    is_mended_as_missing(&server, "packages", "acl");
    exec(&["chmod", "777", "/var/log/projects"]);
    is_mended("logs", "0777");
    exec(&["rm", "/etc/systemd/journald.conf.d/60-hostkit.conf"]);
    is_mended_as_missing(&server, "journal", "is not there");

    // A file of somebody else that has the last word is named and left alone.
    let theirs = "Match Address 10.77.0.0/24\n  PasswordAuthentication yes\n";
    server
        .machine
        .write(theirs, "/etc/ssh/sshd_config.d/99-mine.conf", 0o644);
    let said = server.setup().failed();
    assert!(
        said.err.contains("line 2 of /etc/ssh/sshd_config.d/99-mine.conf"),
        "{}",
        said.all()
    );
    assert_eq!(server.machine.read("/etc/ssh/sshd_config.d/99-mine.conf"), theirs);

    // `nftables.service` throws every table away; ours comes back with it.
    exec(&["rm", "/etc/ssh/sshd_config.d/99-mine.conf"]);
    exec(&["systemctl", "start", "nftables"]);
    exec(&["systemctl", "restart", "nftables"]);
    server.is_as_it_should_be();
    exec(&["systemctl", "reload", "nftables"]);
    server.is_as_it_should_be();
}

#[track_caller]
fn is_mended_as_missing(server: &Server, name: &str, word: &str) {
    let item = server.checked(name);
    assert_eq!(item["state"], "missing", "{item:#}");
    assert!(item["findings"].to_string().contains(word), "{item:#}");
    assert!(server.changes() > 0);
    assert_eq!(server.changes(), 0);
}

#[test]
#[ignore = "lane host: boots a machine"]
fn an_operator_without_a_key_is_not_locked_out() {
    let server = Server::with_packages();
    let exec = |arguments: &[&str]| server.machine.exec(arguments).ok();
    exec(&["mv", "/root/.ssh/authorized_keys", "/root/key"]);
    let refused = |word: &str, next: &str| {
        let said = server.setup().failed();
        assert!(said.err.contains("you would be locked out"), "{}", said.all());
        assert!(
            said.err.contains(word) && said.err.contains(next),
            "{}",
            said.all()
        );
        assert!(server.password_works());
    };
    refused("root: has no key", "ssh-copy-id root@SERVER");
    // All the others are done.
    let report = server.hostkit(&["server", "check", "--json"]).failed().json();
    for item in report["items"].as_array().unwrap() {
        let fine = item["state"] == "ok" || item["state"] == "not_applicable";
        assert_eq!(fine, item["name"] != "ssh", "{item:#}");
    }
    // As hosters do it for root, and as it goes wrong by hand.
    let key = server.machine.read("/root/key");
    let forced = format!("no-pty,command=\"echo 'Please login as the user \\\"debian\\\"'\" {key}");
    server.machine.write(&forced, "/root/.ssh/authorized_keys", 0o600);
    refused("runs one command only", "ssh-copy-id");
    server.machine.write(&key, "/root/.ssh/authorized_keys", 0o666);
    refused("others may write", "chmod go-w /root/.ssh/authorized_keys");
    assert!(!server.key_works(), "sshd is of the same mind");

    // An operator with a key and sudo is as good as root, once sudo does not ask for a password that is not there.
    exec(&["rm", "/root/.ssh/authorized_keys"]);
    exec(&[
        "useradd",
        "--create-home",
        "--shell",
        "/bin/bash",
        "--groups",
        "sudo",
        "anna",
    ]);
    server
        .machine
        .write(&key, "/home/anna/.ssh/authorized_keys", 0o600);
    exec(&["chown", "-R", "anna:anna", "/home/anna"]);
    refused("anna: has a key, but sudo asks for a password", "ssh-copy-id");
    server
        .machine
        .write("anna ALL=(ALL) NOPASSWD: ALL\n", "/etc/sudoers.d/90-anna", 0o440);
    server.setup().ok();
    assert!(!server.password_works());
    assert!(server.ssh(&HERE.to_string(), "anna", true));
    server.is_as_it_should_be();
}

#[test]
#[ignore = "lane host: boots a machine"]
fn killed_at_any_moment_the_next_run_goes_on() {
    let mut server = Server::bare();
    // A little later each time, and once by loss of power in the middle of the installation of packages.
    let mut reached = 0.2;
    let mut kills = 0;
    loop {
        let seconds = format!("{reached:.2}");
        let said = server.machine.exec_within(
            Duration::from_secs(900),
            &["timeout", "--signal=KILL", &seconds, "hostkit", "server", "setup"],
        );
        if said.code == 0 {
            break;
        }
        kills += 1;
        assert!(reached < 600.0, "it does not come to its end: {}", said.all());
        if kills == 4 {
            server.machine.power_cut();
            server.machine.power_on();
        }
        assert!(server.key_works(), "killed after {seconds} s");
        reached *= 1.3;
    }
    assert!(kills > 4, "{kills}");
    server.setup().ok();
    server.is_as_it_should_be();
    assert!(!server.password_works());
    let left = server
        .machine
        .exec(&["find", "/etc", "/var/lib/hostkit", "-name", ".*hostkit*.tmp"])
        .ok();
    assert_eq!(left.out, "");
}

#[test]
#[ignore = "lane host: boots a machine"]
fn settings_that_sshd_refuses_are_taken_back() {
    let server = Server::ready();
    let exec = |arguments: &[&str]| server.machine.exec(arguments).ok();
    let ours = "/etc/ssh/sshd_config.d/00-hostkit.conf";
    exec(&["rm", ours]);
    server
        .machine
        .write("Nonsense yes\n", "/etc/ssh/sshd_config.d/99-mine.conf", 0o644);
    let said = server.setup().failed();
    assert!(said.err.contains("Nonsense"), "{}", said.all());
    server.machine.exec(&["test", "-e", ours]).failed();
    assert!(server.key_works());
    exec(&["rm", "/etc/ssh/sshd_config.d/99-mine.conf"]);
    server.setup().ok();
    server.is_as_it_should_be();
}

#[test]
#[ignore = "lane host: boots a machine"]
fn where_ufw_is_active_it_decides() {
    let server = Server::with_packages();
    let exec = |arguments: &[&str]| server.machine.exec(arguments).ok();
    exec(&["ufw", "allow", "OpenSSH"]);
    exec(&["ufw", "allow", "8123/tcp"]);
    exec(&["ufw", "--force", "enable"]);
    server.setup().ok();
    server.is_as_it_should_be();
    for port in [80, 8123, 8124] {
        server.serve(port);
        wait_until("it serves", || server.is_served(port));
    }
    assert_eq!(server.machine.open_ports(), [22, 80, 8123]);
    exec(&["ufw", "delete", "allow", "80/tcp"]);
    let item = server.checked("firewall");
    assert!(
        item["findings"]
            .to_string()
            .contains("ufw does not let in 80/tcp"),
        "{item:#}"
    );
    exec(&["ufw", "--force", "disable"]);
    server.setup().ok();
    assert_eq!(server.machine.open_ports(), [22, 80]);
    server.is_as_it_should_be();
}

#[test]
#[ignore = "lane host: boots a machine"]
fn only_root_sets_up_and_one_at_a_time() {
    let server = Server::bare();
    for verb in ["setup", "check"] {
        let arguments = [
            "setpriv",
            "--reuid=65534",
            "--regid=65534",
            "--clear-groups",
            "hostkit",
            "server",
            verb,
        ];
        let said = server.machine.exec(&arguments).failed();
        assert!(said.err.contains("only root may"), "{}", said.all());
        assert!(
            said.err.contains(&format!("sudo hostkit server {verb}")),
            "{}",
            said.all()
        );
    }
    let mut first = server
        .machine
        .command(&["hostkit", "server", "setup"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    wait_until("the first one is at it", || {
        server
            .machine
            .exec(&["test", "-e", "/var/lib/hostkit/setup/turn"])
            .code
            == 0
    });
    let second = server.setup();
    if first.try_wait().unwrap().is_none() {
        assert!(
            second.err.contains("another `hostkit server setup`"),
            "{}",
            second.all()
        );
    }
    assert!(first.wait().unwrap().success());
    server.is_as_it_should_be();
}
