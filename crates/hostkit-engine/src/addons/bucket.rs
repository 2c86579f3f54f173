//! Buckets of environments: what they hold, and what is so in them.

use std::sync::Arc;

use hostkit_core::addon::{AddonId, AddonKind, AddonSettings};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::storage::{BucketPolicy, BucketReport};
use hostkit_core::traits::{Addon as Driver, Buckets};

use super::{outside, provided};
use crate::context::Context;
use crate::routing;

pub(crate) async fn report(context: &Context, environment: &EnvironmentId) -> Result<BucketReport, Failure> {
    let id = AddonId::new(environment.clone(), AddonKind::Storage);
    let order = context.parts.store.addon(&id)?.order;
    let driver = provided(context, "look at", &id, &order.settings)?;
    of(driver, &id)?.report(&order).await
}

/// Makes it so, and answers how the bucket is then. Where rules are refused nothing is changed.
pub(crate) async fn set_policy(
    context: &Context,
    environment: &EnvironmentId,
    policy: &BucketPolicy,
    by: &str,
) -> Result<BucketReport, Failure> {
    let id = AddonId::new(environment.clone(), AddonKind::Storage);
    let known = context.parts.store.addon(&id)?.order.settings;
    if known.outside {
        return Err(outside::not_set(&id));
    }
    let driver = provided(context, "change", &id, &known)?;
    let buckets = of(driver, &id)?;
    policy.rules.check()?;
    let lock = context.lock_of_addon(&id);
    let _held = lock.lock().await;
    let before = context.parts.store.addon(&id)?;
    if before.removing {
        let message = format!("cannot change {id}: it is being taken away");
        return Err(Failure::new(Kind::Conflict, message));
    }
    let settings = AddonSettings {
        quota: policy.quota,
        public: policy.public.clone(),
        ..before.order.settings.clone()
    };
    settings.check(id.kind)?;
    buckets.set_rules(&before.order, &policy.rules).await?;
    let addon = context.parts.store.set_addon_settings(&id, &settings, by)?;
    driver.ensure(&addon.order).await?;
    lead_visitors(context).await;
    buckets.report(&addon.order).await
}

/// Has visitors led to what is public by now, and nowhere else. A front door that is being started again gets the table from
/// the loops.
pub(super) async fn lead_visitors(context: &Context) {
    if let Err(error) = routing::apply(context).await {
        tracing::warn!(%error, "cannot hand over what is public at once; it is tried again");
        context.wake.notify_one();
    }
}

fn of<'a>(driver: &'a Arc<dyn Driver>, id: &AddonId) -> Result<&'a dyn Buckets, Failure> {
    let none = || Failure::new(Kind::Internal, format!("cannot work on {id}: it has no bucket"));
    driver.buckets().ok_or_else(none)
}
