//! HostKit installed from its package, as every test of the product on a machine begins.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use hostkit_testkit::http::{self, Place};
use hostkit_testkit::load::Report;
use hostkit_testkit::machine::{Flavour, Machine, Output, World, wait_until};

/// Apt may have much to unpack on a busy host.
pub(crate) const APT: Duration = Duration::from_secs(600);
/// The API as the front door serves it, and a path of it that anybody may ask.
pub(crate) const API: &str = "hostkit.apps.example.com";
pub(crate) const OPEN: &str = "/api/openapi.json";

/// Makes a package of the binary under test.
pub(crate) fn package(folder: &Path, version: &str) -> PathBuf {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../script/package");
    let output = Command::new(script)
        .args(["--quick", "--binary", env!("CARGO_BIN_EXE_hostkit")])
        .args(["--version", version, "--into"])
        .arg(folder)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    PathBuf::from(String::from_utf8(output.stdout).unwrap().trim())
}

pub(crate) fn apt(machine: &Machine, arguments: &[&str]) -> String {
    let mut line = vec!["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "--yes"];
    line.extend(arguments);
    machine.exec_within(APT, &line).ok().all()
}

/// Installs a package with everything it depends on.
pub(crate) fn install(machine: &Machine, package: &Path) -> String {
    let to = format!("/root/{}", package.file_name().unwrap().to_str().unwrap());
    machine.put(package, &to, 0o644);
    apt(machine, &["install", &to])
}

/// A machine with HostKit and its settings, and the folder its package lies in.
pub(crate) fn server(world: &World, flavour: Flavour) -> (Machine, tempfile::TempDir) {
    let machine = Machine::boot(world, flavour);
    machine.exec(&["apt-get", "update"]).ok();
    apt(&machine, &["install", "curl"]);
    let folder = set_up(&machine, "");
    (machine, folder)
}

/// Installs HostKit with its settings on a machine, and says in which folder its package lies.
pub(crate) fn set_up(machine: &Machine, more_settings: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    install(machine, &package(folder.path(), "0.1.0"));
    let settings = format!("base_domain = \"apps.example.com\"\n{more_settings}");
    machine.write(settings, "/etc/hostkit/server.toml", 0o644);
    machine.exec(&["systemctl", "restart", "hostkit-control"]).ok();
    until_healthy(machine);
    folder
}

pub(crate) fn said(machine: &Machine, arguments: &[&str]) -> String {
    machine.exec(arguments).ok().out.trim().to_owned()
}

pub(crate) fn property(machine: &Machine, unit: &str, name: &str) -> String {
    said(machine, &["systemctl", "show", "--value", "-p", name, unit])
}

/// What health says, from the socket.
pub(crate) fn health(machine: &Machine) -> serde_json::Value {
    machine
        .exec(&[
            "curl",
            "--silent",
            "--unix-socket",
            "/run/hostkit/control.sock",
            "http://control/api/health",
        ])
        .json()
}

pub(crate) fn until_healthy(machine: &Machine) {
    let mut last = String::new();
    wait_until("all is healthy", || {
        let status = machine.exec(&["hostkit", "status"]);
        if status.code != 0 && status.all() != last {
            last = status.all();
            eprintln!("not healthy yet: {last}");
        }
        let answer = http::get(Place::on(machine, 80), API, OPEN);
        if answer.status != 200 && answer.body != last {
            eprintln!("the front door answers {}: {}", answer.status, answer.body);
            last = answer.body;
        }
        status.code == 0 && answer.status == 200
    });
}

#[track_caller]
pub(crate) fn all_answered(what: &str, report: &Report, least: u64) {
    eprintln!(
        "{what}: {} requests, {} failed, slowest {:?}",
        report.requests,
        report.failures.len(),
        report.slowest
    );
    assert!(report.requests >= least, "{what}: {report:?}");
    assert!(report.failures.is_empty(), "{what}: {report:?}");
}

/// Stops control and what would start it.
pub(crate) fn stop_control(machine: &Machine) {
    let stop = [
        "systemctl",
        "stop",
        "hostkit-control.socket",
        "hostkit-api.socket",
        "hostkit-control.service",
    ];
    machine.exec(&stop).ok();
}

/// Purges the package and, as asked for, everything of its projects.
pub(crate) fn purge_with_data(machine: &Machine) -> Output {
    let purge = [
        "env",
        "HOSTKIT_PURGE=yes",
        "DEBIAN_FRONTEND=noninteractive",
        "dpkg",
        "--purge",
        "hostkit",
    ];
    machine.exec_within(APT, &purge).ok()
}
