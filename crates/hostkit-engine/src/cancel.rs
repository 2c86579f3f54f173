//! Cancelling a deployment. What is so is in the state; here is who is told of it at once.

use std::sync::Arc;

use hostkit_core::deployment::{Deployment, DeploymentId, DeploymentState};
use hostkit_core::kind::Failure;

use crate::context::Context;
use crate::journal::Journal;

/// Cancels a deployment for somebody: one that waits is taken out, one that runs begins to be undone.
pub(crate) fn cancel(context: &Arc<Context>, id: DeploymentId, by: &str) -> Result<Deployment, Failure> {
    let store = &context.parts.store;
    let waited = store.deployment(id)?.state == DeploymentState::Queued;
    let deployment = store.cancel(id, by)?;
    if deployment.state == DeploymentState::Cancelled
        && waited
        && let Some(failure) = &deployment.failure
    {
        // It never ran, so nobody else writes its log.
        Journal::open(context, &deployment.environment, id).say(&failure.message);
    }
    context.cancelled.send_replace(());
    Ok(deployment)
}

/// Waits until a deployment that runs is cancelled; the failure says by whom.
pub(crate) async fn cancelled(context: &Context, id: DeploymentId) -> Failure {
    // Before the first look: what is cancelled in between is told.
    let mut word = context.cancelled.subscribe();
    loop {
        let now = context.parts.store.deployment(id);
        if let Some(failure) = now
            .ok()
            .filter(Deployment::is_being_cancelled)
            .and_then(|d| d.failure)
        {
            return failure;
        }
        if word.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}
