//! Port use: who answers on a loopback port, and who may connect to it.

use std::collections::BTreeSet;

use crate::names::ProjectName;
use crate::services::ServiceName;

/// Somebody with an account of its own on a server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PortUser {
    /// The programs of a project.
    Project(ProjectName),
    /// A service.
    Service(ServiceName),
    /// An account of the machine that HostKit has not made: `postgres`.
    Account(String),
}

impl std::fmt::Display for PortUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            PortUser::Project(project) => project.fmt(f),
            PortUser::Service(service) => service.fmt(f),
            PortUser::Account(name) => f.write_str(name),
        }
    }
}

/// What a port is for. Root and the front door may connect to every one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PortUse {
    /// Who answers there, and nobody else: no program takes the place of one that is just being started again.
    pub answers: PortUser,
    /// Who may connect, besides who answers.
    pub callers: Callers,
}

/// Who may connect to a port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Callers {
    /// These.
    These(BTreeSet<PortUser>),
    /// Every account of the machine: what answers there asks who it is.
    Everybody,
}

impl PortUse {
    /// A port of a project's own programs, which they alone use.
    pub fn of_project(project: ProjectName) -> Self {
        PortUse {
            answers: PortUser::Project(project),
            callers: Callers::These(BTreeSet::new()),
        }
    }
}
