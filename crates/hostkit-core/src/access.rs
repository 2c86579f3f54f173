//! Who may do what. Every endpoint names one [`Permission`]; [`Role::may`] is the only table.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::kind::{Failure, Kind};
use crate::names::ProjectName;

/// What an endpoint asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Permission {
    /// Nothing: answered to anybody. Only for what carries no data of a project.
    Public,
    /// Be known: what a caller is told of itself.
    KnowOneself,
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
    /// Decide whose keys may log in as the project's account.
    ManageAccess,
    /// Delete a project.
    DeleteProject,
    /// Look at certificates: those for host names of what the caller may read.
    ReadCertificates,
    /// Bring, renew and remove certificates: those for host names of what the caller may deploy.
    ManageCertificates,
}

impl Permission {
    /// Every permission.
    pub const ALL: [Permission; 11] = [
        Permission::Public,
        Permission::KnowOneself,
        Permission::ReadInstallation,
        Permission::ManageInstallation,
        Permission::ReadProject,
        Permission::DeployProject,
        Permission::ManageSecrets,
        Permission::ManageAccess,
        Permission::DeleteProject,
        Permission::ReadCertificates,
        Permission::ManageCertificates,
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
            Permission::Public | Permission::KnowOneself => true,
            Permission::ReadInstallation | Permission::ReadProject | Permission::ReadCertificates => true,
            Permission::DeployProject | Permission::ManageSecrets | Permission::ManageCertificates => {
                self != Role::Viewer
            }
            Permission::ManageInstallation | Permission::ManageAccess | Permission::DeleteProject => {
                self == Role::Admin
            }
        }
    }
}

/// How a caller is known, shown as `token ci` or `account root`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// By a token of this name.
    Token(String),
    /// By the account its process runs as, which the kernel says.
    Account(String),
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Identity::Token(name) => write!(f, "token `{name}`"),
            Identity::Account(name) => write!(f, "account `{name}`"),
        }
    }
}

/// An account of the machine, as its list of accounts says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its comment (GECOS).
    pub comment: String,
}

/// The comment that marks an account as a project's own.
pub fn account_comment(project: &ProjectName) -> String {
    format!("HostKit project {project}")
}

impl Account {
    /// The project this account belongs to: the one it is called like, where its comment says so as well. What stands
    /// behind a comma is room and telephone, which people may change themselves.
    pub fn project(&self) -> Option<ProjectName> {
        let project = ProjectName::parse(&self.name).ok()?;
        let comment = self.comment.split(',').next().unwrap_or_default();
        (comment == account_comment(&project)).then_some(project)
    }
}

/// A known caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// How the caller is known.
    pub identity: Identity,
    /// What it may do.
    pub role: Role,
    /// The one project it covers; all where none is named.
    pub project: Option<ProjectName>,
}

impl Caller {
    /// The caller behind a process of this machine, by the account it runs as: root may everything, a project's
    /// account may work on its project, and nobody else has any right.
    pub fn of_process(uid: u32, account: Option<&Account>) -> Result<Caller, Failure> {
        if uid == 0 {
            return Ok(Caller {
                identity: Identity::Account("root".into()),
                role: Role::Admin,
                project: None,
            });
        }
        if let Some(account) = account
            && let Some(project) = account.project()
        {
            return Ok(Caller {
                identity: Identity::Account(account.name.clone()),
                role: Role::Developer,
                project: Some(project),
            });
        }
        let who = match account {
            Some(account) => {
                let name: String = account
                    .name
                    .chars()
                    .filter(|c| !c.is_control())
                    .take(64)
                    .collect();
                format!("account `{name}`")
            }
            None => format!("user number {uid}"),
        };
        Err(Failure::new(
            Kind::Denied,
            format!("cannot answer {who}: it is no project's account"),
        )
        .hint("run it as root (`sudo hostkit …`), as the account of a project, or with a token in HOSTKIT_TOKEN"))
    }

    /// Whether this caller may do something on `project` (`None`: on the installation as a whole).
    /// A token of one project has no rights on the installation. Certificates are of host names: which of them are the
    /// caller's is looked up where they are known.
    pub fn may(&self, permission: Permission, project: Option<&ProjectName>) -> bool {
        if matches!(permission, Permission::Public | Permission::KnowOneself) {
            return true;
        }
        if matches!(
            permission,
            Permission::ReadCertificates | Permission::ManageCertificates
        ) {
            return self.role.may(permission);
        }
        let covered = match (&self.project, project) {
            (None, _) => true,
            (Some(own), Some(asked)) => own == asked,
            (Some(_), None) => false,
        };
        covered && self.role.may(permission)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, comment: &str) -> Account {
        Account {
            name: name.into(),
            comment: comment.into(),
        }
    }

    #[test]
    fn root_may_everything_whatever_its_account_says() {
        for account in [None, Some(account("shop", "HostKit project shop"))] {
            let caller = Caller::of_process(0, account.as_ref()).unwrap();
            assert_eq!((caller.role, &caller.project), (Role::Admin, &None));
            assert!(caller.may(Permission::ManageInstallation, None));
            assert_eq!(caller.identity.to_string(), "account `root`");
        }
    }

    #[test]
    fn a_project_may_work_on_itself() {
        let (shop, blog) = (
            ProjectName::parse("shop").unwrap(),
            ProjectName::parse("blog").unwrap(),
        );
        for comment in ["HostKit project shop", "HostKit project shop,2.07,555,"] {
            let caller = Caller::of_process(1001, Some(&account("shop", comment))).unwrap();
            assert!(caller.may(Permission::DeployProject, Some(&shop)));
            assert!(!caller.may(Permission::ReadProject, Some(&blog)));
            assert!(!caller.may(Permission::ReadInstallation, None));
            assert!(!caller.may(Permission::DeleteProject, Some(&shop)));
            assert!(!caller.may(Permission::ManageAccess, Some(&shop)));
            assert!(caller.may(Permission::KnowOneself, None));
            assert!(caller.may(Permission::ManageCertificates, None));
        }
    }

    #[test]
    fn nobody_else_has_any_right() {
        for (name, comment) in [
            ("bob", ""),
            ("bob", "Bob"),
            // An account that says it is another one's.
            ("bob", "HostKit project shop"),
            ("shop", "hostkit project shop"),
            ("shop", "HostKit project shopping"),
            ("shop", "HostKit project"),
            ("shop", "x,HostKit project shop"),
            // Names that are no project's.
            ("www", "HostKit project www"),
            ("a b", "HostKit project a b"),
            ("root", "root"),
        ] {
            let failure = Caller::of_process(1001, Some(&account(name, comment))).unwrap_err();
            assert_eq!(failure.kind, Kind::Denied, "{name} {comment}");
            assert!(failure.message.contains(name));
        }
        let unknown = Caller::of_process(70_000, None).unwrap_err();
        assert_eq!(
            unknown.message,
            "cannot answer user number 70000: it is no project's account"
        );
    }
}
