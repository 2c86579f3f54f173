//! The files of a machine: the one in memory and the one we are on do the same, and the latter cannot be tricked.

use std::os::unix::fs::{PermissionsExt, symlink};
use std::time::{Duration, Instant};

use hostkit_core::server::{FoundKind, Machine, Order, Ran};
use hostkit_host::server::ThisMachine;
use hostkit_testkit::fakes::FakeMachine;

fn keeps_files(machine: &dyn Machine) {
    assert_eq!(machine.read("/etc/a/b.conf").unwrap(), None);
    assert_eq!(machine.look("/etc/a").unwrap(), None);
    assert_eq!(machine.list("/etc/a").unwrap(), [""; 0]);
    machine.remove("/etc/a/b.conf").unwrap();
    machine.write("/etc/a/b.conf", "one\n", 0o640).unwrap();
    machine.write("/etc/a/a.conf", "two\n", 0o644).unwrap();
    machine.write("/etc/a/b.conf", "three\n", 0o600).unwrap();
    assert_eq!(machine.read("/etc/a/b.conf").unwrap().as_deref(), Some("three\n"));
    assert_eq!(machine.list("/etc/a").unwrap(), ["a.conf", "b.conf"]);
    let found = machine.look("/etc/a/b.conf").unwrap().unwrap();
    assert_eq!((found.kind, found.mode), (FoundKind::File, 0o600));
    assert_eq!(found.real_path, "/etc/a/b.conf");
    assert!(found.writable);
    let folder = machine.look("/etc/a").unwrap().unwrap();
    assert_eq!((folder.kind, folder.mode), (FoundKind::Folder, 0o755));
    assert_eq!(machine.read("/etc/a").unwrap(), None);
    machine.make_folder("/etc/c", 0o711).unwrap();
    machine.make_folder("/etc/c", 0o700).unwrap();
    assert_eq!(machine.look("/etc/c").unwrap().unwrap().mode, 0o700);
    machine.remove("/etc/a/b.conf").unwrap();
    assert_eq!(machine.list("/etc/a").unwrap(), ["a.conf"]);
    assert!(machine.free_space("/etc/not/there").unwrap() > 0);
    let absent = machine.run(&Order::new("hostkit-no-such-program", &[])).unwrap();
    assert!(absent.is_not_installed() && !absent.is_fine());
}

fn below() -> (tempfile::TempDir, ThisMachine) {
    let folder = tempfile::Builder::new().prefix("hk-test-").tempdir().unwrap();
    let machine = ThisMachine::below(folder.path().canonicalize().unwrap());
    (folder, machine)
}

#[test]
fn the_one_in_memory_keeps_files() {
    keeps_files(&FakeMachine::bare());
}

#[test]
fn the_one_we_are_on_keeps_files() {
    let (_folder, machine) = below();
    keeps_files(&machine);
}

#[test]
fn what_only_looks_like_a_file_is_none() {
    let (folder, machine) = below();
    let pipe = folder.path().join("pipe");
    let made = machine
        .run(&Order::new("mkfifo", &[pipe.to_str().unwrap()]))
        .unwrap();
    assert!(made.is_fine(), "{made:?}");
    symlink("/dev/zero", folder.path().join("device")).unwrap();
    symlink("loop", folder.path().join("loop")).unwrap();
    assert_eq!(machine.read("/pipe").unwrap(), None);
    assert_eq!(machine.read("/device").unwrap(), None);
    assert!(machine.read("/loop").is_err());
}

#[test]
fn a_file_that_is_too_large_is_refused_and_foreign_bytes_are_not() {
    let (folder, machine) = below();
    std::fs::write(folder.path().join("large"), vec![b'a'; (1 << 20) + 1]).unwrap();
    std::fs::write(folder.path().join("latin"), b"caf\xe9\n").unwrap();
    let failure = machine.read("/large").unwrap_err();
    assert!(failure.message.contains("larger than 1 MiB"), "{failure}");
    assert_eq!(machine.read("/latin").unwrap().as_deref(), Some("caf\u{fffd}\n"));
}

#[test]
fn a_link_in_the_place_of_a_file_is_replaced_and_not_written_through() {
    let (folder, machine) = below();
    std::fs::write(folder.path().join("victim"), "as it was").unwrap();
    symlink("victim", folder.path().join("ours.conf")).unwrap();
    machine.write("/ours.conf", "new", 0o644).unwrap();
    assert_eq!(
        std::fs::read_to_string(folder.path().join("victim")).unwrap(),
        "as it was"
    );
    let meta = std::fs::symlink_metadata(folder.path().join("ours.conf")).unwrap();
    assert!(meta.is_file());
    assert_eq!(meta.permissions().mode() & 0o777, 0o644);
}

#[test]
fn what_a_killed_write_left_is_cleared_away() {
    let (folder, machine) = below();
    for name in [".ours.conf.17.0.tmp", ".other.conf.17.0.tmp"] {
        std::fs::write(folder.path().join(name), "half").unwrap();
    }
    machine.write("/ours.conf", "new", 0o644).unwrap();
    assert_eq!(machine.list("/").unwrap(), [".other.conf.17.0.tmp", "ours.conf"]);
}

#[test]
fn two_at_once_take_turns() {
    let (_folder, machine) = below();
    let turn = machine.take_turn().unwrap();
    let failure = machine.take_turn().unwrap_err();
    assert!(failure.message.contains("another"), "{failure}");
    drop(turn);
    assert!(machine.take_turn().is_ok());
}

#[test]
fn programs_get_their_input_a_plain_environment_and_no_more_time_than_they_may_take() {
    let (_folder, machine) = below();
    let said = machine.run(&Order::new("cat", &[]).input("a\nb")).unwrap();
    assert_eq!((said.code, said.out.as_str()), (0, "a\nb"));
    let said = machine.run(&Order::new("env", &[])).unwrap();
    assert!(
        said.out.contains("LC_ALL=C.UTF-8") && !said.out.contains("CARGO"),
        "{said:?}"
    );
    let said = machine.run(&Order::new("ls", &["--", "/nonexistent"])).unwrap();
    assert_eq!(said.code, 2);
    assert!(said.last_words()[0].contains("No such file"));
    let large = machine.run(&Order::new("seq", &["2000000"])).unwrap();
    assert_eq!((large.code, large.out.len()), (0, 1 << 20));

    let begun = Instant::now();
    let order = Order::new("sleep", &["600"]).time(Duration::from_millis(200));
    let failure = machine.run(&order).unwrap_err();
    assert!(failure.message.starts_with("cannot run `sleep 600`"), "{failure}");
    assert!(begun.elapsed() < Duration::from_secs(120));
}

#[test]
fn only_the_last_words_are_told() {
    let ran = Ran {
        code: 1,
        out: (0..100).map(|n| format!("{n}\n\n")).collect(),
        err: " \n".to_owned(),
    };
    assert_eq!(ran.last_words().len(), 8);
    assert_eq!(ran.last_words()[7], "99");
}
