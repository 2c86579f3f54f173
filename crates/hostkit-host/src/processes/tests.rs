//! The kernel is asked about this very process and its children.

use std::net::TcpListener;
use std::process::{Command, Stdio};

use super::*;

#[test]
fn a_mark_means_one_process_only() {
    let mark = ProcessMark::of(std::process::id()).unwrap();
    assert!(mark.is_alive());
    assert!(
        !ProcessMark {
            start: mark.start + 1,
            ..mark.clone()
        }
        .is_alive()
    );
    assert!(
        !ProcessMark {
            boot: "another".into(),
            ..mark
        }
        .is_alive()
    );
    let mut child = Command::new("sleep").arg("30").spawn().unwrap();
    let mark = ProcessMark::of(child.id()).unwrap();
    assert!(mark.is_alive());
    child.kill().unwrap();
    while mark.is_alive() {
        std::thread::yield_now();
    }
    // It is still in the table, as a zombie, until it is waited for.
    assert!(stat(child.id()).is_some());
    child.wait().unwrap();
    assert!(stat(child.id()).is_none());
}

#[test]
fn children_memory_and_sockets_of_a_tree_are_found() {
    let mut child = Command::new("sh")
        .args(["-c", "sleep 30 & echo on; wait"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut word = [0; 3];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut word).unwrap();
    assert!(children(std::process::id()).contains(&child.id()));
    let below = descendants(child.id());
    assert_eq!(below.len(), 1);
    assert!(resident(&below) > 0);
    assert!(proportional(&below) > 0);
    assert!(!uses_more_than(&below, 1 << 30));
    signal(below[0], Signal::SIGKILL);
    child.wait().unwrap();

    let four = TcpListener::bind("127.0.0.1:0").unwrap();
    let found = listening(&[std::process::id()]);
    assert!(found.contains(&four.local_addr().unwrap()));
    if let Ok(six) = TcpListener::bind("[::1]:0") {
        assert!(listening(&[std::process::id()]).contains(&six.local_addr().unwrap()));
    }
}
