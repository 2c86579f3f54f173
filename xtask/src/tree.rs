//! The files of the repository: what git would track, read as text.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use ignore::WalkBuilder;

/// A text file of the repository.
#[derive(Debug)]
pub(crate) struct TextFile {
    /// From the repository's root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl TextFile {
    pub(crate) fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or(&self.path)
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether all of it is test code.
    pub(crate) fn is_test(&self) -> bool {
        self.name() == "tests.rs"
            || self.path.split('/').any(|part| part == "tests")
            || self.path.starts_with("crates/hostkit-testkit/")
    }
}

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here).to_path_buf()
}

/// Every text file that is not ignored, in the order of their paths.
pub(crate) fn text_files() -> Result<Vec<TextFile>> {
    let root = root();
    let mut files = Vec::new();
    let walk = WalkBuilder::new(&root)
        .hidden(false)
        .require_git(false)
        .filter_entry(|entry| entry.file_name() != ".git")
        .build();
    for entry in walk {
        let entry = entry?;
        if !entry.file_type().is_some_and(|kind| kind.is_file()) {
            continue;
        }
        let bytes = std::fs::read(entry.path())
            .with_context(|| format!("cannot read `{}`", entry.path().display()))?;
        let (Ok(text), Ok(path)) = (String::from_utf8(bytes), entry.path().strip_prefix(&root)) else {
            continue;
        };
        files.push(TextFile {
            path: path.to_string_lossy().into_owned(),
            text,
        });
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(files)
}
