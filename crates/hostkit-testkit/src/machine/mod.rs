//! Machines for tests: a bare Debian with systemd as its first process, in a network of its own that leads nowhere.
//! Each has a disk that outlives a power cut, and is gone with its value, or with the test program if that is killed.

mod base;
mod boot;
mod cgroups;
mod container;
mod exec;
mod folder;
mod hardware;
pub(crate) mod held;
mod limits;
mod network;
mod scan;
mod traces;
mod virtual_machine;
mod world;

pub use base::Flavour;
pub use boot::{Machine, Shown};
pub use exec::Output;
pub use network::Network;
pub use traces::traces;
pub use virtual_machine::Memory;
pub use world::{HERE, World};

use std::time::{Duration, Instant};

/// How long anything may take on a busy host before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// The password root has on a machine as it is delivered.
pub const ROOT_PASSWORD: &str = "as-delivered";

/// Polls until something is so.
#[track_caller]
pub fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let started = Instant::now();
    while !is_so() {
        assert!(started.elapsed() < PATIENCE, "gave up waiting until {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}
