//! Projects.

use std::collections::BTreeMap;

use hostkit_api::addon::OutsideAddress;
use hostkit_api::endpoints::{CreateProject, DeleteProject, GetProject, ListProjects, ProvisionProject};
use hostkit_api::project::{Deleted, NewProject, Project, Provisioned};
use hostkit_core::addon::AddonKind;
use hostkit_core::kind::Failure;
use hostkit_core::secret::Secret;
use hostkit_engine::{Keeps, OutsideAddresses};

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
    let outside = addresses(new.outside);
    let engine = &shared.engine;
    let project = engine.create_project_with(&new.name, &outside, call.by()).await?;
    view::project(shared, project)
}

pub(crate) async fn provision(
    call: Admitted<ProvisionProject>,
    new: NewProject,
) -> Result<Provisioned, Failure> {
    let shared = call.shared();
    let outside = addresses(new.outside);
    let engine = &shared.engine;
    let provisioned = engine.provision_project(&new.name, &outside, call.by()).await?;
    Ok(Provisioned {
        project: view::project(shared, provisioned.project)?,
        is_new: provisioned.is_new,
        changes: provisioned.changes,
    })
}

fn addresses(given: BTreeMap<AddonKind, OutsideAddress>) -> OutsideAddresses {
    let given = given.into_iter();
    given
        .map(|(kind, one)| (kind, Secret::new(one.address)))
        .collect()
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
