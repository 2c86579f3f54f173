//! What projects on a server go through without being lost: restarts and upgrades under load, power cuts at any moment,
//! a machine that is started anew.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::{Duration, Instant};

use hostkit_testkit::machine::{Flavour, Machine, World, wait_until};

use crate::apps::{APPS, body, deploy, deploy_all, load_all, write_version};
use crate::deploy::{check_gone, check_places};
use crate::installed::{all_answered, apt, package, property, said, server, stop_control, until_healthy};

/// After a start of the machine everything answers within this.
const BACK: Duration = Duration::from_secs(60);

#[test]
#[ignore = "lane host: boots a machine"]
fn nobody_is_refused_whatever_is_deployed_restarted_or_upgraded() {
    let world = World::new();
    let (machine, folder) = server(&world, Flavour::Ready);
    let next = package(folder.path(), "0.2.0");
    machine.put(&next, "/root/next.deb", 0o644);
    deploy_all(&machine);
    let first = said(&machine, &["sh", "-c", "echo /root/hostkit_0.1.0_*.deb"]);
    let each = |what: &str, act: &dyn Fn(&str)| {
        let loads = load_all(&machine, 40);
        std::thread::sleep(Duration::from_secs(1));
        for (name, _) in APPS {
            act(name);
        }
        std::thread::sleep(Duration::from_secs(1));
        for (name, load) in loads {
            all_answered(&format!("{what}, {name}"), &load.finish(), 40);
        }
    };
    each("deploys", &|name| {
        write_version(&machine, name, 2);
        deploy(&machine, name).ok();
        assert_eq!(body(&machine, name), format!("{name} 2"));
    });
    each("rollbacks", &|name| {
        machine.exec(&["hostkit", "rollback", "--project", name]).ok();
        assert_eq!(body(&machine, name), format!("{name} 1"));
    });
    each("restarts of programs", &|name| {
        machine.exec(&["hostkit", "restart", "--project", name]).ok();
    });
    for unit in ["hostkit-control", "hostkit-proxy"] {
        each(&format!("restarts of {unit}"), &|_| {
            machine.exec(&["systemctl", "restart", unit]).ok();
        });
    }
    // To the next version, back, and so on: each brings a program of its own.
    let next = "/root/next.deb";
    for package in [next, &first, next, &first, next] {
        let front_door = || property(&machine, "hostkit-proxy.service", "MainPID");
        let old = front_door();
        each(&format!("change to {package}"), &|name| {
            if name == "shop" {
                apt(&machine, &["install", "--allow-downgrades", package]);
            }
        });
        assert_ne!(front_door(), old, "another front door runs");
    }
    let version = said(&machine, &["dpkg-query", "-W", "-f", "${Version}", "hostkit"]);
    assert_eq!(version, "0.2.0");

    stop_control(&machine);
    each("control stopped", &|name| {
        std::thread::sleep(Duration::from_secs(2));
        assert_eq!(body(&machine, name), format!("{name} 1"));
    });
    assert_eq!(
        property(&machine, "hostkit-control.service", "ActiveState"),
        "inactive"
    );
}

/// Waits until every project answers with one of its versions, and says how long it took since the power came back.
fn all_back(machine: &Machine, what: &str, since: Instant, versions: &[(&str, u32, u32)]) {
    for (name, version, or) in versions {
        let started = Instant::now();
        loop {
            let said = body(machine, name);
            if [version, or]
                .iter()
                .any(|version| said == format!("{name} {version}"))
            {
                break;
            }
            if started.elapsed() > 2 * BACK {
                let events = machine.exec(&["hostkit", "events", "--project", name]).all();
                let listed = machine.exec(&["hostkit", "deployments", "--project", name]).all();
                let journal = machine.exec(&["journalctl", "--no-pager", "-b"]).out;
                panic!(
                    "{name} {version} does not answer after {what}, but {said:?}\n{listed}\n{events}\n{journal}"
                );
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let took = since.elapsed();
    eprintln!("{what}: all answer {took:.1?} later");
    assert!(took < BACK, "{what}: {took:?}");
}

/// No deployment is under way, and the scratch of none is left.
fn all_settled(machine: &Machine, what: &str) {
    until_healthy(machine);
    for (name, _) in APPS {
        let line = ["hostkit", "--json", "deployments", "--project", name];
        wait_until(
            &format!("no deployment of {name} is under way after {what}"),
            || {
                let listed = machine.exec(&line);
                listed.code == 0 && !listed.out.contains("\"running\"") && !listed.out.contains("\"queued\"")
            },
        );
        wait_until(
            &format!("nothing half-built of {name} is left after {what}"),
            || said(machine, &["ls", "-A", &format!("/home/{name}/build")]).is_empty(),
        );
        check_places(machine, name);
    }
}

/// A canary is beside the live release again after a reboot, for as many visitors as before, and can be ended.
fn canary_comes_back(machine: &mut Machine) {
    write_version(machine, "blog", 2);
    let line = ["hostkit", "deploy", "/root/apps/blog", "--project", "blog"];
    machine.exec(&[&line[..], &["--canary", "50"]].concat()).ok();
    machine.reboot();
    let seen = || -> BTreeMap<String, usize> {
        (0..100).fold(BTreeMap::new(), |mut seen, _| {
            *seen.entry(body(machine, "blog")).or_default() += 1;
            seen
        })
    };
    let both = BTreeMap::from([("blog 1".to_owned(), 50), ("blog 2".to_owned(), 50)]);
    wait_until("half of the visitors get the canary after a reboot", || {
        seen() == both
    });
    machine.exec(&["hostkit", "rollback", "--project", "blog"]).ok();
    assert_eq!(seen(), BTreeMap::from([("blog 1".to_owned(), 100)]));
}

#[test]
#[ignore = "lane host: boots a machine"]
fn a_power_cut_or_a_reboot_loses_nothing() {
    let world = World::new();
    let (mut machine, _folder) = server(&world, Flavour::Ready);
    deploy_all(&machine);
    let all = |from: u32, to: u32| APPS.map(|(name, _)| (name, from, to));

    machine.power_cut();
    let since = Instant::now();
    machine.power_on();
    all_back(&machine, "a power cut while idle", since, &all(1, 1));
    let since = Instant::now();
    machine.reboot();
    all_back(&machine, "a reboot", since, &all(1, 1));
    all_settled(&machine, "a reboot");
    canary_comes_back(&mut machine);

    for (version, moment) in (2..).zip(["before:build", "after:freeze", "before:switch", "after:switch"]) {
        for (name, _) in APPS {
            write_version(&machine, name, version);
            // Moved into place: it is read and removed as soon as it is there.
            machine.write(format!("halt:{moment}"), "/var/lib/hostkit/planted", 0o600);
            let into_place = ["mv", "/var/lib/hostkit/planted", "/var/lib/hostkit/fault"];
            machine.exec(&into_place).ok();
            let read = || machine.exec(&["test", "-e", "/var/lib/hostkit/fault"]).code != 0;
            wait_until("the fault is planted", read);
            let folder = format!("/root/apps/{name}");
            machine
                .exec(&["hostkit", "deploy", &folder, "--project", name, "--detach"])
                .ok();
        }
        // Where a deployment stopped cannot be seen from outside; that it did not go on can.
        std::thread::sleep(Duration::from_secs(3));
        let what = format!("a power cut {moment}");
        machine.power_cut();
        let since = Instant::now();
        machine.power_on();
        all_back(&machine, &what, since, &all(version - 1, version));
        // What was interrupted goes on by itself, and ends well.
        all_settled(&machine, &what);
        all_back(&machine, &what, Instant::now(), &all(version, version));
    }
}

/// A project that is being made when the power goes is there afterwards, or not at all.
#[test]
#[ignore = "lane host: boots a machine"]
fn a_power_cut_leaves_no_half_made_project() {
    let world = World::new();
    let (mut machine, _folder) = server(&world, Flavour::Ready);
    let (mut made, mut unmade) = (0, 0);
    for round in 0..8 {
        let name = format!("half{round}");
        let mut command = machine.command(&["hostkit", "project", "create", &name]);
        let mut running = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(25 * round));
        machine.power_cut();
        running.wait().unwrap();
        machine.power_on();
        until_healthy(&machine);
        let listed = machine.exec(&["hostkit", "--json", "project", "list"]).ok().out;
        if listed.contains(&format!("\"{name}\"")) {
            made += 1;
            // What is missing is made at the start of control.
            wait_until("the project is whole", || {
                machine
                    .exec(&["test", "-e", &format!("/etc/sudoers.d/hostkit-{name}")])
                    .code
                    == 0
            });
            let account = said(&machine, &["getent", "passwd", &name]);
            assert!(account.contains(&format!("HostKit project {name}")), "{account}");
            machine
                .exec(&["hostkit", "project", "delete", &name, "--yes"])
                .ok();
        } else {
            unmade += 1;
        }
        check_gone(&machine, &name);
    }
    eprintln!("projects being made at a power cut: {made} were there afterwards, {unmade} were not");
}
