//! The systemd runtime on a real machine, as root: the suite of every runtime, and what only this one promises.
#![allow(clippy::unwrap_used)] // Only inside `#[test]` functions does clippy know that this is a test.

#[path = "machine/house.rs"]
mod house;
#[path = "machine/units.rs"]
mod units;
#[path = "machine/walls.rs"]
mod walls;

use hostkit_testkit::{runtime_bookkeeping, runtime_programs};

use house::House;

runtime_bookkeeping!([ignore = "lane host: runs on a machine of its own"], House::new());
runtime_programs!([ignore = "lane host: runs on a machine of its own"], House::new());
