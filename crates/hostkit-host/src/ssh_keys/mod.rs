//! The keys that may log in as a project over SSH: `~/.ssh/authorized_keys`, which is root's own, so that a program of
//! the project cannot let anybody in.

mod file;
mod operators;
mod public_key;
mod wire;

use async_trait::async_trait;
use hostkit_core::kind::Failure;
use hostkit_core::names::ProjectName;

use crate::change::Change;

pub use file::AuthorizedKeys;
pub use operators::KeysOfOperators;
pub use public_key::{Fingerprint, PublicKey};

/// A key that lets somebody in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorized {
    /// The key.
    pub key: PublicKey,
    /// Whether its line has options, which HostKit never writes.
    pub has_options: bool,
}

/// The keys of projects. Acts are idempotent. Lines that are no keys (comments of an administrator) stay as they are.
#[async_trait]
pub trait SshKeys: Send + Sync {
    /// The keys that let somebody in, in the order of the file.
    async fn list(&self, project: &ProjectName) -> Result<Vec<Authorized>, Failure>;

    /// Lets a key in. One that is in already stays as it is, whatever its comment says.
    async fn add(&self, project: &ProjectName, key: &PublicKey) -> Result<Change, Failure>;

    /// Takes every line with this key away.
    async fn remove(&self, project: &ProjectName, key: &Fingerprint) -> Result<Change, Failure>;
}

#[cfg(test)]
mod tests;
