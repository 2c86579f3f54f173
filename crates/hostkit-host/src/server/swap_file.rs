//! Making a swap file, so that it is whole or not there.

use std::time::Duration;

use hostkit_core::kind::Failure;
use hostkit_core::server::{Machine, Order};
use hostkit_core::size::ByteSize;

use super::looks::must;

/// How long some GiB may take on a slow disk that must write them.
const SLOW_DISK: Duration = Duration::from_secs(15 * 60);

/// Makes the file and its signature under another name first: what is at `path` can be used.
pub(super) fn make(machine: &dyn Machine, path: &str, size: ByteSize) -> Result<(), Failure> {
    let new = format!("{path}.new");
    machine.remove(&new)?;
    let made = (|| {
        machine.write(&new, "", 0o600)?;
        // On btrfs a swap file must not be copied on write, which can be said of an empty file only; elsewhere there
        // is no such attribute, and no need for it.
        machine.run(&Order::new("chattr", &["+C", "--", &new]))?;
        let length = size.0.to_string();
        must(
            machine,
            &Order::new("fallocate", &["--length", &length, "--", &new]).time(SLOW_DISK),
            "make a swap file",
        )?;
        must(
            machine,
            &Order::new("mkswap", &["--", &new]).time(SLOW_DISK),
            "make a swap file",
        )?;
        must(
            machine,
            &Order::new("mv", &["--no-target-directory", "--", &new, path]),
            "put the swap file in place",
        )
    })();
    if made.is_err() {
        machine.remove(&new)?;
    }
    made.map(drop)
}

/// Takes it out of use and removes it.
pub(super) fn remove(machine: &dyn Machine, path: &str) -> Result<(), Failure> {
    machine.run(&Order::new("swapoff", &["--", path]).time(SLOW_DISK))?;
    machine.remove(path)
}
