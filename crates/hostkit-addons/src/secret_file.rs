//! Files with secrets that our own servers read.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;
use nix::unistd::{getegid, geteuid};

/// The longest that is read, in bytes.
const LONGEST: u64 = 16 << 20;

/// Reads a file that nobody else may read or write; one that others may is refused ([`Kind::Invalid`]). On a server it is
/// root's, and the group of the account that reads it may, too.
pub(crate) fn read(path: &Path) -> Result<Secret, Failure> {
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::new(Kind::Invalid, format!("cannot read `{}`: {why}", path.display()))
    };
    let mut file = File::open(path).map_err(|why| cannot(&why))?;
    let found = file.metadata().map_err(|why| cannot(&why))?;
    let (us, our_group) = (geteuid(), getegid());
    let is_shown_to_us = found.uid() != us.as_raw() && found.gid() == our_group.as_raw();
    let refused = match us.is_root() || is_shown_to_us {
        true => 0o037,
        false => 0o077,
    };
    if found.mode() & refused != 0 {
        let failure = cannot(&"others may read or write it, and it has secrets");
        return Err(failure.hint(format!("chmod 600 {}", path.display())));
    }
    let mut text = String::new();
    file.by_ref()
        .take(LONGEST)
        .read_to_string(&mut text)
        .map_err(|why| cannot(&why))?;
    Ok(Secret::new(text))
}
