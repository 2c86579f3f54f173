//! The package on a bare machine: installed, restarted and upgraded under load, removed, purged.

use std::time::Duration;

use hostkit_core::names::HostName;
use hostkit_core::route::{Compression, HoldRule, Https, Route, RouteTable, Target};
use hostkit_testkit::http::{self, Place};
use hostkit_testkit::load::Load;
use hostkit_testkit::machine::{Flavour, World, wait_until};

use crate::installed::{
    API, OPEN, all_answered, apt, health, install, package, property, purge_with_data, said, server,
    stop_control, until_healthy,
};

const SITE: &str = "shop.apps.example.com";

#[test]
#[ignore = "lane host: boots a machine"]
fn a_server_is_one_package() {
    let world = World::new();
    let (mut machine, _folder) = server(&world, Flavour::Bare);
    assert_eq!(machine.exec(&["hostkit", "version"]).ok().out, "hostkit 0.1.0\n");
    assert_eq!(health(&machine)["status"], "healthy");
    machine.exec(&["hostkit", "status"]).ok();
    assert_eq!(machine.open_ports(), [22, 80, 443]);

    for (path, mode) in [
        ("/etc/hostkit/server.toml", "644 root"),
        ("/var/lib/hostkit", "711 root"),
        ("/var/lib/hostkit/projects", "711 root"),
        ("/var/lib/hostkit/proxy", "700 hostkit-proxy"),
        ("/var/lib/hostkit/hostkit.db", "600 root"),
        ("/var/lib/hostkit/key", "600 root"),
        ("/run/hostkit", "755 root"),
        ("/run/hostkit/control.sock", "666 root"),
        ("/run/hostkit/proxy.sock", "600 hostkit-proxy"),
        ("/var/log/projects", "755 root"),
        ("/usr/share/man/man1/hostkit-deploy.1.gz", "644 root"),
        ("/usr/share/bash-completion/completions/hostkit", "644 root"),
    ] {
        assert_eq!(said(&machine, &["stat", "-c", "%a %U", path]), mode, "{path}");
    }
    for (unit, user) in [("hostkit-control", ""), ("hostkit-proxy", "hostkit-proxy")] {
        let unit = format!("{unit}.service");
        assert_eq!(property(&machine, &unit, "ActiveState"), "active");
        assert_eq!(property(&machine, &unit, "User"), user);
        assert_eq!(property(&machine, &unit, "Slice"), "hostkit-daemons.slice");
        assert_eq!(property(&machine, &unit, "UnitFileState"), "enabled");
    }
    assert_eq!(
        property(&machine, "hostkit-proxy.service", "CapabilityBoundingSet"),
        ""
    );
    for slice in ["daemons", "services", "projects", "builds"] {
        let slice = format!("hostkit-{slice}.slice");
        assert_ne!(property(&machine, &slice, "MemoryMax"), "infinity", "{slice}");
    }
    // Of the projects' slice and the daemons' one above both, which must not bound them together.
    assert_eq!(property(&machine, "hostkit.slice", "MemoryMax"), "infinity");
    let scores = said(&machine, &["systemd-analyze", "security", "--no-pager"]);
    let score = |unit: &str| -> f64 {
        let line = scores.lines().find(|line| line.contains(unit)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    assert!(score("hostkit-proxy.service") <= 2.0, "{scores}");
    let failed = said(
        &machine,
        &["systemctl", "list-units", "--failed", "--plain", "--no-legend"],
    );
    assert_eq!(failed, "");

    machine.power_cut();
    machine.power_on();
    until_healthy(&machine);
    assert_eq!(machine.open_ports(), [22, 80, 443]);
}

#[test]
#[ignore = "lane host: boots a machine"]
fn the_kernel_says_who_calls_and_the_token_is_shown_once() {
    let world = World::new();
    let (machine, _folder) = server(&world, Flavour::Bare);
    let token = said(&machine, &["hostkit", "server", "token"]);
    assert!(token.starts_with("hk_") && token.len() > 40, "{token}");
    let again = machine.exec(&["hostkit", "server", "token"]).failed();
    assert!(again.err.contains("hostkit server token --new"), "{again:?}");
    let status_with = |token: &str| {
        let request = format!(
            "GET /api/status HTTP/1.1\r\nHost: {API}\r\nAuthorization: Bearer {token}\r\nConnection: close\r\n\r\n"
        );
        http::raw(Place::on(&machine, 80), request.as_bytes()).status
    };
    assert_eq!(status_with(&token), 200);
    let another = said(&machine, &["hostkit", "server", "token", "--new"]);
    assert_eq!((status_with(&token), status_with(&another)), (401, 200));
    assert_eq!(http::get(Place::on(&machine, 80), API, "/api/status").status, 401);
    for text in [&token, &another] {
        machine
            .exec(&["grep", "-rqF", text, "/var/lib/hostkit", "/etc"])
            .failed();
        machine
            .exec(&["sh", "-c", "journalctl --no-pager | grep -qF -- \"$0\"", text])
            .failed();
    }

    machine.exec(&["hostkit", "project", "create", "blog"]).ok();
    machine.exec(&["hostkit", "project", "create", "shop"]).ok();
    for (name, comment) in [("shop", "HostKit project shop"), ("bob", "HostKit project blog")] {
        if machine.exec(&["id", name]).code != 0 {
            machine
                .exec(&["useradd", "--create-home", "--comment", comment, "--", name])
                .ok();
        }
    }
    let as_account = |name: &str, line: &[&str]| {
        let mut arguments = vec![
            "setpriv",
            "--reuid",
            name,
            "--regid",
            name,
            "--clear-groups",
            "hostkit",
        ];
        arguments.extend(line);
        machine.exec(&arguments)
    };
    as_account("shop", &["project", "show", "shop"]).ok();
    as_account("shop", &["status"]).ok();
    for line in [
        &["project", "show", "blog"][..],
        &["token", "list"],
        &["project", "create", "more"],
        &["project", "delete", "shop", "--yes"],
        &["server", "token", "--new"],
    ] {
        as_account("shop", line).failed();
    }
    for line in [&["project", "show", "blog"][..], &["project", "list"]] {
        let refused = as_account("bob", line).failed();
        assert!(refused.err.contains("it is no project's account"), "{refused:?}");
    }
    // The front door's account may not hand itself tables through control, nor anything else.
    as_account("hostkit-proxy", &["status"]).failed();
}

#[test]
#[ignore = "lane host: boots a machine"]
fn nobody_is_refused_while_daemons_are_restarted_and_upgraded() {
    let world = World::new();
    let (machine, folder) = server(&world, Flavour::Bare);
    let next = package(folder.path(), "0.2.0");
    machine.put(&next, "/root/next.deb", 0o644);
    let load = || Load::start(Place::on(&machine, 80), API, OPEN, 200);
    let pid = |unit: &str| property(&machine, unit, "MainPID");

    let running = load();
    for unit in ["hostkit-proxy", "hostkit-control", "hostkit-proxy"] {
        std::thread::sleep(Duration::from_secs(2));
        let before = pid(unit);
        machine.exec(&["systemctl", "restart", unit]).ok();
        assert_ne!(pid(unit), before);
    }
    std::thread::sleep(Duration::from_secs(2));
    all_answered("restarts", &running.finish(), 400);

    let before = (pid("hostkit-control"), pid("hostkit-proxy"));
    let running = load();
    std::thread::sleep(Duration::from_secs(1));
    apt(&machine, &["install", "/root/next.deb"]);
    std::thread::sleep(Duration::from_secs(1));
    all_answered("upgrade", &running.finish(), 400);
    let after = (pid("hostkit-control"), pid("hostkit-proxy"));
    assert!(before.0 != after.0 && before.1 != after.1);
    let version = said(&machine, &["dpkg-query", "-W", "-f", "${Version}", "hostkit"]);
    assert_eq!(version, "0.2.0");
    // The operator's settings are the operator's.
    assert!(
        machine
            .read("/etc/hostkit/server.toml")
            .contains("apps.example.com")
    );
}

/// A table that control does not know of, which is stopped meanwhile.
#[test]
#[ignore = "lane host: boots a machine"]
fn the_front_door_needs_no_control_and_keeps_stable_ports_while_it_is_restarted() {
    let world = World::new();
    let (machine, _folder) = server(&world, Flavour::Bare);
    stop_control(&machine);
    machine.write("hello", "/srv/site/index.html", 0o644);
    let table = RouteTable {
        version: 1_000_000,
        routes: vec![Route {
            id: "shop/production/web".into(),
            environment: None,
            process: None,
            hosts: vec![HostName::parse(SITE).unwrap()],
            wildcards: Vec::new(),
            path_prefix: "/".into(),
            ports: vec![8001],
            target: Target::Files {
                root: "/srv/site".into(),
                single_page: false,
                earlier: Vec::new(),
            },
            release: None,
            hold: HoldRule::default(),
            rules: Default::default(),
            https: Https::Offered,
            compression: Compression::default(),
            sticky: false,
            answers: Default::default(),
            protocol: Default::default(),
        }],
        canaries: Vec::new(),
    };
    machine.write(serde_json::to_vec(&table).unwrap(), "/root/table.json", 0o600);
    let put = [
        "--fail",
        "--unix-socket",
        "/run/hostkit/proxy.sock",
        "-T",
        "/root/table.json",
    ];
    machine
        .exec(&[&["curl", "--silent"], &put[..], &["http://front-door/table"]].concat())
        .ok();
    assert_eq!(http::get(Place::on(&machine, 80), SITE, "/").body, "hello");

    // Nothing is listened on for this but loopback, so the load is made on the machine itself.
    let script = "while [ ! -e /run/enough ]; do \
                  curl --silent --fail --max-time 60 http://127.0.0.1:8001/ >/dev/null || echo failed; echo asked; \
                  done";
    machine
        .exec(&[
            "systemd-run",
            "--unit=asking",
            "-p",
            "StandardOutput=file:/root/asked",
            "sh",
            "-c",
            script,
        ])
        .ok();
    let asked = || machine.read("/root/asked").matches("asked").count();
    wait_until("it asks", || asked() > 20);
    let outside = Load::start(Place::on(&machine, 80), SITE, "/", 200);
    for _ in 0..3 {
        machine.exec(&["systemctl", "restart", "hostkit-proxy"]).ok();
        let before = asked();
        wait_until("it goes on", || asked() > before + 20);
    }
    machine.write("", "/run/enough", 0o644);
    let failed = machine.read("/root/asked").matches("failed").count();
    eprintln!("stable port: {} requests, {failed} failed", asked());
    assert_eq!(failed, 0);
    all_answered("without control", &outside.finish(), 100);
    assert_eq!(
        property(&machine, "hostkit-control.service", "ActiveState"),
        "inactive"
    );
    machine
        .exec(&["systemctl", "start", "hostkit-control.socket"])
        .ok();
    // Asking is enough to start it.
    machine.exec(&["hostkit", "status"]).ok();
}

#[test]
#[ignore = "lane host: boots a machine"]
fn ports_and_mistakes_of_the_settings() {
    let world = World::new();
    let (machine, _folder) = server(&world, Flavour::Bare);
    let text = "base_domain = \"apps.example.com\"\nhttp_port = 9080\napi_port = 7701\n";
    machine.write(text, "/etc/hostkit/server.toml", 0o644);
    machine.exec(&["systemctl", "daemon-reload"]).ok();
    machine
        .exec(&[
            "systemctl",
            "restart",
            "hostkit-proxy.socket",
            "hostkit-api.socket",
        ])
        .ok();
    machine
        .exec(&["systemctl", "restart", "hostkit-proxy", "hostkit-control"])
        .ok();
    wait_until("the new port answers", || {
        http::get(Place::on(&machine, 9080), API, OPEN).status == 200
    });
    assert_eq!(machine.open_ports(), [22, 443, 9080]);
    let status = machine.exec(&["hostkit", "--json", "status"]).json();
    assert_eq!(status["api"], "http://127.0.0.1:7701");
    assert_eq!(status["front_door"], "http://apps.example.com:9080");

    let text = "base_domain = \"apps.example.com\"\nhttp_port = 9080\nbase_domian = 3\napi_port = 0\n";
    machine.write(text, "/etc/hostkit/server.toml", 0o644);
    machine
        .exec(&["systemctl", "restart", "hostkit-control"])
        .failed();
    let journal = said(&machine, &["journalctl", "--no-pager", "-u", "hostkit-control"]);
    assert!(
        journal.contains("server.toml:3:1: unknown key `base_domian`"),
        "{journal}"
    );
    assert!(
        journal.contains("server.toml:4:12: `api_port` cannot be 0"),
        "{journal}"
    );
    // The front door goes on with what it has, and control comes back by itself.
    let answer = http::get(Place::on(&machine, 9080), "nobody.example.com", "/");
    assert_eq!(answer.status, 404);
    machine.write(
        "http_port = 9080\napi_port = 7701\n",
        "/etc/hostkit/server.toml",
        0o644,
    );
    wait_until("control is back", || {
        machine.exec(&["hostkit", "status"]).code == 0
    });
}

#[test]
#[ignore = "lane host: boots a machine"]
fn removal_keeps_everything_and_a_purge_removes_data_only_when_told() {
    let world = World::new();
    let (machine, folder) = server(&world, Flavour::Bare);
    let deb = package(folder.path(), "0.1.0");
    machine.exec(&["hostkit", "project", "create", "shop"]).ok();
    let is_there = |path: &str| machine.exec(&["test", "-e", path]).code == 0;
    let is_active = |unit: &str| machine.exec(&["systemctl", "is-active", unit]).code == 0;
    // What a project is on the machine, and accounts that only look like one.
    let unit = "hostkit-shop.stand-in.service";
    for (name, comment) in [
        ("shop", "HostKit project shop"),
        ("alice", "HostKit project shop"),
        ("carol", ""),
    ] {
        if machine.exec(&["id", name]).code != 0 {
            machine
                .exec(&["useradd", "--create-home", "--comment", comment, "--", name])
                .ok();
        }
    }
    machine.write("kept", "/home/alice/file", 0o644);
    machine.write(
        "[Service]\nUser=shop\nExecStart=/usr/bin/sleep infinity\n",
        &format!("/etc/systemd/system/{unit}"),
        0o644,
    );
    machine
        .exec(&["ln", "-s", "/home/alice", "/home/shop/elsewhere"])
        .ok();
    machine.exec(&["systemctl", "daemon-reload"]).ok();
    machine.exec(&["systemctl", "start", unit]).ok();
    let pid = property(&machine, unit, "MainPID");

    apt(&machine, &["remove", "hostkit"]);
    assert!(!is_active("hostkit-control") && !is_active("hostkit-proxy"));
    assert!(!is_active("hostkit-proxy.socket") && !is_there("/usr/bin/hostkit"));
    assert_eq!(property(&machine, unit, "MainPID"), pid);
    for path in [
        "/var/lib/hostkit/hostkit.db",
        "/home/shop",
        "/etc/hostkit/server.toml",
    ] {
        assert!(is_there(path), "{path}");
    }
    assert_eq!(machine.open_ports(), [22]);

    install(&machine, &deb);
    until_healthy(&machine);
    machine.exec(&["hostkit", "project", "show", "shop"]).ok();
    assert_eq!(property(&machine, unit, "MainPID"), pid);

    let told = apt(&machine, &["purge", "hostkit"]);
    assert!(told.contains("projects and their data were kept"), "{told}");
    assert!(is_there("/var/lib/hostkit/key") && is_there("/home/shop"));
    assert!(!is_there("/etc/hostkit/server.toml"));
    assert_eq!(property(&machine, unit, "MainPID"), pid);

    install(&machine, &deb);
    wait_until("control answers", || {
        machine.exec(&["hostkit", "status"]).code == 0
    });
    machine.exec(&["hostkit", "project", "show", "shop"]).ok();
    apt(&machine, &["remove", "hostkit"]);
    purge_with_data(&machine);
    for path in [
        "/var/lib/hostkit",
        "/var/log/projects",
        "/run/hostkit",
        "/etc/hostkit",
        "/home/shop",
        "/etc/systemd/system/hostkit-shop.stand-in.service",
    ] {
        assert!(!is_there(path), "{path}");
    }
    for account in ["shop", "hostkit-proxy"] {
        machine.exec(&["id", account]).failed();
    }
    assert!(!is_active(unit));
    // Nothing of anybody else.
    for account in ["alice", "carol"] {
        machine.exec(&["id", account]).ok();
        assert!(is_there(&format!("/home/{account}")));
    }
    assert_eq!(machine.read("/home/alice/file"), "kept");
    let failed = said(
        &machine,
        &["systemctl", "list-units", "--failed", "--plain", "--no-legend"],
    );
    assert_eq!(failed, "");
}
