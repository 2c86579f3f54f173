//! SDKs that others wrote, unchanged.

use std::process::Command;

use crate::house::{House, sdks, went_well};

#[test]
fn boto3_does_everything() {
    let house = House::start();
    let output = house.python(include_str!("everything.py"), &[]).output().unwrap();
    assert!(went_well(&output).ends_with("all done\n"));
}

#[test]
fn the_javascript_sdk_does_everything() {
    let house = House::start();
    let script = sdks().join(format!("storage-test-{}.mjs", std::process::id()));
    // Node looks for modules from where a script lies.
    std::fs::write(&script, include_str!("everything.mjs")).unwrap();
    let mut command = Command::new("node");
    command.arg(&script);
    house.introduce(&mut command);
    let output = command.output();
    std::fs::remove_file(&script).unwrap();
    assert!(went_well(&output.unwrap()).ends_with("all done\n"));
}
