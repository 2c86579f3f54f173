//! Projects.

use hostkit_api::endpoints::{CreateProject, DeleteProject, GetProject, ListProjects, ProvisionProject};
use hostkit_api::project::{Deleted, NewProject, Project, Provisioned};
use hostkit_core::kind::Failure;
use hostkit_engine::Keeps;

use crate::auth::Admitted;
use crate::view;

pub(crate) async fn list(call: Admitted<ListProjects>, (): ()) -> Result<Vec<Project>, Failure> {
    let shared = call.shared();
    let projects = shared.store().projects()?.into_iter();
    projects
        .filter(|project| !project.deleting)
        .map(|project| view::project(shared, project))
        .collect()
}

pub(crate) async fn create(call: Admitted<CreateProject>, new: NewProject) -> Result<Project, Failure> {
    let shared = call.shared();
    view::project(shared, shared.engine.create_project(&new.name).await?)
}

pub(crate) async fn provision(
    call: Admitted<ProvisionProject>,
    new: NewProject,
) -> Result<Provisioned, Failure> {
    let shared = call.shared();
    let provisioned = shared.engine.provision_project(&new.name).await?;
    Ok(Provisioned {
        project: view::project(shared, provisioned.project)?,
        is_new: provisioned.is_new,
        changes: provisioned.changes,
    })
}

pub(crate) async fn get(call: Admitted<GetProject>, (): ()) -> Result<Project, Failure> {
    let shared = call.shared();
    let mut project = view::project(shared, shared.store().project(call.target())?)?;
    if let Some(there) = &mut project.on_machine {
        there.exposure = shared.engine.exposure(call.target()).await?;
    }
    Ok(project)
}

pub(crate) async fn delete(call: Admitted<DeleteProject>, (): ()) -> Result<Deleted, Failure> {
    let (engine, name) = (&call.shared().engine, call.target());
    let deletion = call.query();
    let keeps = Keeps {
        archive: deletion.archive != Some(false),
        backup: deletion.backup != Some(false),
    };
    let archive = engine.delete_project_keeping(name, keeps).await?;
    call.shared().revocations.tell();
    Ok(Deleted {
        deleted: name.clone(),
        archive,
    })
}
