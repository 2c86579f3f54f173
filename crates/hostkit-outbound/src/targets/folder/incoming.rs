//! A file that is being written: under another name until it is whole.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hostkit_core::names::BackupPath;

use super::sync_folder;

/// How often a folder is made again that somebody else took away because it was empty.
const ATTEMPTS: usize = 8;

/// Dropped before it is finished, the file is removed.
pub(super) struct Incoming {
    root: PathBuf,
    written: PathBuf,
    wanted: PathBuf,
    is_ours: bool,
}

impl Incoming {
    pub(super) fn begin(root: &Path, path: &BackupPath) -> io::Result<(Self, tokio::fs::File)> {
        let wanted = root.join(path.as_str());
        if wanted.is_dir() {
            return Err(io::Error::other("other backups have that name for their folder"));
        }
        let folder = wanted.parent().unwrap_or(root);
        for attempt in 1.. {
            DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
            let written = folder.join(unique()?);
            match OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&written)
            {
                Err(why) if why.kind() == io::ErrorKind::NotFound && attempt < ATTEMPTS => {}
                Err(why) => return Err(why),
                Ok(file) => {
                    let incoming = Incoming {
                        root: root.to_owned(),
                        written,
                        wanted,
                        is_ours: true,
                    };
                    return Ok((incoming, tokio::fs::File::from_std(file)));
                }
            }
        }
        unreachable!("the last attempt returns")
    }

    /// Gives the file its name, and brings that to the disk.
    pub(super) fn finish(mut self) -> io::Result<()> {
        fs::rename(&self.written, &self.wanted)?;
        self.is_ours = false;
        for folder in self.wanted.ancestors().skip(1) {
            sync_folder(folder)?;
            if folder == self.root {
                break;
            }
        }
        Ok(())
    }
}

impl Drop for Incoming {
    fn drop(&mut self) {
        if self.is_ours {
            let _ = fs::remove_file(&self.written);
        }
    }
}

/// A name that no backup has: it begins with a dot.
fn unique() -> io::Result<String> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|why| io::Error::other(why.to_string()))?;
    Ok(format!(".{:016x}.part", u64::from_ne_bytes(bytes)))
}
