//! Bringing to the disk what a loss of power must not take.
//!
//! `syncfs` waits for everything that anybody wrote to a file system: a neighbour's gigabytes as well. So a tree is
//! written out file by file, and the file system's journal, which holds the names and sizes, once: where it is in order
//! (ext4, XFS), what was entered before a file that was brought to the disk is there too. Git writes its packs so
//! (`core.fsyncMethod=batch`).

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::libc;
use rustix::fs::{FsWord, OFlags, fstatfs, syncfs};

use super::beside;

/// File systems whose journal is in order, by their magic numbers (`linux/magic.h`): ext4, XFS.
const ORDERED: [FsWord; 2] = [0xEF53, 0x5846_5342];

/// Waits until the whole tree in the folder `root` is on the disk, its name included; nobody may write to it meanwhile.
/// Links are not followed.
pub fn sync_tree(root: &Path) -> io::Result<()> {
    let folder = File::open(root)?;
    let is_ordered = ORDERED.contains(&fstatfs(&folder)?.f_type);
    // What cannot be read or written to, maybe a folder that was made read-only, leaves the long way.
    match is_ordered && write_out(root).and_then(|()| write_journal(root)).is_ok() {
        true => Ok(()),
        false => Ok(syncfs(folder)?),
    }
}

/// Waits until everything that was written so far to the file system `path` lies on is on the disk.
pub fn sync_file_system(path: &Path) -> io::Result<()> {
    Ok(syncfs(File::open(path)?)?)
}

/// Brings a new file to the disk, and with it everything that was entered into the journal before.
fn write_journal(folder: &Path) -> io::Result<()> {
    let last = beside(&folder.join("last"));
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&last)?;
    let synced = file.sync_all();
    fs::remove_file(&last)?;
    synced
}

/// Writes out the content of every file below a folder: all are begun before the first is waited for.
fn write_out(root: &Path) -> io::Result<()> {
    each_file(root, libc::SYNC_FILE_RANGE_WRITE)?;
    let whole =
        libc::SYNC_FILE_RANGE_WAIT_BEFORE | libc::SYNC_FILE_RANGE_WRITE | libc::SYNC_FILE_RANGE_WAIT_AFTER;
    each_file(root, whole)
}

fn each_file(path: &Path, how: libc::c_uint) -> io::Result<()> {
    let kind = fs::symlink_metadata(path)?.file_type();
    if kind.is_dir() {
        return fs::read_dir(path)?.try_for_each(|entry| each_file(&entry?.path(), how));
    }
    if !kind.is_file() {
        return Ok(());
    }
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(flags.bits().cast_signed())
        .open(path)?;
    sync_file_range(&file, how)
}

#[allow(unsafe_code)]
fn sync_file_range(file: &File, how: libc::c_uint) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as `file` is borrowed, and no memory is handed over.
    match unsafe { libc::sync_file_range(file.as_raw_fd(), 0, 0, how) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}
