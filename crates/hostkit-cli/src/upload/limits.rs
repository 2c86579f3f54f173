//! What is too much to send is refused before anything is read, and the heaviest folders are named.

use std::collections::BTreeMap;
use std::path::Path;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::size::ByteSize;
use hostkit_core::source::SourceLimits;

use super::scan::{Found, Walked};

pub(super) fn check(root: &Path, found: &Walked, limits: SourceLimits) -> Result<(), Failure> {
    let shown = root.display();
    let files = found.entries.len();
    if files == 0 {
        return Err(Failure::new(
            Kind::Invalid,
            format!("cannot deploy `{shown}`: there is no file in it that is not ignored"),
        )
        .hint("name another folder: `hostkit deploy PATH`"));
    }
    let bytes: u64 = found.entries.iter().map(|entry| size(&entry.what)).sum();
    let why = if bytes > limits.bytes {
        format!(
            "it has {}, at most {} are taken",
            ByteSize(bytes),
            ByteSize(limits.bytes)
        )
    } else if files > limits.files {
        format!("it has {files} files, at most {} are taken", limits.files)
    } else {
        return Ok(());
    };
    Err(
        Failure::new(Kind::TooLarge, format!("cannot deploy `{shown}`: {why}"))
            .details(heaviest(found))
            .hint("name what the app does not need in .hostkitignore (written like .gitignore)"),
    )
}

fn size(what: &Found) -> u64 {
    match what {
        Found::File { stat, .. } => stat.size,
        Found::Link { .. } => 0,
    }
}

/// The five folders with the most in them, two levels deep at most.
fn heaviest(found: &Walked) -> Vec<String> {
    let mut folders: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for entry in &found.entries {
        let parts: Vec<&str> = entry.path.as_str().split('/').collect();
        let folder = match parts.as_slice() {
            [name] => (*name).to_owned(),
            [folder, _] => format!("{folder}/"),
            [first, second, ..] => format!("{first}/{second}/"),
            [] => continue,
        };
        let sum = folders.entry(folder).or_default();
        sum.0 += size(&entry.what);
        sum.1 += 1;
    }
    let mut folders: Vec<_> = folders.into_iter().collect();
    folders.sort_by_key(|(_, (bytes, files))| std::cmp::Reverse((*bytes, *files)));
    folders
        .into_iter()
        .take(5)
        .map(|(folder, (bytes, files))| format!("{folder}  {} in {files} files", ByteSize(bytes)))
        .collect()
}
