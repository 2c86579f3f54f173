//! Acts of root below folders that somebody else may write to.
//!
//! A path is looked up anew at every call, and whoever can write to one of its folders can swap a part of it for a link
//! in between. So a [`Folder`] is an open file, everything is named relative to one, by a single name, and the kernel
//! is told to follow no link and to stay below. What is at a name is judged after it was opened, never before.

mod exchange;
mod file;
mod folder;
mod give;
mod grant;
mod pack;
mod remove;
mod rights;
mod unpack;

use std::io;
use std::path::Path;

use hostkit_core::kind::{Failure, Kind};

pub use file::Staged;
pub use folder::Folder;
pub(crate) use pack::{Missing, Packed, Volume};
pub use rights::Rights;

fn failure(verb: &str, path: &Path, why: &io::Error) -> Failure {
    use rustix::io::Errno;
    let place = path.display();
    let (kind, why) = match Errno::from_io_error(why) {
        Some(Errno::LOOP) => (Kind::Conflict, "it is a symbolic link".to_owned()),
        Some(Errno::NOTDIR) => (Kind::Conflict, "it is not a folder".to_owned()),
        Some(Errno::ISDIR) => (Kind::Conflict, "it is a folder".to_owned()),
        Some(Errno::XDEV) => (Kind::Conflict, "another file system is mounted there".to_owned()),
        Some(Errno::NOSPC | Errno::DQUOT) => (Kind::Unavailable, "the disk is full".to_owned()),
        Some(Errno::PERM | Errno::ACCESS) => (Kind::Denied, why.to_string()),
        Some(Errno::NOENT) => (Kind::NotFound, "it does not exist".to_owned()),
        _ => (Kind::Internal, why.to_string()),
    };
    let failure = Failure::new(kind, format!("cannot {verb} `{place}`: {why}"));
    match kind {
        Kind::Conflict => failure.hint(format!("ls -ld {place}")),
        Kind::Unavailable => failure.hint(format!("df -h {place}")),
        Kind::Denied => failure.hint("run it as root"),
        _ => failure,
    }
}

#[cfg(test)]
mod tests;
