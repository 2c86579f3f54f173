//! A disk that is full soon: a file system of a few hundred kilobytes or megabytes, in a mount namespace that a test has
//! to itself. Works for every account that may make user namespaces.

use std::path::Path;
use std::process::Command;

const INSIDE: &str = "HK_TEST_INSIDE";

/// Runs the named test (`module::name`, as the runner shows it) again inside a mount namespace of its own, where it may
/// mount file systems that are gone with it. Returns whether this process is that inner run; the outer one has nothing
/// left to do then.
#[track_caller]
pub fn inside_own_mounts(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let become_root: &[&str] = if nix::unistd::geteuid().is_root() {
        &[]
    } else {
        &["--user", "--map-root-user"]
    };
    let output = Command::new("unshare")
        .args(become_root)
        .args(["--mount", "--"])
        .arg(std::env::current_exe().expect("a test knows its own program"))
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("unshare is part of util-linux");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && said.contains("1 passed"), "{said}");
    false
}

/// Mounts an empty file system of so many kilobytes on a folder. Only inside of [`inside_own_mounts`].
#[track_caller]
pub fn mount(folder: &Path, kilobytes: u32) {
    assert!(
        std::env::var_os(INSIDE).is_some(),
        "this would change the machine"
    );
    let status = Command::new("mount")
        .args([
            "-t",
            "tmpfs",
            "-o",
            &format!("size={kilobytes}k,mode=0700"),
            "tmpfs",
        ])
        .arg(folder)
        .status()
        .expect("mount is part of util-linux");
    assert!(status.success());
}
