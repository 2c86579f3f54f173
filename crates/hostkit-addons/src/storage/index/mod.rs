//! Which objects there are, and of which files they consist: a SQLite database beside the files, and all SQL of the
//! storage. One thread writes it ([`writer`]), everybody reads it.

mod aged;
mod brought;
mod bucket;
mod list;
mod object;
mod open;
mod part;
mod snapshot;
mod upload;
mod uses;
mod writer;

pub use aged::{Aged, aged};
pub use brought::Brought;
pub use bucket::{Bucket, Usage, buckets, cors, lifecycle, usage};
pub use list::{Listed, ObjectList, Query, objects};
pub use object::{Checksums, Condition, Details, NewObject, Object, Piece, Tags, object};
pub use part::{Part, PartList, parts};
pub use snapshot::{Holdings, Snapshot};
pub use upload::{ChosenPart, Completion, Upload, UploadList, UploadQuery, upload, uploads};
pub use writer::Change;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;

use super::contents::{ContentId, Contents, Written};
use super::error::{Result, StorageError};
use writer::Writer;

/// Readers that are kept open for the next request.
const READERS: usize = 16;

/// The index. Clones are handles to the same one.
#[derive(Clone)]
pub struct Index {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    readers: Mutex<Vec<Connection>>,
    writer: Writer,
}

impl Index {
    /// Opens the index at `path`, making it where there is none. Files that it gives up are removed from `contents`.
    /// Blocks.
    pub fn open(path: &Path, contents: Contents) -> Result<Self> {
        let writer = Writer::start(open::for_writing(path)?, contents)?;
        Ok(Index {
            inner: Arc::new(Inner {
                path: path.to_owned(),
                readers: Mutex::default(),
                writer,
            }),
        })
    }

    /// Looks into the index, all in one state of it. Blocks.
    pub fn read<T>(&self, look: impl FnOnce(&Connection) -> Result<T>) -> Result<T> {
        let idle = self.readers().pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open::for_reading(&self.inner.path)?,
        };
        let transaction = connection.unchecked_transaction()?;
        let found = look(&transaction);
        transaction.finish()?;
        let mut readers = self.readers();
        if readers.len() < READERS {
            readers.push(connection);
        }
        found
    }

    /// Changes the index, and returns when the change is on the disk. `written` are the files that the change records;
    /// they are removed if it does not. A change that was handed over is done to its end, also when nobody waits for it
    /// any more.
    pub async fn write<T: Send + 'static>(
        &self,
        written: Vec<Written>,
        act: impl FnOnce(&Change<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        self.inner.writer.write(written, act).await
    }

    /// Which of some files are used by an object or a part. Blocks.
    pub fn known(&self, ids: &[ContentId]) -> Result<HashSet<ContentId>> {
        self.read(|connection| uses::known(connection, ids))
    }

    /// Writes a copy of the index as it is now to `path`, which must not exist. Blocks.
    pub fn copy_to(&self, path: &Path) -> Result<()> {
        let text = path
            .to_str()
            .ok_or(StorageError::Damaged("the path of the copy is not text"))?;
        let connection = open::for_reading(&self.inner.path)?;
        connection.execute("VACUUM INTO ?1", [text])?;
        Ok(())
    }

    fn readers(&self) -> std::sync::MutexGuard<'_, Vec<Connection>> {
        self.inner.readers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Parses what the index keeps as JSON.
fn parsed<T: serde::de::DeserializeOwned>(text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|_| StorageError::Damaged("a value is no JSON of ours"))
}

/// Writes what the index keeps as JSON.
fn written<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|_| StorageError::Damaged("a value cannot be written as JSON"))
}

/// A number of bytes or of things, which SQLite keeps with a sign.
fn count(number: i64) -> Result<u64> {
    u64::try_from(number).map_err(|_| StorageError::Damaged("a number is below nothing"))
}

fn stored(number: u64) -> Result<i64> {
    i64::try_from(number).map_err(|_| StorageError::Damaged("a number is too large"))
}

#[cfg(test)]
mod tests;
