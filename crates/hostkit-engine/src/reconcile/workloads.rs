//! What should run runs; what nobody wants is removed; what crashed is told.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use hostkit_core::event::What;
use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;
use hostkit_core::workload::{Instance, InstanceId, InstanceState, Scope, WorkloadId};
use hostkit_store::{Environment, Standing};

use crate::context::Context;
use crate::{ports, wanted};

/// How often each instance was seen to have crashed.
#[derive(Default)]
pub(crate) struct Crashes(Option<HashMap<InstanceId, u32>>);

/// Compares all that runs with all that should, and begins to put right what differs; whether nothing did. Each
/// environment is put right on its own: a program that takes its time to stop keeps no other project waiting.
pub(crate) async fn reconcile(context: &Arc<Context>, observed: &[Instance]) -> Result<bool, Failure> {
    let mut standings: BTreeMap<EnvironmentId, Standing> = BTreeMap::new();
    for environment in context.parts.store.environments()? {
        standings.insert(environment.id.clone(), environment.standing());
    }
    for instance in observed {
        standings
            .entry(instance.id.workload.environment.clone())
            .or_default();
    }
    let mut all = Ok(true);
    // One environment in trouble does not keep the others.
    let mut repairs = context.repairs.lock().await;
    while let Some(ended) = repairs.try_join_next() {
        if let Ok(Err(failure)) = ended {
            all = Err(failure);
        }
    }
    for (id, standing) in standings {
        let outcome = is_as_wanted(context, &id, &standing, observed);
        if let Ok(false) = outcome {
            repairs.spawn(put_right(context.clone(), id));
        }
        if !matches!(outcome, Ok(true)) {
            all = all.and(outcome);
        }
    }
    all
}

/// Whether exactly the wanted instances are kept running; also those that wait to be started again are.
fn is_as_wanted(
    context: &Context,
    id: &EnvironmentId,
    standing: &Standing,
    observed: &[Instance],
) -> Result<bool, Failure> {
    let wanted: BTreeSet<InstanceId> = wanted::instances(&wanted::counts(context, id, standing)?)
        .into_iter()
        .collect();
    let kept = |i: &&Instance| i.id.workload.environment == *id && i.state != InstanceState::Stopped;
    Ok(wanted == observed.iter().filter(kept).map(|i| i.id.clone()).collect())
}

/// Makes it so. Whoever deploys has the lock; a second look under it sees nothing half done.
async fn put_right(context: Arc<Context>, id: EnvironmentId) -> Result<(), Failure> {
    let (context, id) = (&*context, &id);
    let lock = context.lock_of(id);
    let Ok(_held) = lock.try_lock() else {
        return Ok(());
    };
    let runtime = &context.parts.runtime;
    let environments = context.parts.store.environments()?;
    let standing = environments
        .iter()
        .find(|e| e.id == *id)
        .map(Environment::standing)
        .unwrap_or_default();
    let counts = wanted::counts(context, id, &standing)?;
    let observed = runtime.observe(&Scope::of(id)).await?;
    let there: BTreeSet<WorkloadId> = observed.into_iter().map(|i| i.id.workload).collect();
    for workload in there.iter().filter(|w| !counts.contains_key(w)) {
        tracing::info!(%workload, "removing what nobody wants");
        runtime.remove(workload).await?;
    }
    for workload in wanted::workloads(context, id, &standing)? {
        tracing::info!(workload = %workload.id, count = workload.count, "starting what is missing");
        ports::start(context, &[&workload]).await?;
    }
    let observed = runtime.observe(&Scope::of(id)).await?;
    if is_as_wanted(context, id, &standing, &observed)? {
        // What was started has to prove itself, now.
        context.wake.notify_one();
    }
    Ok(())
}

impl Crashes {
    /// Records crashes since the last look. Those from before the first look were told by a former process, or are
    /// nobody's any more.
    pub(super) fn tell(&mut self, context: &Context, observed: &[Instance]) {
        let now: HashMap<InstanceId, u32> = observed.iter().map(|i| (i.id.clone(), crashes(i))).collect();
        if let Some(before) = &self.0 {
            for instance in observed {
                let known = before.get(&instance.id).copied().unwrap_or(0);
                let crashes = crashes(instance);
                if crashes > known {
                    record(context, instance, crashes);
                }
            }
        }
        self.0 = Some(now);
    }
}

/// How often it ended by itself: so often it was started again, and once more where it waits for that.
fn crashes(instance: &Instance) -> u32 {
    let waits = matches!(instance.state, InstanceState::Backoff | InstanceState::CrashLoop);
    instance.restarts + u32::from(waits)
}

fn record(context: &Context, instance: &Instance, restarts: u32) {
    let workload = &instance.id.workload;
    let exit = instance
        .last_exit
        .as_ref()
        .map_or_else(|| "ended in an unknown way".into(), ToString::to_string);
    let what = What::InstanceCrashed {
        process: workload.process.clone(),
        instance: instance.id.to_string(),
        exit,
        restarts,
    };
    if let Err(error) = context.parts.store.record(Some(&workload.environment), what) {
        tracing::warn!(%error, "cannot record a crash");
    }
}
