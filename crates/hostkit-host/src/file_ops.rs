//! The disk as the engine sees it ([`Files`]), on the real one.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;

use hostkit_core::traits::Files;

use crate::files::{self, CloneMode};

/// The real disk.
#[derive(Debug, Clone, Copy)]
pub struct DiskFiles {
    clones: CloneMode,
}

impl Default for DiskFiles {
    /// Clones share their files, which nobody changes in place.
    fn default() -> Self {
        DiskFiles {
            clones: CloneMode::HardLink,
        }
    }
}

impl DiskFiles {
    /// Clones have files of their own: where they are given to somebody else than what they were made from.
    pub fn with_copies() -> Self {
        DiskFiles {
            clones: CloneMode::Copy,
        }
    }
}

/// What `default` is where nothing is there.
fn unless_gone<T>(result: io::Result<T>, default: T) -> io::Result<T> {
    match result {
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(default),
        other => other,
    }
}

impl Files for DiskFiles {
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let there = path
            .ancestors()
            .find(|folder| folder.exists())
            .unwrap_or(Path::new("/"));
        files::free_space(there)
    }

    fn exists(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok()
    }

    fn is_folder(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
    }

    fn create_folder(&self, path: &Path) -> io::Result<()> {
        files::create_folder(path, 0o700)
    }

    fn names(&self, folder: &Path) -> io::Result<Vec<String>> {
        let Some(entries) = unless_gone(fs::read_dir(folder).map(Some), None)? else {
            return Ok(Vec::new());
        };
        let mut names = entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<Vec<String>>>()?;
        names.sort_unstable();
        Ok(names)
    }

    fn read_at(&self, path: &Path, offset: u64, limit: usize) -> io::Result<Vec<u8>> {
        let Some(file) = unless_gone(File::open(path).map(Some), None)? else {
            return Ok(Vec::new());
        };
        let rest = file.metadata()?.len().saturating_sub(offset);
        let mut bytes = vec![0; usize::try_from(rest).unwrap_or(usize::MAX).min(limit)];
        let mut filled = 0;
        while filled < bytes.len() {
            match file.read_at(&mut bytes[filled..], offset + filled as u64)? {
                0 => break,
                read => filled += read,
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn write_private(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        files::write_atomic(path, bytes, 0o600)
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn Write + Send>> {
        if let Some(folder) = path.parent() {
            files::create_folder(folder, 0o700)?;
        }
        Ok(Box::new(
            OpenOptions::new()
                .create(true)
                .append(true)
                .mode(0o600)
                .open(path)?,
        ))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn point_link(&self, link: &Path, target: &Path) -> io::Result<()> {
        files::swap_symlink(link, target)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        files::remove_tree(path)
    }

    fn clone_tree(&self, from: &Path, to: &Path) -> io::Result<()> {
        files::clone_tree(from, to, self.clones).map(drop)
    }

    fn size(&self, path: &Path) -> io::Result<u64> {
        files::folder_size(path)
    }

    fn sync_tree(&self, path: &Path) -> io::Result<()> {
        files::sync_tree(path)
    }
}
