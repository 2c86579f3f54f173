//! The virtual machine itself: what it can show that a container cannot.

use hostkit_testkit::machine::{HERE, Machine, Memory, World, traces};

#[test]
#[ignore = "lane vm: boots a virtual machine"]
fn a_virtual_machine_has_a_kernel_of_its_own_and_forgets_what_was_not_synced() {
    let world = World::new();
    let mut machine = Machine::boot_virtual(&world, Memory { mib: 1024 });
    let exec = |arguments: &[&str]| machine.exec(arguments).ok().out;
    assert_eq!(
        exec(&["systemctl", "list-units", "--failed", "--plain", "--no-legend"]),
        ""
    );
    assert_eq!(exec(&["hostname"]).trim(), "m1");
    assert!(
        exec(&["cat", "/sys/fs/cgroup/cgroup.controllers"]).contains("memory"),
        "version 2 of cgroups is the only one"
    );
    let memory = exec(&["grep", "MemTotal", "/proc/meminfo"]);
    let kib: u64 = memory.split_whitespace().nth(1).unwrap().parse().unwrap();
    assert!((800..=1024).contains(&(kib / 1024)), "{memory}");
    assert_eq!(machine.open_ports(), [22]);
    assert_eq!(world.open_ports(machine.address6()), [22]);
    exec(&["ping", "-c", "1", "-W", "20", &HERE.to_string()]);
    machine
        .exec(&["ping", "-c", "1", "-W", "1", "192.0.2.1"])
        .failed();

    // As on a container, to the byte.
    let odd = ["", "a b", "it's", "$HOME", "a\nb", "\\", "*"];
    let said = machine.exec(&[&["printf", "%s|"], &odd[..]].concat()).ok().out;
    assert_eq!(said, odd.map(|word| format!("{word}|")).concat());
    let failed = machine.exec(&["sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert_eq!(
        (failed.code, failed.out.as_str(), failed.err.as_str()),
        (7, "out\n", "err\n")
    );
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    machine.write(&bytes, "/var/lib/a/bytes", 0o640);
    let sum = exec(&["md5sum", "/var/lib/a/bytes"]);
    assert_eq!(
        exec(&["stat", "-c", "%a %s", "/var/lib/a/bytes"]).trim(),
        "640 100000"
    );

    machine
        .exec(&[
            "sh",
            "-c",
            "echo kept > /root/synced; sync; echo lost > /root/unsynced",
        ])
        .ok();
    machine.power_cut();
    machine.power_on();
    assert_eq!(machine.read("/root/synced"), "kept\n");
    let unsynced = machine.exec(&["cat", "/root/unsynced"]).out;
    assert_eq!(unsynced, "", "what was not synced is lost");
    assert_eq!(machine.exec(&["md5sum", "/var/lib/a/bytes"]).ok().out, sum);

    machine.reboot();
    assert_eq!(machine.read("/root/synced"), "kept\n");
    assert_eq!(machine.open_ports(), [22]);
    let name = world.name();
    assert!(!traces(&name).is_empty());
    drop((machine, world));
    assert_eq!(traces(&name), Vec::<String>::new());
}
