//! What a test program on a bare machine of its own can count on.

use std::process::Command;

#[test]
#[ignore = "lane host: runs on a machine of its own"]
fn it_is_bare_and_packages_can_be_installed() {
    assert!(Command::new("setfacl").arg("--version").output().is_err());
    let apt = Command::new("apt-get")
        .args(["install", "--yes", "acl"])
        .output()
        .unwrap();
    assert!(apt.status.success(), "{}", String::from_utf8_lossy(&apt.stderr));
    assert!(Command::new("setfacl").arg("--version").output().is_ok());
}
