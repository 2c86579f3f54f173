//! The last archive of a project: what of it is worth keeping when it is deleted, where projects have homes.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::Failure;
use crate::names::ProjectName;

/// An archive that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Archive {
    /// Where it lies, for root alone.
    pub file: String,
    /// How much it takes.
    pub bytes: u64,
}

/// Makes archives: tar, compressed with zstd, of a home without what can be made again (releases, builds, caches).
#[async_trait::async_trait]
pub trait Archives: Send + Sync {
    /// Whether there is room for the archive of a project, as far as it can be told beforehand. Changes nothing.
    async fn check(&self, project: &ProjectName) -> Result<(), Failure>;

    /// Makes the archive. One that was made at `since` or later is answered as it is: it was made by a deletion that
    /// was cut off, which may have removed some of the home by now. What fails leaves no file. Nothing where there is no
    /// home.
    async fn keep(&self, project: &ProjectName, since: Timestamp) -> Result<Option<Archive>, Failure>;
}
