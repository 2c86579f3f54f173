//! What a project needs on its machine before anything of it can run: on a server an account, a home and rights. In
//! local mode a project needs nothing but folders, which come with its first deployment.

use std::path::PathBuf;
use std::sync::Arc;

use super::Files;
use crate::kind::Failure;
use crate::names::{ProjectName, RelativePath, ReleaseName};
use crate::project::EnvironmentId;
use crate::secret::Secret;

/// Who reads the files of a release.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// The project's own programs.
    Project,
    /// The front door, too: it serves what is in this folder of the release, and reads nothing else of it.
    FrontDoor(RelativePath),
}

/// Makes and takes away what projects need. Every method is idempotent and may be cut off anywhere: the next call
/// finishes what the last one began. Calls for one project never overlap. What was made or removed is on the disk when
/// `ensure` and `remove` return: a loss of power takes none of it back.
#[async_trait::async_trait]
pub trait Premises: Send + Sync {
    /// Makes everything that is missing, mends what drifted, and returns what it changed, in words; nothing where
    /// everything was as it should be. A name that means something else on the machine is a Conflict, and nothing was
    /// changed then.
    async fn ensure(&self, project: &ProjectName) -> Result<Vec<String>, Failure>;

    /// Ends what still runs of the project and takes away everything [`Premises::ensure`] made and the project put
    /// there. What HostKit did not make stays.
    async fn remove(&self, project: &ProjectName) -> Result<(), Failure>;

    /// Makes the folders of one environment, and mends them; [`Premises::ensure`] does so for production.
    async fn ensure_environment(&self, id: &EnvironmentId) -> Result<(), Failure>;

    /// The disk with no more rights than the project's own programs have, for acts in folders they write to: a link
    /// that they put in the way leads nowhere that they could not go themselves, and what is made is theirs.
    async fn files(&self, project: &ProjectName) -> Result<Arc<dyn Files>, Failure>;

    /// Gives folders that HostKit made to the project, without what is in them, in this order: inner ones come first,
    /// since what lies in a folder of the project's can be exchanged by it.
    async fn give(&self, project: &ProjectName, folders: Vec<PathBuf>) -> Result<(), Failure>;

    /// Sees to the rights of a release that was just put in its place. What is no folder there is a Conflict.
    async fn settle_release(
        &self,
        id: &EnvironmentId,
        release: &ReleaseName,
        audience: Audience,
    ) -> Result<(), Failure>;

    /// What people and one-off commands go by: the link to the live release, and its variables as text; neither where
    /// nothing is live.
    async fn show_live(
        &self,
        id: &EnvironmentId,
        live: Option<(&ReleaseName, &Secret)>,
    ) -> Result<(), Failure>;
}
