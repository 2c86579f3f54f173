//! Files and folders: whole-file writes that survive a loss of power, links swapped in one step, trees cloned,
//! measured and removed.

mod durable;
mod lock;
mod tree;

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

pub use durable::{sync_file_system, sync_tree};
pub use lock::{Turn, is_locked, try_lock};
pub use tree::{CloneMode, clone_tree, copy_file, folder_size};

/// A name next to `path` that nobody else uses, on the same file system.
fn beside(path: &Path) -> PathBuf {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let unique = NEXT.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!(".{name}.{}.{unique}.tmp", std::process::id()))
}

fn sync_folder_of(path: &Path) -> io::Result<()> {
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

fn write_then_rename(
    path: &Path,
    content: &[u8],
    mode: u32,
    group: Option<u32>,
    durable: bool,
) -> io::Result<()> {
    let temporary = beside(path);
    let written = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temporary)?;
        if group.is_some() {
            fchown(&file, None, group)?;
        }
        // Whatever mask this process has.
        file.set_permissions(Permissions::from_mode(mode))?;
        file.write_all(content)?;
        if durable {
            file.sync_all()?;
        }
        fs::rename(&temporary, path)
    })();
    if written.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    written?;
    if durable { sync_folder_of(path) } else { Ok(()) }
}

/// Replaces a file as a whole: a reader sees the old content or the new, also after a loss of power.
pub fn write_atomic(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    write_then_rename(path, content, mode, None, true)
}

/// The same for a file that a group may read: it is the group's before it has its name.
pub fn write_atomic_for(group: u32, path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    write_then_rename(path, content, mode, Some(group), true)
}

/// Replaces a file as a whole for readers, without waiting for the disk: for state that a restart of the machine
/// makes void anyway.
pub fn replace(path: &Path, content: &[u8], mode: u32) -> io::Result<()> {
    write_then_rename(path, content, mode, None, false)
}

/// Replaces a file by a copy of another, as a whole; the copy says that it is as old as what it was made of.
pub fn copy_atomic(from: &mut File, path: &Path, mode: u32) -> io::Result<()> {
    let temporary = beside(path);
    let copied = (|| {
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&temporary)?;
        io::copy(from, &mut file)?;
        // Whatever the caller's mask is.
        file.set_permissions(fs::Permissions::from_mode(mode))?;
        file.set_modified(from.metadata()?.modified()?)?;
        file.sync_all()?;
        fs::rename(&temporary, path)
    })();
    if copied.is_err() {
        let _ = fs::remove_file(&temporary);
    }
    copied?;
    sync_folder_of(path)
}

/// Points the symbolic link `link` at `target` in one step; there is no moment without a link.
pub fn swap_symlink(link: &Path, target: &Path) -> io::Result<()> {
    let temporary = beside(link);
    std::os::unix::fs::symlink(target, &temporary)?;
    if let Err(e) = fs::rename(&temporary, link) {
        let _ = fs::remove_file(&temporary);
        return Err(e);
    }
    sync_folder_of(link)
}

/// Makes a folder and its parents; those that did not exist get the mode.
pub fn create_folder(path: &Path, mode: u32) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(mode).create(path)
}

/// Removes whatever lies at `path`, also a tree with read-only folders. That there is nothing is no error.
/// A symbolic link is removed, not followed.
pub fn remove_tree(path: &Path) -> io::Result<()> {
    let gone = |e: &io::Error| e.kind() == io::ErrorKind::NotFound;
    match fs::symlink_metadata(path) {
        Err(e) if gone(&e) => return Ok(()),
        Err(e) => return Err(e),
        Ok(meta) if !meta.is_dir() => {
            return fs::remove_file(path).or_else(|e| if gone(&e) { Ok(()) } else { Err(e) });
        }
        Ok(_) => {}
    }
    match fs::remove_dir_all(path) {
        // Root needs no right of its own, and must not change modes where somebody else may put links.
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied && !nix::unistd::geteuid().is_root() => {
            tree::make_folders_writable(path)?;
            fs::remove_dir_all(path)
        }
        Err(e) if gone(&e) => Ok(()),
        done => done,
    }
}

/// Bytes that may still be written to the file system `path` lies on.
pub fn free_space(path: &Path) -> io::Result<u64> {
    let facts = nix::sys::statvfs::statvfs(path)?;
    Ok(facts.blocks_available() as u64 * facts.fragment_size() as u64)
}

#[cfg(test)]
mod tests;
