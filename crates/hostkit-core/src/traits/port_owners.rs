//! Whose programs may use which loopback ports, where programs of several projects share a machine.

use std::collections::BTreeMap;

use crate::kind::Failure;
use crate::port_use::PortUse;

/// Keeps the loopback ports of projects apart. A port is reached by whom its use names, the front door and root alone, and
/// nobody but who answers there by it can answer; of the ports that are HostKit's to give, one that has no use is reached
/// by the front door and root alone.
#[async_trait::async_trait]
pub trait PortOwners: Send + Sync {
    /// Sees to it that ports have exactly these uses, now and after a restart of the machine, there before
    /// anything of a project runs. Says whether something had to be changed. The whole picture each time: at no
    /// moment is less closed than the picture before or this one says. Idempotent; two calls at once are each done
    /// whole. A project that the machine does not know owns nothing; a service gets its account here, if it has none yet.
    async fn ensure(&self, ports: &BTreeMap<u16, PortUse>) -> Result<bool, Failure>;
}
