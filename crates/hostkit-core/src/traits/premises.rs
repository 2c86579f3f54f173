//! What a project needs on its machine before anything of it can run: on a server an account, a home and rights. In
//! local mode a project needs nothing but folders, which come with its first deployment.

use crate::kind::Failure;
use crate::names::ProjectName;

/// Makes and takes away what projects need. Every method is idempotent and may be cut off anywhere: the next call
/// finishes what the last one began. Calls for one project never overlap.
#[async_trait::async_trait]
pub trait Premises: Send + Sync {
    /// Makes everything that is missing, mends what drifted, and returns what it changed, in words; nothing where
    /// everything was as it should be. A name that means something else on the machine is a Conflict, and nothing was
    /// changed then.
    async fn ensure(&self, project: &ProjectName) -> Result<Vec<String>, Failure>;

    /// Ends what still runs of the project and takes away everything [`Premises::ensure`] made and the project put
    /// there. What HostKit did not make stays.
    async fn remove(&self, project: &ProjectName) -> Result<(), Failure>;
}
