//! A machine with one gigabyte of memory: everything works on it, and a program that takes too much is named.

use hostkit_testkit::http::{self, Place};
use hostkit_testkit::machine::{Machine, Memory, World, wait_until};

use super::write_program;
use crate::apps::{body, deploy, write_app};
use crate::deploy::unit;
use crate::installed::{property, said, set_up};

#[test]
#[ignore = "lane vm: boots a virtual machine"]
fn one_gigabyte_is_enough_for_three_projects_and_who_uses_too_much_is_named() {
    let world = World::new();
    let machine = Machine::boot_virtual(&world, Memory { mib: 1024 });
    let _folder = set_up(&machine, "");
    write_app(&machine, "site", &[("index.html", "site 1")]);
    write_program(&machine, "shop", "shop 1");
    write_program(&machine, "blog", "blog 1");
    for name in ["site", "shop", "blog"] {
        machine.exec(&["hostkit", "project", "create", name]).ok();
        deploy(&machine, name).ok();
        assert_eq!(body(&machine, name), format!("{name} 1"));
    }
    eprintln!("{}", said(&machine, &["free", "--mebi"]));
    let together: u64 = ["hostkit-control", "hostkit-proxy"]
        .map(|daemon| {
            let (resident, proportional) = memory(&machine, &format!("{daemon}.service"));
            eprintln!("{daemon}: {resident} KiB resident, {proportional} KiB its share");
            proportional
        })
        .iter()
        .sum();
    eprintln!("control and front door together: {} MiB", together / 1024);
    // An unoptimised binary is several times as large as the one that is shipped, and all of it may be read.
    assert!(together < 200 * 1024, "{together} KiB");

    let unit = unit(&machine, "shop");
    assert_eq!(property(&machine, &unit, "MemoryMax"), (128 << 20).to_string());
    let before = property(&machine, &unit, "MainPID");
    http::get(Place::on(&machine, 80), "shop.apps.example.com", "/hungry");
    wait_until("it was killed and started again", || {
        let now = property(&machine, &unit, "MainPID");
        now != "0" && now != before && body(&machine, "shop") == "shop 1"
    });
    let named = "killed: used more than its memory limit of 128MB";
    wait_until("an event names it", || {
        let events = said(&machine, &["hostkit", "events", "--project", "shop"]);
        events.contains(named) && events.contains("web")
    });
    assert_eq!(body(&machine, "blog"), "blog 1");
    assert_eq!(body(&machine, "site"), "site 1");
    let kernel = said(
        &machine,
        &["journalctl", "--dmesg", "--no-pager", "--grep", "oom-kill:"],
    );
    assert!(
        kernel.contains("CONSTRAINT_MEMCG") && kernel.contains(&unit),
        "{kernel}"
    );
}

/// Resident and proportional size of a unit's main process, in KiB.
fn memory(machine: &Machine, unit: &str) -> (u64, u64) {
    let rollup = machine.read(&format!(
        "/proc/{}/smaps_rollup",
        property(machine, unit, "MainPID")
    ));
    let of = |key: &str| -> u64 {
        let line = rollup.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    (of("Rss:"), of("Pss:"))
}
