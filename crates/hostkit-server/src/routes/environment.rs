//! Environments and what runs in them.

use hostkit_api::endpoints::{GetEnvironment, GetEnvironmentDoctor, ListEnvironments, ListInstances};
use hostkit_api::installation::Finding;
use hostkit_api::project::Environment;
use hostkit_core::kind::Failure;
use hostkit_core::workload::{Instance, Scope};

use crate::auth::Admitted;
use crate::view;

pub(crate) async fn list(call: Admitted<ListEnvironments>, (): ()) -> Result<Vec<Environment>, Failure> {
    let shared = call.shared();
    let project = shared.store().project(call.target())?;
    let environments = project.environments.iter();
    environments.map(|e| view::environment(shared, e)).collect()
}

pub(crate) async fn get(call: Admitted<GetEnvironment>, (): ()) -> Result<Environment, Failure> {
    let shared = call.shared();
    view::environment(shared, &shared.store().environment(call.target())?)
}

pub(crate) async fn instances(call: Admitted<ListInstances>, (): ()) -> Result<Vec<Instance>, Failure> {
    let shared = call.shared();
    shared.store().environment(call.target())?;
    let mut instances = shared.engine.instances(&Scope::of(call.target())).await?;
    instances.sort_by(|a, b| a.id.cmp(&b.id));
    Ok(instances)
}

pub(crate) async fn doctor(call: Admitted<GetEnvironmentDoctor>, (): ()) -> Result<Vec<Finding>, Failure> {
    let findings = call.shared().engine.doctor_of(call.target()).await?;
    Ok(findings.into_iter().map(view::finding).collect())
}
