//! What a project needs on the machine, made when it is created, mended at every start, taken away when it is deleted.
//! The row in the state comes first and goes last: whatever is interrupted in between is finished at the next start.

use std::sync::Arc;

use hostkit_core::addon::AddonId;
use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::{EnvironmentName, ProcessName, ProjectName};
use hostkit_core::project::EnvironmentId;
use hostkit_store::Project;
use tokio::task::JoinHandle;

use crate::addons::{self, OutsideAddresses};
use crate::context::Context;

/// A project as it should be, and what had to be done for that.
#[derive(Debug, Clone, PartialEq)]
pub struct Provisioned {
    /// The project.
    pub project: Project,
    /// Whether it is new.
    pub is_new: bool,
    /// What was made or mended on the machine, in words.
    pub changes: Vec<String>,
}

/// Creates a project with nothing besides. Goes on when the caller stops waiting.
pub(crate) async fn create(context: &Arc<Context>, name: &ProjectName) -> Result<Project, Failure> {
    create_with(context, name, &OutsideAddresses::new(), "").await
}

/// Creates a project with what somebody else keeps. Goes on when the caller stops waiting.
pub(crate) async fn create_with(
    context: &Arc<Context>,
    name: &ProjectName,
    outside: &OutsideAddresses,
    by: &str,
) -> Result<Project, Failure> {
    let (context, name, outside, by) = (context.clone(), name.clone(), outside.clone(), by.to_owned());
    let made = tokio::spawn(async move { make(&context, &name, &outside, &by).await });
    Ok(finished(made).await?.project)
}

/// Creates a project, or mends one that is there. Goes on when the caller stops waiting.
pub(crate) async fn provision(
    context: &Arc<Context>,
    name: &ProjectName,
    outside: &OutsideAddresses,
    by: &str,
) -> Result<Provisioned, Failure> {
    let (context, name, outside, by) = (context.clone(), name.clone(), outside.clone(), by.to_owned());
    let made = tokio::spawn(async move {
        match context.parts.store.project(&name) {
            Err(failure) if failure.kind == Kind::NotFound => make(&context, &name, &outside, &by).await,
            other => mend_with(&context, other?, outside, &by).await,
        }
    });
    finished(made).await
}

/// Mends a project, and adds what somebody else keeps of which production has none.
async fn mend_with(
    context: &Arc<Context>,
    project: Project,
    mut outside: OutsideAddresses,
    by: &str,
) -> Result<Provisioned, Failure> {
    let production = EnvironmentId::new(project.name.clone(), EnvironmentName::production());
    for there in context.parts.store.addons_of(&production)? {
        outside.remove(&there.order.id.kind);
    }
    addons::try_outside(context, &production, &outside).await?;
    let mended = mend(context, project).await?;
    for (kind, address) in outside {
        let id = AddonId::new(production.clone(), kind);
        addons::add(context, &id, addons::New::Outside(address), by).await?;
    }
    Ok(mended)
}

async fn finished(made: JoinHandle<Result<Provisioned, Failure>>) -> Result<Provisioned, Failure> {
    made.await
        .map_err(|why| Failure::new(Kind::Internal, format!("cannot create a project: {why}")))?
}

async fn mend(context: &Context, project: Project) -> Result<Provisioned, Failure> {
    let (store, name) = (&context.parts.store, &project.name);
    let _held = context.premises.lock().await;
    // Read again under the lock: it may be gone, or on its way.
    if store.project(name)?.deleting {
        return Err(Failure::new(
            Kind::Conflict,
            format!("cannot provision project `{name}`: it is being deleted"),
        )
        .hint("wait until it is gone, then try again"));
    }
    let changes = ensure(context, name).await?;
    Ok(Provisioned {
        project: store.project(name)?,
        is_new: false,
        changes,
    })
}

/// Makes what is missing on the machine, with the port that other programs on it find the project at.
async fn ensure(context: &Context, name: &ProjectName) -> Result<Vec<String>, Failure> {
    let mut changes = context.parts.premises.ensure(name).await?;
    let production = EnvironmentId::new(name.clone(), EnvironmentName::production());
    let store = &context.parts.store;
    let had = store.environment(&production)?.ports;
    let port = store.assign_port(&production, &ProcessName::web(), context.parts.port_is_free)?;
    if !had.contains_key(&ProcessName::web()) {
        changes.push(format!("port {port}"));
    }
    Ok(changes)
}

async fn make(
    context: &Context,
    name: &ProjectName,
    outside: &OutsideAddresses,
    by: &str,
) -> Result<Provisioned, Failure> {
    let store = &context.parts.store;
    // A name that is taken is told without asking anybody.
    if store.project(name).is_err() {
        let production = EnvironmentId::new(name.clone(), EnvironmentName::production());
        addons::try_outside(context, &production, outside).await?;
    }
    store.create_project_with(name, outside, by)?;
    let _held = context.premises.lock().await;
    let changes = match ensure(context, name).await {
        Ok(changes) => changes,
        Err(failure) => return Err(take_back(context, name, failure).await),
    };
    let project = store.project(name)?;
    // Deleted by somebody else in the meantime: then that is what it is, an answer with a project would be a lie.
    if project.deleting {
        return Err(Failure::new(
            Kind::Conflict,
            format!("cannot create project `{name}`: it was deleted meanwhile"),
        ));
    }
    context.wake.notify_one();
    Ok(Provisioned {
        project,
        is_new: true,
        changes,
    })
}

/// Undoes a creation that failed. What cannot be undone now stays marked, and is removed at the next start.
async fn take_back(context: &Context, name: &ProjectName, failure: Failure) -> Failure {
    let store = &context.parts.store;
    let undone = async {
        store.begin_delete(name)?;
        // A name that means something else on the machine was not touched, and must not be now.
        if failure.kind != Kind::Conflict {
            context.parts.premises.remove(name).await?;
        }
        store.finish_delete(name)
    };
    match undone.await {
        Ok(()) => failure,
        Err(why) => {
            let note = format!("what was made is not all gone yet: {why}");
            let details = [failure.details.clone(), vec![note]].concat();
            failure.details(details)
        }
    }
}

/// Takes away what a project that is being deleted has on the machine.
pub(crate) async fn remove(context: &Context, name: &ProjectName) -> Result<(), Failure> {
    let _held = context.premises.lock().await;
    context.parts.premises.remove(name).await
}

/// Finishes what was interrupted and mends what drifted while nobody looked.
pub(crate) async fn take_up(context: Arc<Context>) {
    for project in context.parts.store.projects().unwrap_or_default() {
        let _held = context.premises.lock().await;
        // Read again under the lock: it may be gone, or on its way.
        let still = context.parts.store.project(&project.name);
        if !still.is_ok_and(|project| !project.deleting) {
            continue;
        }
        match ensure(&context, &project.name).await {
            Ok(changes) if changes.is_empty() => {}
            Ok(changes) => {
                let production = EnvironmentId::new(project.name.clone(), EnvironmentName::production());
                let what = What::ProjectMended { changes };
                if let Err(error) = context.parts.store.record(Some(&production), what) {
                    tracing::warn!(project = %project.name, %error, "cannot record what was mended");
                }
            }
            Err(error) => {
                tracing::warn!(project = %project.name, %error, "cannot make what a project needs");
            }
        }
    }
}
