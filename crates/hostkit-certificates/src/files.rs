//! Files of our own, which nobody else may read: written whole or not at all, read without following links.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

use rustix::fs::OFlags;

/// What new files and folders are called until they take their place; no name begins so.
pub(crate) const UNFINISHED: &str = ".new-";

/// Writes a file that only its owner may read, in the place of the one before.
pub(crate) fn write_file(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("/"));
    make_folder(folder)?;
    let mut new = tempfile::Builder::new().prefix(UNFINISHED).tempfile_in(folder)?;
    new.write_all(content)?;
    new.as_file().sync_all()?;
    new.persist(path).map_err(|why| why.error)?;
    sync_folder(folder)
}

/// Reads a file that is one, and no longer than that.
pub(crate) fn read_file(path: &Path, longest: usize) -> std::io::Result<Vec<u8>> {
    // Opening neither follows a link nor waits for whoever writes into a pipe.
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
    let flags = i32::try_from(flags).map_err(std::io::Error::other)?;
    let file = OpenOptions::new().read(true).custom_flags(flags).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(std::io::Error::other("it is no file"));
    }
    let mut content = Vec::new();
    file.take(longest as u64 + 1).read_to_end(&mut content)?;
    match content.len() > longest {
        true => Err(std::io::Error::other(format!(
            "it is longer than {} KB",
            longest >> 10
        ))),
        false => Ok(content),
    }
}

/// A folder that only its owner may enter, with those above it.
pub(crate) fn make_folder(path: &Path) -> std::io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A file that only its owner may read.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Has the names of a folder written.
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    std::fs::File::open(path)?.sync_all()
}
