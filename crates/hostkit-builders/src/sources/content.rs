//! Contents by hash, one folder per project: `blobs/ab/HASH`, mode 0444. A content is never changed; one whose size
//! is not what its list says (a power cut) counts as missing and is stored again.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::source::ContentHash;

use super::rules;
use crate::blocking::cannot;

/// The contents of one project.
#[derive(Debug, Clone)]
pub(super) struct Contents {
    folder: PathBuf,
}

impl Contents {
    pub(super) fn in_folder(folder: PathBuf) -> Self {
        Contents { folder }
    }

    /// Where a content lies, stored or not.
    pub(super) fn path(&self, hash: &ContentHash) -> PathBuf {
        self.folder.join(&hash.as_str()[..2]).join(hash.as_str())
    }

    /// Whether a content of this size is stored.
    pub(super) fn has(&self, hash: &ContentHash, size: u64) -> bool {
        fs::symlink_metadata(self.path(hash)).is_ok_and(|found| found.is_file() && found.len() == size)
    }

    /// The same question by somebody who will rely on the answer for a while: the content counts as fresh from now on
    /// and is not pruned under him.
    pub(super) fn claim(&self, hash: &ContentHash, size: u64, grace: Duration) -> bool {
        let path = self.path(hash);
        let Ok(found) = fs::symlink_metadata(&path) else {
            return false;
        };
        if !found.is_file() || found.len() != size {
            return false;
        }
        if age(&found) > grace / 2 {
            // Best effort: without it the content may be pruned early, and is then uploaded again.
            let _ = fs::File::open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        }
        true
    }

    /// Takes a file away from `path` and stores it as the content `hash`, which must be true.
    pub(super) fn take(&self, hash: &ContentHash, path: &Path) -> Result<(), Failure> {
        let found = fs::symlink_metadata(path).map_err(cannot("read the uploaded content", path))?;
        if !found.is_file() {
            return Err(Failure::new(
                Kind::Internal,
                "cannot store the content: it is no regular file",
            ));
        }
        let mut hasher = blake3::Hasher::new();
        let file = fs::File::open(path).map_err(cannot("read the uploaded content", path))?;
        hash_all(file, &mut hasher).map_err(cannot("read the uploaded content", path))?;
        let true_hash = rules::hash_of(&hasher);
        if true_hash != *hash {
            return Err(Failure::new(
                Kind::Invalid,
                format!("cannot store the content `{hash}`: what arrived has the hash `{true_hash}`"),
            )
            .hint("the file changed while it was sent, or was damaged on the way: deploy again"));
        }
        self.take_known(hash, path)
    }

    /// The same for a file whose hash was computed here while it was written.
    pub(super) fn take_known(&self, hash: &ContentHash, path: &Path) -> Result<(), Failure> {
        let to = self.path(hash);
        let parent = to.parent().unwrap_or(&self.folder);
        fs::set_permissions(path, fs::Permissions::from_mode(0o444))
            .and_then(|()| match fs::rename(path, &to) {
                Err(missing) if missing.kind() == io::ErrorKind::NotFound => {
                    fs::create_dir_all(parent)?;
                    fs::rename(path, &to)
                }
                other => other,
            })
            .map_err(cannot("store the content in", &to))
    }

    /// The beginning of a content.
    pub(super) fn read(&self, hash: &ContentHash, limit: usize) -> Result<Vec<u8>, Failure> {
        let path = self.path(hash);
        let mut bytes = Vec::new();
        fs::File::open(&path)
            .and_then(|file| file.take(limit as u64).read_to_end(&mut bytes))
            .map_err(cannot("read the content", &path))?;
        Ok(bytes)
    }

    /// Every stored content with its size and age.
    pub(super) fn all(&self) -> io::Result<Vec<(ContentHash, u64, Duration)>> {
        let mut all = Vec::new();
        for folder in entries(&self.folder)? {
            for file in entries(&folder)? {
                let Some(hash) = file
                    .file_name()
                    .and_then(|n| n.to_str())
                    .and_then(ContentHash::parse)
                else {
                    continue;
                };
                let found = fs::symlink_metadata(&file)?;
                all.push((hash, found.len(), age(&found)));
            }
        }
        Ok(all)
    }
}

/// The paths in a folder; none where there is no such folder.
pub(super) fn entries(folder: &Path) -> io::Result<Vec<PathBuf>> {
    match fs::read_dir(folder) {
        Ok(found) => found.map(|entry| Ok(entry?.path())).collect(),
        Err(why) if matches!(why.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Vec::new())
        }
        Err(why) => Err(why),
    }
}

/// How long ago something was last written; zero for what seems to come from the future.
pub(super) fn age(found: &fs::Metadata) -> Duration {
    found
        .modified()
        .ok()
        .and_then(|at| SystemTime::now().duration_since(at).ok())
        .unwrap_or_default()
}

fn hash_all(mut from: impl Read, hasher: &mut blake3::Hasher) -> io::Result<()> {
    let mut buffer = vec![0; 128 * 1024];
    loop {
        match from.read(&mut buffer)? {
            0 => return Ok(()),
            n => hasher.update(&buffer[..n]),
        };
    }
}
