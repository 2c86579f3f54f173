//! Installed dependencies, kept by what they were installed from. A set counts only when it is complete: it is made
//! under another name and renamed. The sets used last are kept.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hostkit_core::kind::Failure;
use hostkit_host::files::{CloneMode, clone_tree, create_folder, remove_tree};

use crate::blocking::cannot;

/// How many sets of one kind a project keeps.
const KEPT: usize = 5;
/// How unfinished sets are called.
const UNFINISHED: &str = ".unfinished-";
/// Folders below `node_modules` that tools write generated code and caches to, in place: never shared.
const WRITTEN_TO: [&str; 4] = [".prisma", ".cache", ".vite", ".vite-temp"];

/// The sets of one kind of one project.
#[derive(Debug, Clone)]
pub(crate) struct DependencySets {
    folder: PathBuf,
}

impl DependencySets {
    pub(crate) fn new(cache: &Path, kind: &str) -> Self {
        DependencySets {
            folder: cache.join("sets").join(kind),
        }
    }

    /// The complete set with this key. It counts as used now.
    pub(crate) fn find(&self, key: &str) -> Option<PathBuf> {
        let set = self.folder.join(key);
        let found = fs::symlink_metadata(&set).ok()?;
        // Best effort: a set that looks older than it is may be removed early, and is then made again.
        let _ = fs::File::open(&set).and_then(|folder| folder.set_modified(SystemTime::now()));
        found.is_dir().then_some(set)
    }

    /// A new empty folder to make a set in.
    pub(crate) fn begin(&self) -> Result<tempfile::TempDir, Failure> {
        create_folder(&self.folder, 0o700).map_err(cannot("create", &self.folder))?;
        tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempdir_in(&self.folder)
            .map_err(cannot("create a folder in", &self.folder))
    }

    /// Names a finished set and removes the ones not used for longest. Somebody who made the same one first wins.
    pub(crate) fn finish(&self, made: tempfile::TempDir, key: &str) -> Result<PathBuf, Failure> {
        let set = self.folder.join(key);
        match fs::rename(made.path(), &set) {
            Ok(()) => drop(made.keep()),
            Err(_) if set.is_dir() => {}
            Err(why) => return Err(cannot("keep the dependencies in", &set)(why)),
        }
        let _ = fs::File::open(&set).and_then(|folder| folder.set_modified(SystemTime::now()));
        self.forget_old().map_err(cannot("read", &self.folder))?;
        Ok(set)
    }

    fn forget_old(&self) -> io::Result<()> {
        let mut sets = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let Ok(used) = entry.metadata().and_then(|found| found.modified()) else {
                continue;
            };
            let unfinished = entry.file_name().to_string_lossy().starts_with(UNFINISHED);
            let abandoned = used.elapsed().is_ok_and(|age| age.as_secs() > 24 * 3600);
            match unfinished {
                true if abandoned => remove_tree(&entry.path())?,
                true => {}
                false => sets.push((used, entry.path())),
            }
        }
        sets.sort();
        let surplus = sets.len().saturating_sub(KEPT);
        sets[..surplus].iter().try_for_each(|(_, set)| remove_tree(set))
    }
}

/// Clones a folder of dependencies for a release: hard links, except for what tools are known to write in place.
pub(crate) fn clone_dependencies(from: &Path, to: &Path) -> io::Result<u64> {
    let bytes = clone_tree(from, to, CloneMode::HardLink)?;
    for name in WRITTEN_TO {
        let shared = to.join(name);
        if shared.is_dir() {
            remove_tree(&shared)?;
            clone_tree(&from.join(name), &shared, CloneMode::Copy)?;
        }
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn make(sets: &DependencySets, key: &str) -> PathBuf {
        let made = sets.begin().unwrap();
        fs::write(made.path().join("file"), key).unwrap();
        sets.finish(made, key).unwrap()
    }

    #[test]
    fn sets_count_when_finished_and_the_last_used_stay() {
        let cache = tempfile::tempdir().unwrap();
        let sets = DependencySets::new(cache.path(), "node");
        let unfinished = sets.begin().unwrap();
        fs::write(unfinished.path().join("file"), "half").unwrap();
        assert!(sets.find("a").is_none());
        make(&sets, "a");
        for key in ["b", "c", "d", "e"] {
            make(&sets, key);
            assert!(sets.find("a").is_some());
        }
        make(&sets, "f");
        assert!(sets.find("a").is_some(), "used after b");
        assert!(sets.find("b").is_none());
        assert!(unfinished.path().exists(), "somebody is at work there");
        make(&sets, "a");
    }

    #[test]
    fn generated_code_is_not_shared_between_releases() {
        let folder = tempfile::tempdir().unwrap();
        let from = folder.path().join("from");
        for file in [".prisma/client/index.js", "left-pad/index.js"] {
            fs::create_dir_all(from.join(file).parent().unwrap()).unwrap();
            fs::write(from.join(file), "x").unwrap();
        }
        let to = folder.path().join("to");
        clone_dependencies(&from, &to).unwrap();
        let same = |file: &str| {
            fs::metadata(from.join(file)).unwrap().ino() == fs::metadata(to.join(file)).unwrap().ino()
        };
        assert!(same("left-pad/index.js"));
        assert!(!same(".prisma/client/index.js"));
    }
}
