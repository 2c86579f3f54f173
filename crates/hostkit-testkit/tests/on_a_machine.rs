//! What a test program on a machine of its own can count on.

use std::path::Path;
use std::process::Command;

#[test]
#[ignore = "lane host: runs on a machine of its own"]
fn systemd_runs_this_machine_and_root_runs_this_test() {
    assert_eq!(std::fs::read_to_string("/proc/1/comm").unwrap(), "systemd\n");
    assert!(Path::new("/run/systemd/system").is_dir());
    assert!(nix::unistd::geteuid().is_root());
    let unit = Command::new("systemd-run")
        .args([
            "--quiet",
            "--wait",
            "--pipe",
            "--uid=nobody",
            "id",
            "--user",
            "--name",
        ])
        .output()
        .unwrap();
    assert_eq!(unit.stdout, b"nobody\n");
}

#[test]
#[ignore = "lane host: runs on a machine of its own"]
fn the_programs_of_the_package_are_where_cargo_said() {
    let program = env!("CARGO_BIN_EXE_machine-run");
    assert!(Path::new(program).exists(), "{program}");
    let folder = std::env::var("HOSTKIT_TEST_PROGRAMS").unwrap();
    assert!(Path::new(&folder).join("machine-run").exists());
    // Also for an account that is nobody's, in a unit that sees little of the machine.
    let unit = Command::new("systemd-run")
        .args([
            "--quiet",
            "--wait",
            "--uid=nobody",
            "-p",
            "ProtectHome=tmpfs",
            "-p",
            "PrivateTmp=yes",
        ])
        .args(["-p", "ProtectSystem=strict", "test", "-x"])
        .arg(Path::new(&folder).join("machine-run"))
        .status()
        .unwrap();
    assert!(unit.success());
}
