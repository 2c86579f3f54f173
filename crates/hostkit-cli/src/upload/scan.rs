//! Walks a folder, several threads at once, and keeps what is not ignored.

use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::RelativePath;
use ignore::{DirEntry, WalkBuilder, WalkState};

use super::links;

/// Files and folders that never leave the machine: made anew by the build, or somebody's history.
const ALWAYS_LEFT_OUT: [&str; 8] = [
    ".git",
    "node_modules",
    ".venv",
    "venv",
    "__pycache__",
    ".next",
    ".hostkit",
    ".DS_Store",
];

/// What decides whether a file is the one that was hashed before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    pub(super) size: u64,
    pub(super) mtime_ns: i128,
    pub(super) ctime_ns: i128,
    pub(super) inode: u64,
}

/// One entry, not yet hashed.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) path: RelativePath,
    pub(super) what: Found,
}

#[derive(Debug)]
pub(super) enum Found {
    File { stat: Stat, executable: bool },
    Link { target: String },
}

/// Everything a walk brought.
#[derive(Debug, Default)]
pub(super) struct Walked {
    /// Sorted by path.
    pub(super) entries: Vec<Entry>,
    /// Neither file, folder nor link.
    pub(super) skipped: Vec<String>,
}

enum Step {
    Entry(Entry),
    Skipped(String),
    Failed(Failure),
}

pub(super) fn scan(root: &Path) -> Result<Walked, Failure> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get().min(8));
    let (sender, receiver) = mpsc::channel();
    let root_owned = root.to_owned();
    WalkBuilder::new(root)
        .hidden(false)
        .ignore(false)
        .git_global(false)
        .require_git(false)
        // Rules from above the folder count where git would use them too, not where a stray file lies in `~`.
        .parents(is_inside_repository(root))
        .add_custom_ignore_filename(".hostkitignore")
        .follow_links(false)
        .filter_entry(|entry| entry.depth() == 0 || !is_left_out(entry))
        .threads(threads)
        .build_parallel()
        .run(|| {
            let sender = sender.clone();
            let root = &root_owned;
            Box::new(move |found| match look(root, found) {
                None => WalkState::Continue,
                Some(step) => {
                    let failed = matches!(step, Step::Failed(_));
                    match sender.send(step) {
                        Ok(()) if !failed => WalkState::Continue,
                        _ => WalkState::Quit,
                    }
                }
            })
        });
    drop(sender);
    let mut walked = Walked::default();
    for step in receiver {
        match step {
            Step::Entry(entry) => walked.entries.push(entry),
            Step::Skipped(path) => walked.skipped.push(path),
            Step::Failed(failure) => return Err(failure),
        }
    }
    walked.entries.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    walked.skipped.sort_unstable();
    Ok(walked)
}

fn is_left_out(entry: &DirEntry) -> bool {
    entry
        .file_name()
        .to_str()
        .is_some_and(|name| ALWAYS_LEFT_OUT.contains(&name))
}

fn is_inside_repository(root: &Path) -> bool {
    root.ancestors().any(|folder| folder.join(".git").exists())
}

fn look(root: &Path, found: Result<DirEntry, ignore::Error>) -> Option<Step> {
    let entry = match found {
        Ok(entry) => entry,
        Err(error) => return Some(Step::Failed(unreadable(root, &error))),
    };
    let kind = entry.file_type()?;
    if kind.is_dir() {
        return None;
    }
    let below = entry.path().strip_prefix(root).ok()?;
    Some(describe(entry.path(), below, kind).unwrap_or_else(Step::Failed))
}

fn describe(full: &Path, below: &Path, kind: std::fs::FileType) -> Result<Step, Failure> {
    let text = below.to_str().ok_or_else(|| {
        Failure::new(
            Kind::Invalid,
            format!("cannot upload `{}`: its name is not UTF-8", below.display()),
        )
        .hint("rename it, or name it in .hostkitignore")
    })?;
    if kind.is_socket() || kind.is_fifo() || kind.is_block_device() || kind.is_char_device() {
        return Ok(Step::Skipped(text.to_owned()));
    }
    let path = RelativePath::parse(text).map_err(|error| {
        Failure::new(Kind::Invalid, format!("cannot upload `{text}`: {}", error.rule))
            .hint("rename it, or name it in .hostkitignore")
    })?;
    if kind.is_symlink() {
        let target = std::fs::read_link(full).map_err(|error| read_failure(text, &error))?;
        let target = links::check(&path, &target)?;
        return Ok(Step::Entry(Entry {
            path,
            what: Found::Link { target },
        }));
    }
    let metadata = std::fs::symlink_metadata(full).map_err(|error| read_failure(text, &error))?;
    let stat = stat(&metadata);
    let executable = metadata.permissions().mode() & 0o100 != 0;
    Ok(Step::Entry(Entry {
        path,
        what: Found::File { stat, executable },
    }))
}

/// What is remembered of a file.
pub(super) fn stat(metadata: &std::fs::Metadata) -> Stat {
    let nanoseconds = |seconds: i64, rest: i64| i128::from(seconds) * 1_000_000_000 + i128::from(rest);
    Stat {
        size: metadata.len(),
        mtime_ns: nanoseconds(metadata.mtime(), metadata.mtime_nsec()),
        ctime_ns: nanoseconds(metadata.ctime(), metadata.ctime_nsec()),
        inode: metadata.ino(),
    }
}

/// Why a file could not be read, by name.
pub(crate) fn read_failure(path: &str, error: &std::io::Error) -> Failure {
    Failure::new(Kind::Invalid, format!("cannot read `{path}`: {}", reason(error)))
        .hint("make it readable, or name it in .hostkitignore")
}

/// The system's reason without its number.
pub(crate) fn reason(error: &std::io::Error) -> String {
    let text = error.to_string().to_lowercase();
    match text.split_once(" (os error") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

fn unreadable(root: &Path, error: &ignore::Error) -> Failure {
    let path = path_of(error).unwrap_or_else(|| root.to_owned());
    let shown = match path.strip_prefix(root) {
        Ok(below) if below != Path::new("") => below.display().to_string(),
        _ => path.display().to_string(),
    };
    match error.io_error() {
        Some(io) => read_failure(&shown, io),
        None => Failure::new(Kind::Invalid, format!("cannot read `{shown}`: {error}")),
    }
}

fn path_of(error: &ignore::Error) -> Option<PathBuf> {
    match error {
        ignore::Error::WithPath { path, .. } => Some(path.clone()),
        ignore::Error::WithDepth { err, .. } | ignore::Error::WithLineNumber { err, .. } => path_of(err),
        ignore::Error::Partial(errors) => errors.iter().find_map(path_of),
        _ => None,
    }
}
