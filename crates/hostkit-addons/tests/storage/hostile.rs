//! Clients that lie, and clients of other projects.

use crate::house::{House, went_well};

const CLIENT: &str = include_str!("client.py");

#[test]
fn lies_change_nothing() {
    let house = House::start();
    let script = [CLIENT, include_str!("hostile.py")].concat();
    let output = house
        .python(&script, &[&house.pid().to_string()])
        .output()
        .unwrap();
    assert!(went_well(&output).ends_with("all done\n"));
}

#[test]
fn the_keys_of_one_project_open_nothing_of_another() {
    let (ours, mut theirs) = (House::start(), House::start());
    theirs.kill();
    theirs.settings.keys[0].access = "THEIRKEY".to_owned();
    theirs.begin();
    // Their server, our keys; the same bucket name at both.
    let script = [
        CLIENT,
        "assert b'InvalidAccessKeyId' in put('/shop/a', b'ours')[1]\n\
         assert b'InvalidAccessKeyId' in get('/shop/a')[1]\n\
         assert b'InvalidAccessKeyId' in get('/')[1]\n",
    ]
    .concat();
    went_well(&theirs.python(&script, &[]).output().unwrap());
    // And that this fails without the protection: at our own server, the same is done.
    let allowed = [
        CLIENT,
        "assert put('/shop/a', b'ours')[0] == 200 and get('/')[0] == 200\n",
    ]
    .concat();
    went_well(&ours.python(&allowed, &[]).output().unwrap());
}
