//! Instances by the folders they have, and how they are spoken of.

use std::fs;
use std::path::Path;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::workload::{InstanceId, Scope, WorkloadId};

/// Exactly one workload.
pub(crate) fn scope_of(id: &WorkloadId) -> Scope {
    Scope {
        environment: Some(id.environment.clone()),
        process: Some(id.process.clone()),
        deployment: Some(id.deployment),
    }
}

pub(crate) fn no_instance(verb: &str, id: &InstanceId) -> Failure {
    Failure::new(
        Kind::NotFound,
        format!("cannot {verb} `{id}`: there is no such instance"),
    )
    .hint(format!(
        "hostkit ps --project {}",
        id.workload.environment.project
    ))
}

/// All instances that are meant and have a folder. Names are compared as what they mean, never as text that begins
/// alike.
pub(crate) fn with_folders(layout: &Layout, scope: &Scope) -> Result<Vec<InstanceId>, Failure> {
    let environments = match &scope.environment {
        Some(id) => vec![id.clone()],
        None => all_environments(layout)?,
    };
    let mut found = Vec::new();
    for environment in environments {
        for name in names_in(&layout.instances(&environment))? {
            let Ok(id) = InstanceId::try_from(name) else {
                continue;
            };
            if id.workload.environment == environment && scope.contains(&id.workload) {
                found.push(id);
            }
        }
    }
    Ok(found)
}

pub(crate) fn all_environments(layout: &Layout) -> Result<Vec<EnvironmentId>, Failure> {
    let mut found = Vec::new();
    for project in names_in(&layout.data().join("projects"))? {
        let Ok(project) = ProjectName::parse(&project) else {
            continue;
        };
        for environment in names_in(&layout.project(&project).join("environments"))? {
            if let Ok(environment) = EnvironmentName::parse(&environment) {
                found.push(EnvironmentId::new(project.clone(), environment));
            }
        }
    }
    Ok(found)
}

/// The names in a folder; none where there is no such folder.
pub(crate) fn names_in(folder: &Path) -> Result<Vec<String>, Failure> {
    let entries = match fs::read_dir(folder) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => {
            return Err(Failure::new(
                Kind::Internal,
                format!("cannot read `{}`: {e}", folder.display()),
            ));
        }
        Ok(entries) => entries,
    };
    Ok(entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok())
        .collect())
}
