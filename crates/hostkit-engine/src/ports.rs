//! Whose loopback ports are whose: the stable ports of processes, those of add-ons, and the ports instances have or are about to have. The
//! rules are in force before a program runs behind them; where they cannot be, nothing new is started.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Instant;

use futures_util::future::try_join_all;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::port_use::PortUse;
use hostkit_core::workload::{Instance, Scope, Workload};

use crate::addons;
use crate::context::{Context, locked};

type Owned = BTreeMap<u16, PortUse>;

/// What was last brought in force. One lock around looking and bringing in force: an older look never overtakes a
/// newer one.
#[derive(Default)]
pub(crate) struct Ports {
    last: tokio::sync::Mutex<Option<(Owned, Instant)>>,
    trouble: Mutex<Option<Failure>>,
}

impl Ports {
    /// Why ports are not kept apart just now.
    pub(crate) fn trouble(&self) -> Option<Failure> {
        locked(&self.trouble).clone()
    }
}

/// Starts what is missing of these workloads, each on ports that belong to its project before its program runs.
pub(crate) async fn start(context: &Context, workloads: &[&Workload]) -> Result<(), Failure> {
    let runtime = &context.parts.runtime;
    if context.parts.port_owners.is_some() {
        let reserved = try_join_all(workloads.iter().map(|workload| runtime.reserve(workload))).await?;
        if reserved.contains(&true) {
            bring_in_force(context).await.map_err(unguarded)?;
        }
    }
    try_join_all(workloads.iter().map(|workload| runtime.ensure(workload))).await?;
    Ok(())
}

/// Makes ports belong to whom they belong by what there is now.
pub(crate) async fn bring_in_force(context: &Context) -> Result<(), Failure> {
    let Some(owners) = &context.parts.port_owners else {
        return Ok(());
    };
    let mut last = context.ports.last.lock().await;
    // Looked at here, under the lock: an older look could take ports from instances that are just being started.
    let observed = context.parts.runtime.observe(&Scope::default()).await?;
    let owned = picture(context, &observed)?;
    let outcome = owners.ensure(&owned).await;
    *last = outcome.is_ok().then(|| (owned, Instant::now()));
    drop(last);
    let before = std::mem::replace(
        &mut *locked(&context.ports.trouble),
        outcome.as_ref().err().cloned(),
    );
    if outcome.is_ok() && before.is_some() {
        tracing::info!("the ports of projects are kept apart again");
    }
    outcome.map(drop)
}

/// Follows what changed, and mends what somebody else changed at the rules, which is looked at now and then.
pub(crate) async fn keep(context: &Context, observed: &[Instance]) -> Result<(), Failure> {
    if context.parts.port_owners.is_none() {
        return Ok(());
    }
    let owned = picture(context, observed)?;
    let is_known = match &*context.ports.last.lock().await {
        // Half of it, as the loop itself comes round after the whole.
        Some((last, at)) => *last == owned && at.elapsed() < context.parts.settings.reconcile_all_every / 2,
        None => false,
    };
    if is_known {
        return Ok(());
    }
    bring_in_force(context).await
}

fn picture(context: &Context, observed: &[Instance]) -> Result<Owned, Failure> {
    let mut owned = Owned::new();
    for project in context.parts.store.projects()? {
        // What is being deleted keeps the ports it still has programs on, and no others.
        for environment in project.environments.iter().filter(|_| !project.deleting) {
            for port in environment.ports.values() {
                owned.insert(*port, PortUse::of_project(project.name.clone()));
            }
        }
    }
    owned.extend(addons::ports(context)?);
    for instance in observed {
        if let Some(address) = instance.address {
            let project = &instance.id.workload.environment.project;
            owned.insert(address.port(), PortUse::of_project(project.clone()));
        }
    }
    Ok(owned)
}

fn unguarded(why: Failure) -> Failure {
    let message = format!("cannot start anything: ports are not kept apart: {}", why.message);
    Failure {
        kind: Kind::Unavailable,
        message,
        ..why
    }
}
