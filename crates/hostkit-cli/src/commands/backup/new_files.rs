//! The files that a download writes: one, or one for each dump of a large database, beside each other.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use hostkit_core::kind::{Failure, Kind};

use crate::upload::reason;

/// New files that only their owner can read.
pub(super) struct NewFiles(Vec<(PathBuf, File)>);

impl NewFiles {
    /// With the first, which must not be there.
    pub(super) fn new(first: &Path) -> Result<Self, Failure> {
        let mut files = NewFiles(Vec::new());
        files.add(first.to_owned())?;
        Ok(files)
    }

    fn add(&mut self, path: PathBuf) -> Result<(), Failure> {
        let mut open = OpenOptions::new();
        let open = open.write(true).create_new(true).mode(0o600).open(&path);
        let file = open.map_err(|why| cannot(&path, &why))?;
        self.0.push((path, file));
        Ok(())
    }

    /// Writes into the file of a number, counted from 0. It is made with those before it.
    pub(super) fn write(&mut self, number: usize, bytes: &[u8]) -> Result<(), Failure> {
        while let (true, Some((first, _))) = (self.0.len() <= number, self.0.first()) {
            let path = beside(first, self.0.len() + 1);
            self.add(path)?;
        }
        match self.0.get_mut(number) {
            Some((path, file)) => file.write_all(bytes).map_err(|why| cannot(path, &why)),
            None => Ok(()),
        }
    }

    /// What they are called.
    pub(super) fn names(&self) -> Vec<String> {
        let paths = self.0.iter().map(|(path, _)| path);
        paths.map(|path| path.display().to_string()).collect()
    }

    /// Removes them: a half would look like the whole.
    pub(super) fn remove(self) {
        for (path, _) in self.0 {
            let _ = std::fs::remove_file(path);
        }
    }
}

/// `shop-2.dump` beside `shop.dump`.
fn beside(first: &Path, number: usize) -> PathBuf {
    let mut name = OsString::from(first.file_stem().unwrap_or_default());
    name.push(format!("-{number}"));
    if let Some(extension) = first.extension() {
        name.push(".");
        name.push(extension);
    }
    first.with_file_name(name)
}

fn cannot(path: &Path, why: &std::io::Error) -> Failure {
    Failure::new(
        Kind::Invalid,
        format!("cannot write `{}`: {}", path.display(), reason(why)),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_are_made_beside_the_first_and_never_over_what_is_there() {
        let folder = tempfile::tempdir().unwrap();
        let first = folder.path().join("shop.dump");
        let mut files = NewFiles::new(&first).unwrap();
        files.write(2, b"three").unwrap();
        files.write(0, b"one").unwrap();
        let read = |name: &str| std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(
            (read("shop.dump"), read("shop-2.dump"), read("shop-3.dump")),
            ("one".into(), String::new(), "three".into())
        );
        std::fs::write(folder.path().join("shop-4.dump"), "mine").unwrap();
        let refused = files.write(3, b"four").unwrap_err();
        assert!(refused.message.contains("shop-4.dump"), "{refused}");
        files.remove();
        let left: Vec<_> = std::fs::read_dir(folder.path()).unwrap().collect();
        assert_eq!((left.len(), read("shop-4.dump")), (1, "mine".into()));
        assert_eq!(beside(Path::new("a.b/shop"), 2), Path::new("a.b/shop-2"));
    }
}
