//! What a project needs on the machine, made when it is created, mended at every start, taken away when it is deleted.
//! The row in the state comes first and goes last: whatever is interrupted in between is finished at the next start.

use std::sync::Arc;

use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::project::EnvironmentId;
use hostkit_store::Project;

use crate::context::Context;

/// Creates a project. Goes on when the caller stops waiting.
pub(crate) async fn create(context: &Arc<Context>, name: &ProjectName) -> Result<Project, Failure> {
    let (context, name) = (context.clone(), name.clone());
    tokio::spawn(async move { make(&context, &name).await })
        .await
        .map_err(|why| Failure::new(Kind::Internal, format!("cannot create a project: {why}")))?
}

async fn make(context: &Context, name: &ProjectName) -> Result<Project, Failure> {
    let store = &context.parts.store;
    let project = store.create_project(name)?;
    let _held = context.premises.lock().await;
    if let Err(failure) = context.parts.premises.ensure(name).await {
        return Err(take_back(context, name, failure).await);
    }
    // Deleted by somebody else in the meantime: then that is what it is, an answer with a project would be a lie.
    if store.project(name)?.deleting {
        return Err(Failure::new(
            Kind::Conflict,
            format!("cannot create project `{name}`: it was deleted meanwhile"),
        ));
    }
    context.wake.notify_one();
    Ok(project)
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
        match context.parts.premises.ensure(&project.name).await {
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
