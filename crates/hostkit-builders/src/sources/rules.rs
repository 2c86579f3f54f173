//! What a source tree may hold: the rules every tree passes before it gets a name, however it arrived.

use std::collections::{BTreeMap, VecDeque};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::source::{ContentHash, SourceContent, SourceFile, SourceId, SourceLimits};

/// How many links may be followed before a link counts as going round in circles.
const LINK_HOPS: usize = 40;

/// Sorts a tree by path and refuses what is hostile or contradictory: a path twice, a path that is both file and
/// folder, a link that leaves the tree (also by way of other links), more than the limits.
pub(super) fn checked(mut files: Vec<SourceFile>, limits: &SourceLimits) -> Result<Vec<SourceFile>, Failure> {
    within_limits(&files, limits)?;
    files.sort_by(|a, b| a.path.cmp(&b.path));
    for pair in files.windows(2) {
        if pair[0].path == pair[1].path {
            return Err(refused(&format!("`{}` is listed twice", pair[0].path)));
        }
    }
    no_file_is_a_folder(&files)?;
    links_stay_inside(&files)?;
    Ok(files)
}

/// The name of a sorted tree: the hash of its entries, one line each. Paths hold no line ends and no NUL.
pub(super) fn name_of(files: &[SourceFile]) -> SourceId {
    let mut hasher = blake3::Hasher::new();
    for file in files {
        let line = match &file.content {
            SourceContent::File {
                hash,
                size,
                executable,
            } => {
                format!("file\0{}\0{hash}\0{size}\0{executable}\n", file.path)
            }
            SourceContent::Link { target } => format!("link\0{}\0{target}\n", file.path),
        };
        hasher.update(line.as_bytes());
    }
    hash_of(&hasher)
}

/// The content hash a finished hasher stands for.
pub(super) fn hash_of(hasher: &blake3::Hasher) -> ContentHash {
    let hex = hasher.finalize().to_hex();
    ContentHash::parse(&hex).unwrap_or_else(|| unreachable!("a BLAKE3 hash has 64 lowercase hex digits"))
}

/// A refusal of a whole tree.
pub(super) fn refused(why: &str) -> Failure {
    Failure::new(Kind::Invalid, format!("cannot take the source: {why}"))
}

/// A refusal of a tree that is more than the limits allow.
pub(super) fn too_large(why: &str) -> Failure {
    Failure::new(Kind::TooLarge, format!("cannot take the source: {why}"))
        .hint("leave out what is not needed to build, with a line in `.hostkitignore`")
}

fn within_limits(files: &[SourceFile], limits: &SourceLimits) -> Result<(), Failure> {
    if files.len() > limits.files {
        return Err(too_large(&format!(
            "it has {} entries, at most {} are taken",
            files.len(),
            limits.files
        )));
    }
    let mut bytes = 0u64;
    for file in files {
        if file.path.is_root() || file.path.as_str().chars().any(char::is_control) {
            return Err(refused(&format!(
                "`{}` is no name for a file",
                file.path.as_str().escape_debug()
            )));
        }
        if let SourceContent::File { size, .. } = file.content {
            bytes = bytes.saturating_add(size);
        }
    }
    if bytes > limits.bytes {
        return Err(too_large(&format!(
            "it has {bytes} bytes, at most {} are taken",
            limits.bytes
        )));
    }
    Ok(())
}

/// No entry lies below another entry. Sorted paths do not bring `a` and `a/b` together (`a-x` sorts between), so
/// every parent is looked up.
fn no_file_is_a_folder(files: &[SourceFile]) -> Result<(), Failure> {
    for file in files {
        let mut path = file.path.as_str();
        while let Some((parent, _)) = path.rsplit_once('/') {
            if files.binary_search_by(|f| f.path.as_str().cmp(parent)).is_ok() {
                return Err(refused(&format!(
                    "`{parent}` is both a file (or a link) and a folder"
                )));
            }
            path = parent;
        }
    }
    Ok(())
}

fn links_stay_inside(files: &[SourceFile]) -> Result<(), Failure> {
    let links: BTreeMap<&str, &str> = files
        .iter()
        .filter_map(|file| match &file.content {
            SourceContent::Link { target } => Some((file.path.as_str(), target.as_str())),
            SourceContent::File { .. } => None,
        })
        .collect();
    links.keys().try_for_each(|path| link_stays_inside(&links, path))
}

/// Walks a link as the kernel would, other links of the tree included, and refuses the first step above the root.
fn link_stays_inside(links: &BTreeMap<&str, &str>, link: &str) -> Result<(), Failure> {
    let target = links[link];
    let wrong = |why: &str| {
        Err(refused(&format!(
            "the link `{link}` -> `{}` {why}",
            target.escape_debug()
        )))
    };
    let mut here: Vec<&str> = link.split('/').collect();
    here.pop();
    let mut ahead: VecDeque<&str> = VecDeque::new();
    let mut next = Some(target);
    for _ in 0..LINK_HOPS {
        let Some(followed) = next.take() else {
            return Ok(());
        };
        if followed.is_empty() || followed.len() > 4096 || followed.chars().any(char::is_control) {
            return wrong("has no proper target");
        }
        if followed.starts_with('/') {
            return wrong("is absolute: only links inside the project are taken");
        }
        for part in followed.split('/').rev() {
            ahead.push_front(part);
        }
        while let Some(part) = ahead.pop_front() {
            match part {
                "" | "." => {}
                ".." if here.pop().is_none() => return wrong("leaves the project"),
                ".." => {}
                name => {
                    here.push(name);
                    if let Some(further) = links.get(here.join("/").as_str()) {
                        here.pop();
                        next = Some(further);
                        break;
                    }
                }
            }
        }
    }
    if next.is_none() {
        Ok(())
    } else {
        wrong("goes round in circles")
    }
}
