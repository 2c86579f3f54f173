//! What a machine is made of: a container of this host, or a virtual machine with a kernel of its own.

use std::fmt::Debug;
use std::process::Command;
use std::time::Duration;

/// The two kinds differ in how they are switched on and how a program is started on them. Everything else about a machine is
/// the same for both.
pub(super) trait Hardware: Debug + Send + Sync {
    /// How long it may take to boot on a busy host.
    fn patience(&self) -> Duration;

    /// Starts to boot. It is off.
    fn switch_on(&mut self);

    /// Whether programs can be started on it by now.
    fn is_up(&mut self) -> bool;

    /// Whether it went off by itself.
    fn has_ended(&mut self) -> bool;

    /// Takes the power away, at once, also if it is off.
    fn cut(&mut self);

    /// A program that is run on it by root, not started yet. It is up.
    fn command(&self, arguments: &[&str]) -> Command;
}

/// What a program on a machine finds in its environment.
pub(super) const ENVIRONMENT: [(&str, &str); 4] = [
    (
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    ("HOME", "/root"),
    ("LANG", "C.UTF-8"),
    ("DEBIAN_FRONTEND", "noninteractive"),
];
