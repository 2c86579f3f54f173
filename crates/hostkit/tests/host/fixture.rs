//! The machines themselves: what is proven on one is worth as much as this.

use hostkit_testkit::http::{self, Place};
use hostkit_testkit::load::Load;
use hostkit_testkit::machine::{Flavour, HERE, Machine, World, traces, wait_until};

#[test]
#[ignore = "lane host: boots a machine"]
fn a_bare_machine_is_what_a_hoster_delivers() {
    let world = World::new();
    let machine = Machine::boot(&world, Flavour::Bare);
    let exec = |arguments: &[&str]| machine.exec(arguments).ok().out;
    assert_eq!(
        exec(&["systemctl", "list-units", "--failed", "--plain", "--no-legend"]),
        ""
    );
    assert_eq!(exec(&["systemctl", "is-system-running"]).trim(), "running");
    assert_eq!(exec(&["hostname"]).trim(), "m1");
    assert!(machine.read("/etc/os-release").contains("VERSION_ID=\"12\""));
    assert_eq!(machine.open_ports(), [22]);
    assert_eq!(world.open_ports(machine.address6()), [22]);
    for missing in ["sudo", "nft", "setfacl", "git", "node", "python3"] {
        machine.exec(&["which", missing]).failed();
    }

    let ssh = |address: &str| {
        world.run(|| {
            std::process::Command::new("ssh")
                .args([
                    "-o",
                    "StrictHostKeyChecking=no",
                    "-o",
                    "UserKnownHostsFile=/dev/null",
                ])
                .args(["-o", "BatchMode=yes", "-i"])
                .arg(machine.operator_key())
                .args([&format!("root@{address}"), "printenv", "SSH_CONNECTION"])
                .output()
                .unwrap()
        })
    };
    let said = ssh(&machine.address().to_string());
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    assert!(said.starts_with(&HERE.to_string()), "{said}");
}

#[test]
#[ignore = "lane host: boots a machine"]
fn packages_are_installed_without_a_network() {
    let world = World::new();
    let machine = Machine::boot(&world, Flavour::Bare);
    machine.exec(&["apt-get", "update"]).ok();
    machine
        .exec(&[
            "apt-get", "install", "--yes", "sudo", "acl", "nftables", "fail2ban",
        ])
        .ok();
    machine.exec(&["nft", "list", "ruleset"]).ok();
    machine
        .exec(&["systemctl", "is-active", "nonesuch.service"])
        .failed();
    // Nothing answers beyond the world.
    let beyond = world.run(|| std::net::TcpStream::connect(("192.0.2.1", 80)).is_err());
    assert!(beyond);
    machine
        .exec(&["ping", "-c", "1", "-W", "1", "192.0.2.1"])
        .failed();
    machine.exec(&["ping", "-c", "1", "-W", "5", "10.77.0.1"]).ok();
}

#[test]
#[ignore = "lane host: boots a machine"]
fn a_disk_outlives_power_cut_and_reboot_and_processes_do_not() {
    let world = World::new();
    let mut machine = Machine::boot(&world, Flavour::Bare);
    let boot_id = |machine: &Machine| {
        machine
            .exec(&["journalctl", "--list-boots", "--no-pager"])
            .ok()
            .out
    };
    machine.write("kept\n", "/var/lib/a/file", 0o640);
    machine
        .exec(&["systemd-run", "--unit=sleeper", "sleep", "infinity"])
        .ok();
    let mode = machine.exec(&["stat", "-c", "%a %U", "/var/lib/a/file"]).ok();
    assert_eq!(mode.out.trim(), "640 root");

    machine.power_cut();
    machine.power_on();
    assert_eq!(machine.read("/var/lib/a/file"), "kept\n");
    machine.exec(&["systemctl", "is-active", "sleeper"]).failed();
    machine.exec(&["systemctl", "is-active", "ssh"]).ok();

    machine.reboot();
    machine.shut_down();
    machine.power_on();
    assert_eq!(machine.read("/var/lib/a/file"), "kept\n");
    assert_eq!(
        boot_id(&machine)
            .lines()
            .filter(|line| line.contains('—') || line.contains("UTC"))
            .count(),
        4
    );
    assert_eq!(machine.open_ports(), [22]);
}

#[test]
#[ignore = "lane host: boots a machine"]
fn a_test_reaches_a_machine_and_is_refused_where_a_firewall_says_so() {
    let world = World::new();
    let machine = Machine::boot(&world, Flavour::Ready);
    machine.write("hello", "/srv/site/index.html", 0o644);
    machine
        .exec(&[
            "systemd-run",
            "--unit=site",
            "python3",
            "-m",
            "http.server",
            "--directory",
            "/srv/site",
            "8123",
        ])
        .ok();
    let place = Place::on(&machine, 8123);
    wait_until("the site answers", || {
        http::get(place.clone(), "site", "/").status == 200
    });
    assert_eq!(http::get(place.clone(), "site", "/").body, "hello");
    let load = Load::start(place.clone(), "site", "/", 50);
    std::thread::sleep(std::time::Duration::from_secs(2));
    let report = load.finish();
    assert!(report.requests > 20, "{report:?}");
    assert!(report.failures.is_empty(), "{report:?}");
    assert_eq!(machine.open_ports(), [22, 8123]);

    let rules = "table inet t { chain c { type filter hook input priority 0; policy drop; \
                 iif lo accept; tcp dport 22 accept; ip saddr 10.77.0.66 tcp dport 8123 accept; }; }";
    machine.write(rules, "/root/rules", 0o600);
    machine.exec(&["nft", "-f", "/root/rules"]).ok();
    assert_eq!(machine.open_ports(), [22]);
    world.add_address("10.77.0.66".parse().unwrap());
    let said = world.run(|| {
        std::process::Command::new("curl")
            .args(["--silent", "--max-time", "30", "--interface", "10.77.0.66"])
            .arg(format!("http://{}:8123/", machine.address()))
            .output()
            .unwrap()
    });
    assert_eq!(said.stdout, b"hello");
}

#[test]
#[ignore = "lane host: boots a machine"]
fn nothing_is_left_of_a_world_not_even_after_a_panic() {
    let (tell, told) = std::sync::mpsc::channel();
    let test = std::thread::spawn(move || {
        let world = World::new();
        let first = Machine::boot(&world, Flavour::Bare);
        let second = Machine::boot(&world, Flavour::Ready);
        let reached = first.exec(&["ping", "-c", "1", "-W", "20", &second.address().to_string()]);
        tell.send((world.name(), traces(&world.name()).len(), reached.code))
            .unwrap();
        panic!("as a failing test does");
    });
    let (name, traces_while_it_ran, reached) = told.recv().unwrap();
    assert!(test.join().is_err());
    assert_eq!(reached, 0, "the two machines see each other");
    assert!(traces_while_it_ran > 10);
    assert_eq!(traces(&name), Vec::<String>::new());
}
