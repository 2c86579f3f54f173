//! The last good table on disk, as it came: with it the front door starts and serves while control is dead.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use super::compile::RawTable;

/// Where the table lies.
#[derive(Clone)]
pub(crate) struct SavedTable {
    path: PathBuf,
}

impl SavedTable {
    /// The table of the front door whose folder is `folder`.
    pub(crate) fn in_folder(folder: &Path) -> Self {
        SavedTable {
            path: folder.join("table.json"),
        }
    }

    /// The saved table; none if there is none or it cannot be read. One that cannot be read is copied to `.bad`.
    pub(crate) fn load(&self) -> Option<RawTable> {
        let bytes = fs::read(&self.path).ok()?;
        match RawTable::parse(&bytes) {
            Ok(table) => Some(table),
            Err(failure) => {
                let bad = self.path.with_extension("json.bad");
                tracing::warn!(path = %self.path.display(), kept_as = %bad.display(), "{failure}");
                if let Err(error) = fs::copy(&self.path, &bad) {
                    tracing::warn!(path = %bad.display(), "cannot keep the unreadable table: {error}");
                }
                salvage(&bytes)
            }
        }
    }

    /// Replaces the table as a whole: whoever reads finds the old one or the new one. It outlives this process at
    /// once; [`SavedTable::sync`] makes it outlive the machine's power.
    pub(crate) fn write(&self, bytes: &[u8]) -> io::Result<()> {
        let next = self.path.with_extension("json.next");
        let mut file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&next)?;
        file.write_all(bytes)?;
        fs::rename(&next, &self.path)
    }

    /// Brings the table to the disk. Slow where the disk is busy, so nobody waits for it.
    pub(crate) fn sync(&self) -> io::Result<()> {
        File::open(&self.path)?.sync_all()?;
        match self.path.parent() {
            Some(folder) => File::open(folder)?.sync_all(),
            None => Ok(()),
        }
    }
}

/// What can still be read of a torn table: the entries before the tear. Canaries stand behind all routes; without them
/// everybody gets the live release.
pub(crate) fn salvage(bytes: &[u8]) -> Option<RawTable> {
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let list = text
        .find("\"routes\"")
        .and_then(|at| text[at..].find('[').map(|open| at + open + 1))?;
    let mut routes = Vec::new();
    let mut rest = text[list..].trim_start();
    while rest.starts_with('{') {
        let mut values = serde_json::Deserializer::from_str(rest).into_iter::<serde_json::Value>();
        let Some(Ok(value)) = values.next() else { break };
        let end = values.byte_offset();
        routes.push(value);
        rest = rest[end..].trim_start().trim_start_matches(',').trim_start();
    }
    // Version 0: whatever control sends next is newer.
    (!routes.is_empty()).then_some(RawTable {
        version: 0,
        routes,
        canaries: Vec::new(),
    })
}
