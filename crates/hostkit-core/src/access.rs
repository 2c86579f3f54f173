//! Who may do what. Every endpoint names one [`Permission`]; [`Role::may`] is the only table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::names::ProjectName;

/// What an endpoint asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Nothing: answered to anybody. Only for what carries no data of a project.
    Public,
    /// Read the installation as a whole.
    ReadInstallation,
    /// Change the installation as a whole: projects, tokens, shutdown.
    ManageInstallation,
    /// Read a project: its deployments, releases, instances, logs, names of variables.
    ReadProject,
    /// Deploy, roll back, scale, restart, stop, start, run.
    DeployProject,
    /// Read and set values of variables.
    ManageSecrets,
    /// Delete a project.
    DeleteProject,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Permission; 7] = [
        Permission::Public,
        Permission::ReadInstallation,
        Permission::ManageInstallation,
        Permission::ReadProject,
        Permission::DeployProject,
        Permission::ManageSecrets,
        Permission::DeleteProject,
    ];
}

/// What a token is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Admin,
    /// Deploy and configure, not create or delete.
    Developer,
    /// Look, but not at values of variables.
    Viewer,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 3] = [Role::Admin, Role::Developer, Role::Viewer];

    /// Whether this role has a permission (on the projects its token covers).
    pub fn may(self, permission: Permission) -> bool {
        match permission {
            Permission::Public => true,
            Permission::ReadInstallation | Permission::ReadProject => true,
            Permission::DeployProject | Permission::ManageSecrets => self != Role::Viewer,
            Permission::ManageInstallation | Permission::DeleteProject => self == Role::Admin,
        }
    }
}

/// A known caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The token's name.
    pub token: String,
    /// Its role.
    pub role: Role,
    /// The one project it covers; all where none is named.
    pub project: Option<ProjectName>,
}

impl Caller {
    /// Whether this caller may do something on `project` (`None`: on the installation as a whole).
    /// A token of one project has no rights on the installation.
    pub fn may(&self, permission: Permission, project: Option<&ProjectName>) -> bool {
        if permission == Permission::Public {
            return true;
        }
        let covered = match (&self.project, project) {
            (None, _) => true,
            (Some(own), Some(asked)) => own == asked,
            (Some(_), None) => false,
        };
        covered && self.role.may(permission)
    }
}
