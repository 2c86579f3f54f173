use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use hostkit_core::image::Unusable;

use super::*;
use crate::config::ImageProcess;

const ORDER: Order = Order {
    width: 64,
    quality: 75,
    format: Some(Format::Webp),
    svg: false,
};

/// A program in the place of the one that makes images.
struct Other(&'static str, Vec<&'static str>);

impl ImageProcess for Other {
    fn start(&self, socket: OwnedFd) -> io::Result<Child> {
        Command::new(self.0)
            .args(&self.1)
            .stdin(socket)
            .stdout(Stdio::null())
            .spawn()
    }
}

fn program(path: &'static str, arguments: &[&'static str], time: Duration) -> ImageProgram {
    ImageProgram {
        process: Arc::new(Other(path, arguments.to_vec())),
        at_once: 1,
        time,
    }
}

fn make_with(path: &'static str, arguments: &[&'static str]) -> Result<(Outcome, Vec<u8>), Refusal> {
    make(
        &program(path, arguments, Duration::from_secs(30)),
        &ORDER,
        &[7; 300_000],
    )
}

#[test]
fn a_process_that_ends_says_nonsense_or_is_not_there_is_a_failure_and_no_more() {
    for (path, arguments) in [
        ("/nowhere/hostkit", &[][..]),
        ("/bin/true", &[]),
        ("/bin/false", &[]),
        // Says what it was told.
        ("/bin/cat", &["-"]),
    ] {
        assert_eq!(make_with(path, arguments), Err(Refusal::Failed), "{path}");
    }
}

#[test]
fn a_process_that_does_not_end_is_killed() {
    let slow = program("/bin/sleep", &["600"], Duration::from_millis(300));
    assert_eq!(make(&slow, &ORDER, b"x"), Err(Refusal::Late));
    // Also while it takes nothing.
    assert_eq!(make(&slow, &ORDER, &vec![0; 8 << 20]), Err(Refusal::Late));
}

#[test]
fn an_outcome_that_was_not_ordered_is_not_taken() {
    let said = |outcome: &Outcome, image: &[u8]| understood(&image::message(outcome, image), &ORDER);
    assert!(said(&Outcome::Made(Format::Webp), b"x").is_some());
    assert!(said(&Outcome::AsIs(Format::Gif), b"").is_some());
    assert!(said(&Outcome::Unusable(Unusable::Broken), b"").is_some());
    for (outcome, image) in [
        (Outcome::Made(Format::Svg), &b"<svg>"[..]),
        (Outcome::Made(Format::Png), b"x"),
        (Outcome::Made(Format::Webp), b""),
        (Outcome::AsIs(Format::Svg), b""),
    ] {
        assert!(said(&outcome, image).is_none(), "{outcome:?}");
    }
}
