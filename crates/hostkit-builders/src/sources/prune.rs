//! Removing what no kept tree names.

use std::collections::HashSet;
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::path::Path;

use hostkit_core::kind::Failure;
use hostkit_core::source::{SourceContent, SourceId};

use super::ProjectSources;
use super::content::{age, entries};
use super::unpack::STAGING_PREFIX;
use crate::blocking::cannot;

impl ProjectSources {
    /// Removes trees not in `keep`, contents that no remaining tree names, and what a killed upload left. Things
    /// younger than the grace stay. A list that cannot be read stops the act: its contents would be lost.
    pub(super) fn prune(&self, keep: &[SourceId]) -> Result<u64, Failure> {
        let mut freed = 0;
        let mut named = HashSet::new();
        for path in entries(&self.lists).map_err(cannot("read", &self.lists))? {
            let Some(found) = present(&path).map_err(cannot("read", &path))? else {
                continue;
            };
            let fresh = age(&found) < self.grace;
            match listed_tree(&path) {
                Some(id) if fresh || keep.contains(&id) => {
                    named.extend(self.list(&id)?.into_iter().filter_map(|file| match file.content {
                        SourceContent::File { hash, .. } => Some(hash),
                        SourceContent::Link { .. } => None,
                    }));
                }
                _ if fresh => {}
                Some(_) => freed += remove(&path, &found)?,
                None if is_leftover(&path) => freed += remove(&path, &found)?,
                None => {}
            }
        }
        for (hash, size, age) in self.contents.all().map_err(cannot("read", &self.lists))? {
            if age >= self.grace && !named.contains(&hash) {
                let path = self.contents.path(&hash);
                fs::remove_file(&path).map_err(cannot("remove", &path))?;
                freed += size;
            }
        }
        Ok(freed)
    }
}

/// The tree a list file names, by its file name.
fn listed_tree(path: &Path) -> Option<SourceId> {
    let name = path.file_name().and_then(OsStr::to_str)?;
    SourceId::parse(name.strip_suffix(".json")?)
}

/// Whether this is our own scratch: a folder an archive was unpacked into, or a list that was not finished.
fn is_leftover(path: &Path) -> bool {
    let name = path.file_name().and_then(OsStr::to_str).unwrap_or_default();
    name.starts_with(STAGING_PREFIX) || name.starts_with(".tmp")
}

fn present(path: &Path) -> io::Result<Option<fs::Metadata>> {
    match fs::symlink_metadata(path) {
        Ok(found) => Ok(Some(found)),
        Err(gone) if gone.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(why) => Err(why),
    }
}

fn remove(path: &Path, found: &fs::Metadata) -> Result<u64, Failure> {
    if found.is_dir() {
        fs::remove_dir_all(path).map_err(cannot("remove", path))?;
    } else {
        fs::remove_file(path).map_err(cannot("remove", path))?;
    }
    Ok(found.len())
}
