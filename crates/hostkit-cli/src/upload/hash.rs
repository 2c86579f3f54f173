//! Hashes what the stat cache does not know, several files at once.

use std::fs::File;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::source::{ContentHash, SourceContent, SourceFile};

use super::cache::StatCache;
use super::scan::{Entry, Found, Stat, read_failure, stat};

/// A file of the list, with what is remembered of it (nothing for a link).
pub(super) type Hashed = (SourceFile, Option<Stat>);

/// The finished list in the order of `entries`, and how many files were read for it.
pub(super) fn hash(
    root: &Path,
    entries: Vec<Entry>,
    known: &StatCache,
) -> Result<(Vec<Hashed>, usize), Failure> {
    let unknown: Vec<&Entry> = entries
        .iter()
        .filter(|entry| match &entry.what {
            Found::File { stat, .. } => known.get(entry.path.as_str(), stat).is_none(),
            Found::Link { .. } => false,
        })
        .collect();
    let mut fresh = read_all(root, &unknown)?.into_iter();
    let hashed = fresh.len();
    let mut files = Vec::with_capacity(entries.len());
    for Entry { path, what } in entries {
        files.push(match what {
            Found::Link { target } => (
                SourceFile {
                    path,
                    content: SourceContent::Link { target },
                },
                None,
            ),
            Found::File { stat, executable } => {
                let (hash, stat) = match known.get(path.as_str(), &stat) {
                    Some(hash) => (hash.clone(), stat),
                    None => fresh.next().ok_or_else(lost_count)?,
                };
                let content = SourceContent::File {
                    hash,
                    size: stat.size,
                    executable,
                };
                (SourceFile { path, content }, Some(stat))
            }
        });
    }
    Ok((files, hashed))
}

fn lost_count() -> Failure {
    Failure::new(Kind::Internal, "cannot hash the folder: fewer hashes than files")
}

type Slot = Mutex<Option<Result<(ContentHash, Stat), Failure>>>;

/// The hashes of `entries`, in their order.
fn read_all(root: &Path, entries: &[&Entry]) -> Result<Vec<(ContentHash, Stat)>, Failure> {
    let slots: Vec<Slot> = entries.iter().map(|_| Mutex::new(None)).collect();
    let next = AtomicUsize::new(0);
    let work = || {
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let (Some(entry), Some(slot)) = (entries.get(at), slots.get(at)) else {
                break;
            };
            let result = read_one(root, entry);
            if result.is_err() {
                next.store(entries.len(), Ordering::Relaxed);
            }
            if let Ok(mut slot) = slot.lock() {
                *slot = Some(result);
            }
        }
    };
    let threads = std::thread::available_parallelism()
        .map_or(1, std::num::NonZero::get)
        .min(entries.len());
    if threads > 1 && entries.len() > 8 {
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(work);
            }
        });
    } else {
        work();
    }
    let results: Vec<_> = slots
        .into_iter()
        .filter_map(|slot| slot.into_inner().ok().flatten())
        .collect();
    results.into_iter().collect()
}

fn read_one(root: &Path, entry: &Entry) -> Result<(ContentHash, Stat), Failure> {
    let failed = |error: std::io::Error| read_failure(entry.path.as_str(), &error);
    let mut file = File::open(entry.path.under(root)).map_err(failed)?;
    // The state before reading: a change while it is read makes the cache entry too old, never wrong.
    let mut stat = stat(&file.metadata().map_err(failed)?);
    let mut hasher = blake3::Hasher::new();
    stat.size = std::io::copy(&mut file, &mut hasher).map_err(failed)?;
    let hash = ContentHash::parse(hasher.finalize().to_hex().as_str()).ok_or_else(lost_count)?;
    Ok((hash, stat))
}
