//! What the path of an endpoint names: nothing, a project, an environment, a deployment, a variable, a domain, a
//! certificate, a token.
//! Paths are read into checked names here and nowhere else, so no handler ever sees a raw part of a path.

use hostkit_core::addon::AddonId;
use hostkit_core::certificate::CertificateName;
use hostkit_core::database::DatabaseId;
use hostkit_core::deployment::DeploymentId;
use hostkit_core::domain::DomainName;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::{EnvironmentName, NameError, ProjectName, TokenName, VariableName};
use hostkit_core::project::EnvironmentId;

/// A part of a path that is filled in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parameter {
    /// Its name in the template.
    pub name: &'static str,
    /// What it is.
    pub doc: &'static str,
}

const PROJECT: Parameter = Parameter {
    name: "project",
    doc: "The name of the project.",
};
const ENVIRONMENT: Parameter = Parameter {
    name: "environment",
    doc: "The name of the environment: `production` is there from the start.",
};

/// Finds the text of a parameter by its name.
pub type Find<'a> = &'a dyn Fn(&str) -> Option<String>;

/// What a path names.
pub trait Target: Clone + Send + Sync + Sized + 'static {
    /// The parts that are filled in.
    const PARAMETERS: &'static [Parameter];

    /// Reads it from the parts of a path.
    fn read(find: Find<'_>) -> Result<Self, Failure>;

    /// The text of a part.
    fn part(&self, parameter: &str) -> Option<String>;

    /// The project it lies in; none for the installation as a whole.
    fn project(&self) -> Option<&ProjectName>;

    /// The path for a template. Every name that can stand in one is safe in a URL as it is.
    fn fill(&self, template: &str) -> String {
        Self::PARAMETERS.iter().fold(template.to_owned(), |path, p| {
            path.replace(&format!("{{{}}}", p.name), &self.part(p.name).unwrap_or_default())
        })
    }
}

pub(crate) fn name<T>(find: Find<'_>, part: &str) -> Result<T, Failure>
where
    T: std::str::FromStr<Err = NameError>,
{
    let text = find(part).unwrap_or_default();
    text.parse()
        .map_err(|why| Failure::new(Kind::Invalid, format!("cannot read the path: {why}")))
}

/// The installation as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Installation;

impl Target for Installation {
    const PARAMETERS: &'static [Parameter] = &[];
    fn read(_: Find<'_>) -> Result<Self, Failure> {
        Ok(Installation)
    }
    fn part(&self, _: &str) -> Option<String> {
        None
    }
    fn project(&self) -> Option<&ProjectName> {
        None
    }
}

impl Target for ProjectName {
    const PARAMETERS: &'static [Parameter] = &[PROJECT];
    fn read(find: Find<'_>) -> Result<Self, Failure> {
        name(find, "project")
    }
    fn part(&self, _: &str) -> Option<String> {
        Some(self.to_string())
    }
    fn project(&self) -> Option<&ProjectName> {
        Some(self)
    }
}

impl Target for EnvironmentId {
    const PARAMETERS: &'static [Parameter] = &[PROJECT, ENVIRONMENT];
    fn read(find: Find<'_>) -> Result<Self, Failure> {
        let project: ProjectName = name(find, "project")?;
        let environment: EnvironmentName = name(find, "environment")?;
        Ok(EnvironmentId::new(project, environment))
    }
    fn part(&self, parameter: &str) -> Option<String> {
        match parameter {
            "project" => Some(self.project.to_string()),
            _ => Some(self.environment.to_string()),
        }
    }
    fn project(&self) -> Option<&ProjectName> {
        Some(&self.project)
    }
}

/// A deployment of a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneDeployment {
    /// The project.
    pub project: ProjectName,
    /// The number.
    pub id: DeploymentId,
}

impl Target for OneDeployment {
    const PARAMETERS: &'static [Parameter] = &[
        PROJECT,
        Parameter {
            name: "deployment",
            doc: "The number of the deployment.",
        },
    ];
    fn read(find: Find<'_>) -> Result<Self, Failure> {
        let text = find("deployment").unwrap_or_default();
        let id = text.parse().map_err(|_| {
            let shown: String = text.chars().filter(|c| !c.is_control()).take(64).collect();
            Failure::new(
                Kind::Invalid,
                format!("cannot read the path: `{shown}` is not the number of a deployment"),
            )
        })?;
        Ok(OneDeployment {
            project: name(find, "project")?,
            id,
        })
    }
    fn part(&self, parameter: &str) -> Option<String> {
        match parameter {
            "project" => Some(self.project.to_string()),
            _ => Some(self.id.to_string()),
        }
    }
    fn project(&self) -> Option<&ProjectName> {
        Some(&self.project)
    }
}

/// A variable of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneVariable {
    /// The environment.
    pub environment: EnvironmentId,
    /// The name of the variable.
    pub variable: VariableName,
}

impl Target for OneVariable {
    const PARAMETERS: &'static [Parameter] = &[
        PROJECT,
        ENVIRONMENT,
        Parameter {
            name: "variable",
            doc: "The name of the variable.",
        },
    ];
    fn read(find: Find<'_>) -> Result<Self, Failure> {
        Ok(OneVariable {
            environment: EnvironmentId::read(find)?,
            variable: name(find, "variable")?,
        })
    }
    fn part(&self, parameter: &str) -> Option<String> {
        match parameter {
            "variable" => Some(self.variable.to_string()),
            other => self.environment.part(other),
        }
    }
    fn project(&self) -> Option<&ProjectName> {
        Some(&self.environment.project)
    }
}

/// An add-on of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneAddon(pub AddonId);

impl Target for OneAddon {
    const PARAMETERS: &'static [Parameter] = &[
        PROJECT,
        ENVIRONMENT,
        Parameter {
            name: "addon",
            doc: "What it is: `postgres`, `redis` or `storage`.",
        },
    ];
    fn read(find: Find<'_>) -> Result<Self, Failure> {
        let environment = EnvironmentId::read(find)?;
        Ok(OneAddon(AddonId::new(environment, name(find, "addon")?)))
    }
    fn part(&self, parameter: &str) -> Option<String> {
        match parameter {
            "addon" => Some(self.0.kind.to_string()),
            other => self.0.environment.part(other),
        }
    }
    fn project(&self) -> Option<&ProjectName> {
        Some(&self.0.environment.project)
    }
}

impl Target for DatabaseId {
    const PARAMETERS: &'static [Parameter] = &[
        PROJECT,
        ENVIRONMENT,
        Parameter {
            name: "database",
            doc: "What it is called: `db` is the one that is there from the start.",
        },
    ];
    fn read(find: Find<'_>) -> Result<Self, Failure> {
        Ok(DatabaseId::new(
            EnvironmentId::read(find)?,
            name(find, "database")?,
        ))
    }
    fn part(&self, parameter: &str) -> Option<String> {
        match parameter {
            "database" => Some(self.label.to_string()),
            other => self.environment.part(other),
        }
    }
    fn project(&self) -> Option<&ProjectName> {
        Some(&self.environment.project)
    }
}

/// A domain of an environment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OneDomain {
    /// The environment.
    pub environment: EnvironmentId,
    /// Its name.
    pub domain: DomainName,
}

impl Target for OneDomain {
    const PARAMETERS: &'static [Parameter] = &[
        PROJECT,
        ENVIRONMENT,
        Parameter {
            name: "domain",
            doc: "The host name, in lower case, or `*.` and a host name.",
        },
    ];
    fn read(find: Find<'_>) -> Result<Self, Failure> {
        Ok(OneDomain {
            environment: EnvironmentId::read(find)?,
            domain: name(find, "domain")?,
        })
    }
    fn part(&self, parameter: &str) -> Option<String> {
        match parameter {
            "domain" => Some(self.domain.to_string()),
            other => self.environment.part(other),
        }
    }
    fn project(&self) -> Option<&ProjectName> {
        Some(&self.environment.project)
    }
}

impl Target for CertificateName {
    const PARAMETERS: &'static [Parameter] = &[Parameter {
        name: "certificate",
        doc: "What it is for: a host name, or `*.` and a host name.",
    }];
    fn read(find: Find<'_>) -> Result<Self, Failure> {
        name(find, "certificate")
    }
    fn part(&self, _: &str) -> Option<String> {
        Some(self.to_string())
    }
    fn project(&self) -> Option<&ProjectName> {
        None
    }
}

impl Target for TokenName {
    const PARAMETERS: &'static [Parameter] = &[Parameter {
        name: "token",
        doc: "The name of the token.",
    }];
    fn read(find: Find<'_>) -> Result<Self, Failure> {
        name(find, "token")
    }
    fn part(&self, _: &str) -> Option<String> {
        Some(self.to_string())
    }
    fn project(&self) -> Option<&ProjectName> {
        None
    }
}
