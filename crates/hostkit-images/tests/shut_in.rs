//! The process as the front door starts it: it answers one order, and can do nothing else.

#![allow(clippy::unwrap_used, reason = "all of this is tests")]

use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use hostkit_core::image::{Format, Order, Outcome, Unusable, message, parse};

const ROLE: &str = "HOSTKIT_TEST_ROLE";

/// What a started copy of this program is.
#[test]
#[allow(clippy::exit, reason = "it stands for a program of its own")]
fn role() {
    if std::env::var_os(ROLE).is_some() {
        std::process::exit(hostkit_images::run());
    }
}

fn start() -> (Child, UnixStream) {
    let (ours, theirs) = UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "role", "--test-threads=1"])
        .env_clear()
        .env(ROLE, "1")
        .stdin(Stdio::from(OwnedFd::from(theirs)))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    (child, ours)
}

fn ask(bytes: &[u8]) -> (Vec<u8>, ExitStatus) {
    let (mut child, mut socket) = start();
    // It may be gone before it read everything.
    socket.write_all(bytes).ok();
    socket.shutdown(Shutdown::Write).ok();
    let mut answer = Vec::new();
    socket.read_to_end(&mut answer).ok();
    (answer, child.wait().unwrap())
}

#[test]
fn an_order_is_answered_in_the_sandbox_and_that_is_the_end() {
    let order = Order {
        width: 100,
        quality: 75,
        format: Some(Format::Webp),
        svg: false,
    };
    let mut source = std::io::Cursor::new(Vec::new());
    let image = image::DynamicImage::new_rgba16(2000, 1500);
    image.write_to(&mut source, image::ImageFormat::Png).unwrap();
    let (answer, status) = ask(&message(&order, &source.into_inner()));
    let (outcome, image) = parse::<Outcome>(&answer).expect("an outcome");
    assert_eq!(outcome, Outcome::Made(Format::Webp));
    assert!(image.starts_with(b"RIFF"));
    assert!(status.success(), "{status:?}");
    let (answer, status) = ask(&message(&order, b"no image"));
    let refused = Outcome::Unusable(Unusable::NotAnImage);
    assert_eq!(
        parse::<Outcome>(&answer).map(|(outcome, _)| outcome),
        Some(refused)
    );
    assert!(status.success());
}

#[test]
fn what_is_no_order_is_not_answered() {
    for other in [&b""[..], b"hello", &[0xff; 100]] {
        let (answer, status) = ask(other);
        assert!(answer.is_empty());
        assert_eq!(status.code(), Some(1));
    }
}

#[test]
fn a_process_that_waits_for_its_order_is_killed_without_harm() {
    let (mut child, socket) = start();
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    drop(socket);
}
