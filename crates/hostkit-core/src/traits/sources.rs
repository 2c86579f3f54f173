//! Where source trees come from.

use std::path::Path;

use crate::kind::Failure;
use crate::names::ProjectName;
use crate::source::{ContentHash, SourceFile, SourceId};

/// Uploaded sources of projects, content stored once per project.
#[async_trait::async_trait]
pub trait Sources: Send + Sync {
    /// Which contents of a tree are not stored yet.
    async fn missing(&self, project: &ProjectName, files: &[SourceFile])
    -> Result<Vec<ContentHash>, Failure>;

    /// Stores one content that arrives in `path` (a file below the project's folder, taken away by rename) after
    /// checking that its hash is `hash`.
    async fn put(&self, project: &ProjectName, hash: &ContentHash, path: &Path) -> Result<(), Failure>;

    /// Freezes a tree of which every content is stored, and names it. Refuses trees with a hostile entry: a link
    /// that leaves the tree, a path that is both file and folder, more than the limits allow.
    async fn commit(&self, project: &ProjectName, files: Vec<SourceFile>) -> Result<SourceId, Failure>;

    /// Unpacks an archive (tar, tar.gz or tar.zst, by its first bytes) that lies in `path`, as a tree. Refuses hostile
    /// archives: absolute paths, `..`, links that leave the tree, devices, too many entries, too many bytes.
    async fn unpack(&self, project: &ProjectName, path: &Path) -> Result<SourceId, Failure>;

    /// The entries of a tree, sorted by path.
    async fn list(&self, project: &ProjectName, id: &SourceId) -> Result<Vec<SourceFile>, Failure>;

    /// At most `limit` bytes of a stored content, from its beginning.
    async fn read(&self, project: &ProjectName, hash: &ContentHash, limit: usize)
    -> Result<Vec<u8>, Failure>;

    /// Writes a tree into `into`, a folder that does not exist yet. Files are copies: a build may change them.
    /// The result is the number of bytes.
    async fn fetch(&self, project: &ProjectName, id: &SourceId, into: &Path) -> Result<u64, Failure>;

    /// Removes trees that are not in `keep` and contents that no kept tree names. What was stored a moment ago stays: who
    /// stored it is about to say what it is for. The result is the bytes freed.
    async fn prune(&self, project: &ProjectName, keep: &[SourceId]) -> Result<u64, Failure>;
}
