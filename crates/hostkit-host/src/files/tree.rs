//! Whole folder trees.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// How the files of a tree are cloned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CloneMode {
    /// Every file gets bytes of its own (shared blocks where the file system can).
    Copy,
    /// Files are hard links to the originals, where both lie on one file system: for files nobody changes in place.
    HardLink,
}

/// Clones the tree `from` to `to`, which must not exist: folders, files with mode and time, links as they are.
/// The result is the number of bytes of all files.
pub fn clone_tree(from: &Path, to: &Path, mode: CloneMode) -> io::Result<u64> {
    fs::create_dir(to)?;
    let mut bytes = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target) = (entry.path(), to.join(entry.file_name()));
        let kind = entry.file_type()?;
        if kind.is_dir() {
            bytes += clone_tree(&source, &target, mode)?;
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
        } else if kind.is_file() {
            bytes += match mode {
                CloneMode::Copy => copy_file(&source, &target)?,
                CloneMode::HardLink => link_file(&source, &target)?,
            };
        }
        // Sockets, pipes and devices are leftovers of programs: not part of a tree.
    }
    let meta = fs::metadata(from)?;
    fs::set_permissions(to, Permissions::from_mode(meta.mode() & 0o777))?;
    Ok(bytes)
}

/// Files up to this size are copied through memory.
const SMALL: u64 = 256 * 1024;

/// Copies a file, which must not exist yet, with mode and time; the result is its number of bytes.
///
/// The kernel shares the blocks of large files in `copy_file_range`, which `io::copy` uses, wherever the file system
/// can. For small ones that costs more than it saves: what was just written goes to the disk first. The time is kept
/// because caches (Python's, make's) go by it.
pub fn copy_file(from: &Path, to: &Path) -> io::Result<u64> {
    let mut source = File::open(from)?;
    let meta = source.metadata()?;
    let mut target = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(meta.mode() & 0o777)
        .open(to)?;
    let bytes = if meta.len() <= SMALL {
        let mut content = Vec::with_capacity(meta.len() as usize + 1);
        source.read_to_end(&mut content)?;
        target.write_all(&content)?;
        content.len() as u64
    } else {
        io::copy(&mut source, &mut target)?
    };
    target.set_modified(meta.modified()?)?;
    Ok(bytes)
}

fn link_file(from: &Path, to: &Path) -> io::Result<u64> {
    match fs::hard_link(from, to) {
        Ok(()) => Ok(fs::symlink_metadata(to)?.len()),
        // Another file system, too many links, or a kernel that protects files of others.
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists && e.kind() != io::ErrorKind::NotFound => {
            copy_file(from, to)
        }
        Err(e) => Err(e),
    }
}

/// Bytes of all files below `path`; 0 where nothing is.
pub fn folder_size(path: &Path) -> io::Result<u64> {
    let entries = match fs::read_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut bytes = 0;
    for entry in entries {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() {
            bytes += folder_size(&entry.path())?;
        } else if kind.is_file() {
            // A file may go away while the tree is walked.
            bytes += entry.metadata().map(|m| m.len()).unwrap_or(0);
        }
    }
    Ok(bytes)
}

/// Gives the owner the right to change every folder below `path`.
pub(super) fn make_folders_writable(path: &Path) -> io::Result<()> {
    let mode = fs::metadata(path)?.mode();
    fs::set_permissions(path, Permissions::from_mode(mode & 0o777 | 0o700))?;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            make_folders_writable(&entry.path())?;
        }
    }
    Ok(())
}
