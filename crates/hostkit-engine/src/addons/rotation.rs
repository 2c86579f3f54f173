//! How far a rotation is, and its next step. A rotation is: the new credential accepted beside the old one, a restart of
//! what is live, the old one taken away. What is live runs with the new one as soon as its generation is as late as that
//! restart, whichever deployment brought it; where that fails both stay accepted until a later one succeeds.

use std::sync::Arc;

use hostkit_core::addon::AddonId;
use hostkit_core::deployment::{Act, DeploymentId};
use hostkit_core::kind::Failure;
use hostkit_core::traits::Addon as Driver;
use hostkit_store::Standing;

use crate::context::Context;
use crate::lanes::LaneSet;

/// Does what can be done now; the add-on's lock is held.
pub(super) async fn step(
    context: &Context,
    lanes: &LaneSet,
    driver: &Arc<dyn Driver>,
    id: &AddonId,
) -> Result<(), Failure> {
    let store = &context.parts.store;
    let addon = store.addon(id)?;
    if addon.order.credentials.len() < 2 {
        return Ok(());
    }
    let unfinished = store.unfinished_deployments()?;
    let is_busy = unfinished.iter().any(|d| d.environment == id.environment);
    let standing = store.environment(&id.environment)?.standing();
    let is_told = match addon.rotation {
        _ if is_busy => false,
        _ if standing.live.is_none() || standing.stopped => true,
        Some(deployment) => runs_since(&standing, deployment),
        None => false,
    };
    if is_told {
        // It is over when the older one is refused, and is told to be so after that.
        let mut only = addon.order;
        only.credentials.truncate(1);
        driver.ensure(&only).await?;
        store.finish_rotation(id)?;
        return Ok(());
    }
    if addon.rotation.is_none() {
        driver.ensure(&addon.order).await?;
        let restart = store.submit(&id.environment, &Act::Restart, "rotation of a credential")?;
        store.set_rotation(id, restart.id)?;
        lanes.wake(&id.environment);
    }
    Ok(())
}

/// Whether all that runs was started by this deployment or a later one.
fn runs_since(standing: &Standing, deployment: DeploymentId) -> bool {
    let live = standing.live.iter().map(|live| live.generation);
    let canary = standing.canary.iter().map(|canary| canary.generation);
    live.chain(canary).all(|generation| generation >= deployment)
}
