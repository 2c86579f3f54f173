//! Deployments: asked for, listed, followed.

use std::pin::Pin;

use futures_util::{Stream, StreamExt};
use hostkit_api::deployment::{DeploymentUpdate, NewDeployment};
use hostkit_api::endpoints::{
    CancelDeployment, CreateDeployment, GetDeployment, GetDeploymentLog, ListDeployments,
};
use hostkit_api::target::OneDeployment;
use hostkit_core::deployment::Deployment;
use hostkit_core::kind::{Failure, Kind};

use crate::auth::Admitted;
use crate::shared::Shared;

/// The most deployments of one answer, and how many there are where nothing is said.
const MOST: u32 = 1000;
const USUAL: u32 = 20;
/// The longest trigger that is kept.
const TRIGGER: usize = 100;

pub(crate) async fn create(
    call: Admitted<CreateDeployment>,
    new: NewDeployment,
) -> Result<Deployment, Failure> {
    let engine = &call.shared().engine;
    let trigger = match &call.query().trigger {
        None => "api",
        Some(text) if text.len() <= TRIGGER && !text.is_empty() && !text.chars().any(char::is_control) => {
            text
        }
        Some(_) => {
            let why = format!("cannot deploy: the trigger is no text of 1 to {TRIGGER} printable characters");
            return Err(Failure::new(Kind::Invalid, why));
        }
    };
    let act = match new.act() {
        Some(act) => act,
        None => engine.way_back(call.target())?,
    };
    engine.submit(call.target(), act, trigger).await
}

pub(crate) async fn list(call: Admitted<ListDeployments>, (): ()) -> Result<Vec<Deployment>, Failure> {
    let store = call.shared().store();
    store.environment(call.target())?;
    let last = call.query().last.unwrap_or(USUAL).min(MOST);
    store.deployments(call.target(), last as usize)
}

pub(crate) async fn get(call: Admitted<GetDeployment>, (): ()) -> Result<Deployment, Failure> {
    of_project(call.shared(), call.target())
}

pub(crate) async fn cancel(call: Admitted<CancelDeployment>, (): ()) -> Result<Deployment, Failure> {
    of_project(call.shared(), call.target())?;
    call.shared().engine.cancel(call.target().id, call.by())
}

/// A deployment is only found below its own project, whatever its number.
fn of_project(shared: &Shared, target: &OneDeployment) -> Result<Deployment, Failure> {
    let OneDeployment { project, id } = target;
    match shared.store().deployment(*id) {
        Ok(deployment) if deployment.environment.project == *project => Ok(deployment),
        Err(failure) if failure.kind != Kind::NotFound => Err(failure),
        _ => Err(Failure::new(
            Kind::NotFound,
            format!("cannot find deployment {id}: project `{project}` has none of this number"),
        )
        .hint("see the last ones with `hostkit deployments list`")),
    }
}

type Updates = Pin<Box<dyn Stream<Item = DeploymentUpdate> + Send>>;

pub(crate) async fn log(call: Admitted<GetDeploymentLog>) -> Result<Updates, Failure> {
    let shared = call.shared();
    of_project(shared, call.target())?;
    let id = call.target().id;
    let updates = match call.query().follow {
        true => shared.engine.follow(id).await?,
        false => shared.engine.told(id).await?,
    };
    Ok(Box::pin(updates.map(|update| match update {
        hostkit_engine::DeploymentUpdate::Line(line) => DeploymentUpdate::Line(line),
        hostkit_engine::DeploymentUpdate::Changed(deployment) => DeploymentUpdate::Deployment(deployment),
    })))
}
