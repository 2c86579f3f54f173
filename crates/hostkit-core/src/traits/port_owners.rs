//! Whose programs may use which loopback ports, where programs of several projects share a machine.

use std::collections::BTreeMap;

use crate::kind::Failure;
use crate::names::ProjectName;

/// Keeps the loopback ports of projects apart. A port that belongs to a project is reached by its own programs, the
/// front door and root alone, and nobody else answers on it; of the ports that are HostKit's to give, one that belongs
/// to nobody is reached by the front door and root alone.
#[async_trait::async_trait]
pub trait PortOwners: Send + Sync {
    /// Sees to it that ports belong to exactly these projects, now and after a restart of the machine, there before
    /// anything of a project runs. Says whether something had to be changed. The whole picture each time: at no
    /// moment is less closed than the picture before or this one says. Idempotent; two calls at once are each done
    /// whole. A project that the machine does not know owns nothing.
    async fn ensure(&self, ports: &BTreeMap<u16, ProjectName>) -> Result<bool, Failure>;
}
