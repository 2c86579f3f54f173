//! Where a project lives on a server: its home, its environments, its logs, with the rights of each place. Everything
//! in which root makes or replaces names is root's own; what the project writes to is below.

mod disk;
mod places;

use std::path::PathBuf;

use async_trait::async_trait;
use hostkit_core::kind::Failure;
use hostkit_core::names::{ProjectName, ReleaseName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;

use crate::accounts::Account;
use crate::change::Change;

pub use disk::DiskHomes;
pub use hostkit_core::traits::Audience;

/// To whom the places of a project belong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owners {
    /// The project's account.
    pub project: Account,
    /// The uid of the front door, which passes through to static sites.
    pub front_door: u32,
    /// The gid of those who may read logs (`adm`).
    pub log_readers: u32,
}

/// A place that is not what it should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub path: PathBuf,
    /// What is wrong: `is missing`, `has the mode 0777, not 0700`.
    pub what: String,
}

/// The places of projects. `ensure` also mends owner, mode and access list of what is there; a link or a file where a
/// folder should be is a conflict that a person must look at. All acts are idempotent.
#[async_trait]
pub trait Homes: Send + Sync {
    /// Whether there is a home of this name, whoever made it.
    async fn is_there(&self, project: &ProjectName) -> Result<bool, Failure>;

    /// What of a project's own places is not so.
    async fn observe(&self, project: &ProjectName, owners: &Owners) -> Result<Vec<Difference>, Failure>;

    /// The home, which is the production environment, and the folder of logs.
    async fn ensure(&self, project: &ProjectName, owners: &Owners) -> Result<Change, Failure>;

    /// The folders of one environment, in a home that is there.
    async fn ensure_environment(&self, id: &EnvironmentId, owners: &Owners) -> Result<Change, Failure>;

    /// The folder of a release, and, for a static site, the right of the front door to read what is in it now.
    async fn ensure_release(
        &self,
        id: &EnvironmentId,
        release: &ReleaseName,
        audience: Audience,
        owners: &Owners,
    ) -> Result<Change, Failure>;

    /// Makes the link `app` lead to a release.
    async fn point_release(&self, id: &EnvironmentId, release: &ReleaseName) -> Result<Change, Failure>;

    /// The variables of the live release, as text, readable by the project alone.
    async fn write_variables(
        &self,
        id: &EnvironmentId,
        text: &Secret,
        owners: &Owners,
    ) -> Result<Change, Failure>;

    /// Takes away the link and the variables of what was live.
    async fn hide_live(&self, id: &EnvironmentId) -> Result<Change, Failure>;

    /// Removes an environment. Of production only what is in it goes: its folder is the home.
    async fn remove_environment(&self, id: &EnvironmentId) -> Result<Change, Failure>;

    /// Removes the home and the logs, as whole trees. Nothing may run as the project any more.
    async fn remove(&self, project: &ProjectName) -> Result<Change, Failure>;
}
