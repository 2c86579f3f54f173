//! Who may log in as a project's account: the public keys of people and of CI, where projects have accounts.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::Failure;
use crate::names::ProjectName;

/// A public key that lets somebody in, without the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OperatorKey {
    /// What it is known by, as `ssh-keygen -l` prints it: `SHA256:` and 43 characters.
    pub fingerprint: String,
    /// Its kind: `ssh-ed25519`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whose it is, in the words of who made it.
    pub comment: String,
}

/// The keys of projects' accounts. Acts are idempotent.
#[async_trait::async_trait]
pub trait OperatorKeys: Send + Sync {
    /// The keys that let somebody in, in the order they were added.
    async fn list(&self, project: &ProjectName) -> Result<Vec<OperatorKey>, Failure>;

    /// Lets a key in, given as the one line of its `.pub` file, and says whether it is new. What is no public key is
    /// Invalid, and no word of it is repeated: it may be a private one.
    async fn add(&self, project: &ProjectName, line: &str) -> Result<(OperatorKey, bool), Failure>;

    /// Takes a key away that is named by its fingerprint, by its own line or by its comment, and returns it. A key that
    /// is not in is NotFound; a comment that several keys have is a Conflict that names them, and all stay.
    async fn remove(&self, project: &ProjectName, which: &str) -> Result<OperatorKey, Failure>;
}
