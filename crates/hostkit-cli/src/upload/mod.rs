//! A folder into a list of files with hashes, and the contents the server misses into a stream.

mod cache;
mod hash;
mod limits;
mod links;
mod pack;
mod scan;

use std::path::{Path, PathBuf};

use hostkit_core::kind::Failure;
use hostkit_core::names::RelativePath;
use hostkit_core::source::{ContentHash, SourceContent, SourceFile, SourceLimits};

pub(crate) use pack::{Packed, Packing, pack};
pub(crate) use scan::{read_failure, reason};

/// A folder, read: what is to be deployed.
#[derive(Debug)]
pub(crate) struct Tree {
    /// The folder, absolute.
    pub(crate) root: PathBuf,
    /// Its entries, sorted by path.
    pub(crate) files: Vec<SourceFile>,
    /// Bytes of all files.
    pub(crate) bytes: u64,
    /// How many files had to be read because the stat cache did not know them.
    pub(crate) hashed: usize,
    /// Things left out that are neither file nor link, such as sockets.
    pub(crate) skipped: Vec<String>,
}

impl Tree {
    /// The size of one content, where this tree has it.
    pub(crate) fn sizes(&self) -> impl Iterator<Item = (&ContentHash, u64)> {
        self.files.iter().filter_map(|file| match &file.content {
            SourceContent::File { hash, size, .. } => Some((hash, *size)),
            SourceContent::Link { .. } => None,
        })
    }
}

/// The files a deploy of a folder would send, with their sizes, sorted by path. None is read.
pub(crate) fn names(root: &Path) -> Result<Vec<(RelativePath, u64)>, Failure> {
    let entries = scan::scan(root)?.entries.into_iter();
    Ok(entries
        .filter_map(|entry| match entry.what {
            scan::Found::File { stat, .. } => Some((entry.path, stat.size)),
            scan::Found::Link { .. } => None,
        })
        .collect())
}

/// Reads a folder: leaves out what is ignored, checks the limits, hashes what the stat cache below `cache` does not know.
pub(crate) fn read(root: &Path, cache: Option<&Path>, limits: SourceLimits) -> Result<Tree, Failure> {
    let found = scan::scan(root)?;
    limits::check(root, &found, limits)?;
    let mut known = cache
        .map(|folder| cache::StatCache::open(folder, root))
        .unwrap_or_default();
    let (files, hashed) = hash::hash(root, found.entries, &known)?;
    let bytes = files
        .iter()
        .map(|(_, stat)| stat.as_ref().map_or(0, |s| s.size))
        .sum();
    known.save(&files, hashed);
    Ok(Tree {
        root: root.to_owned(),
        files: files.into_iter().map(|(file, _)| file).collect(),
        bytes,
        hashed,
        skipped: found.skipped,
    })
}

#[cfg(test)]
mod tests;
