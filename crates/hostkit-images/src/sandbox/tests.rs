use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};

use super::*;

const ATTEMPT: &str = "HOSTKIT_TEST_ATTEMPT";
const SIGSYS: i32 = 31;

/// What a started copy of this program does once it is shut in.
#[test]
#[allow(clippy::exit, reason = "it stands for a program of its own")]
fn attempt() {
    let Ok(what) = std::env::var(ATTEMPT) else {
        return;
    };
    let parent = rustix::process::getppid().unwrap();
    enter().unwrap();
    match what.as_str() {
        "file" => drop(std::fs::read("/etc/passwd")),
        "folder" => drop(std::fs::read_dir("/")),
        "network" => drop(TcpStream::connect("127.0.0.1:9")),
        "program" => drop(Command::new("/bin/true").status()),
        "thread" => drop(std::thread::Builder::new().spawn(|| ())),
        "signal" => drop(rustix::process::test_kill_process(parent).is_ok()),
        "memory" => drop(std::hint::black_box(vec![1u8; 1 << 30])),
        _ => {}
    }
    std::process::exit(0);
}

fn attempted(what: &str) -> ExitStatus {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "sandbox::tests::attempt", "--test-threads=1"])
        .env_clear()
        .env(ATTEMPT, what)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
}

#[test]
fn whatever_is_tried_from_inside_ends_the_process() {
    assert!(attempted("nothing").success());
    for what in ["file", "folder", "network", "program", "thread", "signal"] {
        assert_eq!(attempted(what).signal(), Some(SIGSYS), "{what}");
    }
    assert!(!attempted("memory").success());
}
