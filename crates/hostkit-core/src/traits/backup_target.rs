//! Where backups are kept: a folder, another machine's storage.

use std::pin::Pin;
use std::sync::Arc;

use futures_core::Stream;

use crate::backup::target::TargetSettings;
use crate::kind::Failure;
use crate::names::BackupPath;

/// The bytes of a file, in pieces, as they come. Ends after the last one; an error ends it, too.
pub type Pieces = Pin<Box<dyn Stream<Item = std::io::Result<Vec<u8>>> + Send>>;

/// A file of a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct StoredFile {
    /// Its name.
    pub path: BackupPath,
    /// Its length, in bytes, by what the target says.
    pub bytes: u64,
}

/// Keeps files of backups. It knows nothing of what is in them: they are encrypted before they come here.
/// Every method may be called at any time, also twice at once.
#[async_trait::async_trait]
pub trait BackupTarget: Send + Sync {
    /// Where it is, for people; no secret is in it.
    fn place(&self) -> String;

    /// Keeps what the stream brings under a name, and answers how many bytes that were. What was there under that name
    /// is replaced; a name that others have for a folder is none for a file. The file is there as a whole or not at all, whatever happens: the stream ends with an error, the
    /// caller drops the call, the target breaks off. When this returns, a loss of power on either side does not take it.
    async fn put(&self, path: &BackupPath, pieces: Pieces) -> Result<u64, Failure>;

    /// The bytes of a file. One that is not there is NotFound. The stream ends early with an error, never without one.
    async fn get(&self, path: &BackupPath) -> Result<Pieces, Failure>;

    /// All files whose names begin with `folder` and a slash, or all there are; in order of their names.
    async fn list(&self, folder: Option<&BackupPath>) -> Result<Vec<StoredFile>, Failure>;

    /// Takes a file away. Idempotent.
    async fn remove(&self, path: &BackupPath) -> Result<(), Failure>;
}

/// Knows every kind of target.
#[async_trait::async_trait]
pub trait BackupTargets: Send + Sync {
    /// The target of these settings. It is not asked anything yet.
    fn open(&self, settings: &TargetSettings) -> Result<Arc<dyn BackupTarget>, Failure>;

    /// Makes a target ready to be used, once, when somebody names it. Idempotent; backups that are there stay.
    async fn set_up(&self, settings: &TargetSettings) -> Result<(), Failure>;
}
