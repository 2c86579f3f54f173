//! Finished outputs, kept by everything that went into them: a source that was built before, with the same rule and
//! the same variables, is not built again.

use std::fs;
use std::io;
use std::path::Path;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::release::Artifact;
use hostkit_core::traits::BuildJob;

use hostkit_core::size::ByteSize;
use hostkit_host::files::{copy_file, remove_tree};

use super::dependency_sets::{DependencySets, clone_dependencies};
use super::{disk, tree};
use crate::blocking::{aside, cannot};

const ARTIFACT: &str = "artifact.json";
const FILES: &str = "files";

/// The key of a build: its source, its rule, its variables, its builder and what else the builder names. Changing
/// how outputs are made needs a new `edition`.
pub(crate) fn key_of(
    job: &BuildJob,
    source: &blake3::Hash,
    edition: &str,
    further: &str,
) -> Result<String, Failure> {
    let rule = serde_json::to_vec(&job.rule)
        .map_err(|why| Failure::new(Kind::Internal, format!("cannot name the build: {why}")))?;
    let mut hasher = blake3::Hasher::new();
    for part in [
        source.as_bytes(),
        rule.as_slice(),
        edition.as_bytes(),
        further.as_bytes(),
    ] {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    for (name, value) in &job.variables {
        for part in [name.as_str(), value.reveal()] {
            hasher
                .update(&(part.len() as u64).to_le_bytes())
                .update(part.as_bytes());
        }
    }
    Ok(hasher.finalize().to_hex().to_string())
}

/// The fingerprint of a build's source; refuses a build for which there is no room.
pub(crate) async fn fingerprint_and_check(
    job: &BuildJob,
    min_free: ByteSize,
) -> Result<blake3::Hash, Failure> {
    let job = job.clone();
    aside(move || {
        let mut hasher = blake3::Hasher::new();
        let bytes = tree::fingerprint(&job.source, &mut hasher)?;
        disk::check(&job, bytes, min_free)?;
        Ok(hasher.finalize())
    })
    .await
}

/// Brings an output that was made before; nothing where there is none.
pub(crate) async fn bring(
    sets: &DependencySets,
    key: &str,
    job: &BuildJob,
) -> Result<Option<Artifact>, Failure> {
    let (sets, key, output) = (sets.clone(), key.to_owned(), job.output.clone());
    aside(move || Ok(bring_now(&sets, &key, &output))).await
}

fn bring_now(sets: &DependencySets, key: &str, output: &Path) -> Option<Artifact> {
    let set = sets.find(key)?;
    let artifact = serde_json::from_slice(&fs::read(set.join(ARTIFACT)).ok()?).ok()?;
    clone_output(&set.join(FILES), output)
        .inspect_err(|_| {
            // Half a clone is nothing; the build makes the output afresh.
            let _ = remove_tree(output);
        })
        .ok()?;
    Some(artifact)
}

/// Keeps a copy of an output for the next time.
pub(crate) async fn keep(
    sets: &DependencySets,
    key: &str,
    job: &BuildJob,
    artifact: &Artifact,
) -> Result<(), Failure> {
    let (sets, key, output) = (sets.clone(), key.to_owned(), job.output.clone());
    let text = serde_json::to_vec(artifact)
        .map_err(|why| Failure::new(Kind::Internal, format!("cannot keep the build: {why}")))?;
    aside(move || {
        let made = sets.begin()?;
        clone_output(&output, &made.path().join(FILES)).map_err(cannot("keep a copy of", &output))?;
        fs::write(made.path().join(ARTIFACT), text).map_err(cannot("keep a copy of", &output))?;
        sets.finish(made, &key).map(drop)
    })
    .await
}

/// Dependencies are shared by hard links; everything else is copied, because programs write to it (Next.js renews
/// its pages in place).
fn clone_output(from: &Path, to: &Path) -> io::Result<u64> {
    fs::create_dir(to)?;
    let mut bytes = 0;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (source, target, kind) = (entry.path(), to.join(entry.file_name()), entry.file_type()?);
        bytes += if kind.is_dir() && entry.file_name() == "node_modules" {
            clone_dependencies(&source, &target)?
        } else if kind.is_dir() {
            clone_output(&source, &target)?
        } else if kind.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&source)?, &target)?;
            0
        } else {
            copy_file(&source, &target)?
        };
    }
    Ok(bytes)
}
