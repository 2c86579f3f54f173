//! Writing a stored tree into a folder, for a build: private copies, by several threads where there are many.

use std::collections::BTreeSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::{Path, PathBuf};
use std::thread;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::source::{ContentHash, SourceContent, SourceFile, SourceId};

use super::ProjectSources;
use crate::blocking::cannot;

/// Below this many files one thread is as fast as several.
const FILES_PER_THREAD: usize = 256;
/// Files up to this size are copied through memory: cheaper than asking the kernel to copy.
const SMALL: u64 = 128 * 1024;

/// A file to write.
struct Copy<'a> {
    hash: &'a ContentHash,
    size: u64,
    executable: bool,
    to: PathBuf,
}

impl ProjectSources {
    pub(super) fn fetch(&self, id: &SourceId, into: &Path) -> Result<u64, Failure> {
        let files = self.list(id)?;
        if let Some(parent) = into.parent() {
            fs::create_dir_all(parent).map_err(cannot("create", parent))?;
        }
        fs::create_dir(into).map_err(cannot("create", into))?;
        self.write(&files, into).inspect_err(|_| {
            // The folder is ours alone; what cannot be removed is removed with the deployment's scratch.
            let _ = fs::remove_dir_all(into);
        })
    }

    fn write(&self, files: &[SourceFile], into: &Path) -> Result<u64, Failure> {
        let folders: BTreeSet<&str> = files
            .iter()
            .filter_map(|file| file.path.as_str().rsplit_once('/'))
            .map(|(parent, _)| parent)
            .collect();
        for folder in folders {
            fs::create_dir_all(into.join(folder)).map_err(cannot("create", &into.join(folder)))?;
        }
        let copies: Vec<Copy<'_>> = files
            .iter()
            .filter_map(|file| match &file.content {
                SourceContent::File {
                    hash,
                    size,
                    executable,
                } => Some(Copy {
                    hash,
                    size: *size,
                    executable: *executable,
                    to: file.path.under(into),
                }),
                SourceContent::Link { .. } => None,
            })
            .collect();
        self.copy_all(&copies)?;
        // Links last: nothing is ever written through one.
        for file in files {
            if let SourceContent::Link { target } = &file.content {
                let path = file.path.under(into);
                symlink(target, &path).map_err(cannot("create the link", &path))?;
            }
        }
        Ok(copies.iter().map(|copy| copy.size).sum())
    }

    fn copy_all(&self, copies: &[Copy<'_>]) -> Result<(), Failure> {
        let most = thread::available_parallelism().map_or(1, |n| n.get().min(4));
        let threads = copies.len().div_ceil(FILES_PER_THREAD).clamp(1, most);
        let share = copies.len().div_ceil(threads).max(1);
        thread::scope(|scope| {
            let running: Vec<_> = copies
                .chunks(share)
                .map(|chunk| {
                    scope.spawn(move || {
                        let mut buffer = Vec::new();
                        chunk.iter().try_for_each(|copy| self.copy(copy, &mut buffer))
                    })
                })
                .collect();
            running.into_iter().try_for_each(|thread| {
                thread.join().unwrap_or_else(|_| {
                    Err(Failure::new(
                        Kind::Internal,
                        "cannot write the source: a copying thread ended early",
                    ))
                })
            })
        })
    }

    fn copy(&self, copy: &Copy<'_>, buffer: &mut Vec<u8>) -> Result<(), Failure> {
        let from = self.contents.path(copy.hash);
        let mut source = fs::File::open(&from).map_err(cannot("read the stored content", &from))?;
        let mode = if copy.executable { 0o755 } else { 0o644 };
        let mut target = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(mode)
            .open(&copy.to)
            .map_err(cannot("write", &copy.to))?;
        let written = if copy.size <= SMALL {
            buffer.clear();
            source
                .read_to_end(buffer)
                .and_then(|n| target.write_all(buffer).map(|()| n as u64))
        } else {
            // The standard library shares blocks or copies in the kernel where the file system can.
            io::copy(&mut source, &mut target)
        };
        match written {
            Ok(n) if n == copy.size => Ok(()),
            Ok(n) => Err(Failure::new(
                Kind::Internal,
                format!(
                    "cannot read the stored content `{}`: it has {n} bytes instead of {}",
                    copy.hash, copy.size
                ),
            )
            .hint("deploy again from the folder: the damaged content is then sent afresh")),
            Err(why) => Err(cannot("write", &copy.to)(why)),
        }
    }
}
