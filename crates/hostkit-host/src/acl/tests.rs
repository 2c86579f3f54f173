use std::fs::{File, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::*;

fn file(mode: u32) -> File {
    let file = tempfile::tempfile().unwrap();
    file.set_permissions(Permissions::from_mode(mode)).unwrap();
    file
}

#[test]
fn a_list_is_read_back_and_the_mode_follows() {
    let file = file(0o640);
    assert_eq!(observe(&file).unwrap(), None);
    let grants = [Grant { uid: 4001, rights: 1 }, Grant { uid: 12, rights: 6 }];
    let list = AccessList::of_mode(0o750, &grants);
    write(&file, &list).unwrap();
    assert_eq!(observe(&file).unwrap(), Some(list.clone()));
    // The group's place shows the mask: what the group and the two accounts have together.
    assert_eq!(list.mode(), 0o770);
    assert_eq!(file.metadata().unwrap().mode() & 0o777, 0o770);
    assert!(remove(&file).unwrap());
    assert!(!remove(&file).unwrap());
    assert_eq!(observe(&file).unwrap(), None);
}

#[test]
fn a_mask_takes_rights_away_until_it_is_widened() {
    let mut list = AccessList::of_mode(0o700, &[Grant { uid: 7, rights: 4 }]);
    assert_eq!(list.mode(), 0o740);
    list.mask = 0;
    assert_eq!(list.mode(), 0o700);
    list.widen_mask();
    assert_eq!(list.mode(), 0o740);
}

#[test]
fn what_is_no_list_is_refused() {
    let good = AccessList::of_mode(0o640, &[]).bytes();
    assert!(AccessList::parse(&good).is_some());
    assert_eq!(AccessList::parse(b""), None);
    assert_eq!(AccessList::parse(&good[..good.len() - 1]), None);
    let mut other_version = good.clone();
    other_version[0] = 3;
    assert_eq!(AccessList::parse(&other_version), None);
    let mut unknown_tag = good;
    unknown_tag[4] = 0x40;
    assert_eq!(AccessList::parse(&unknown_tag), None);
}
