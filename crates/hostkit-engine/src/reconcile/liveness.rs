//! Instances that hang are started again: so many failed checks in a row, at the pace of their rule. Whether what a
//! program depends on is there is no matter of liveness, and nothing is restarted while a deployment is under way.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hostkit_core::event::What;
use hostkit_core::kind::Failure;
use hostkit_core::traits::Health;
use hostkit_core::workload::{Instance, InstanceId, InstanceState, Scope};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::Instant;

use crate::context::{Context, locked};
use crate::probing;

/// Between two looks at what is due: no finer than the first, no rarer than the second.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

/// What is known of one instance.
struct Record {
    due: Instant,
    failures: Arc<AtomicU32>,
    /// The check under way, and what follows from it.
    task: Option<AbortHandle>,
}

pub(crate) async fn run(context: Arc<Context>) {
    let mut records: HashMap<InstanceId, Record> = HashMap::new();
    // They end with this loop.
    let mut tasks = JoinSet::new();
    loop {
        let now = Instant::now();
        let next = records
            .values()
            .map(|record| record.due.saturating_duration_since(now))
            .min();
        tokio::time::sleep(next.unwrap_or(PAUSES.1).clamp(PAUSES.0, PAUSES.1)).await;
        while tasks.try_join_next().is_some() {}
        round(&context, &mut records, &mut tasks);
    }
}

/// Begins the checks that are due. Each instance is checked, and started again, on its own: one that hangs, or takes
/// its time to stop, keeps no other waiting.
fn round(context: &Arc<Context>, records: &mut HashMap<InstanceId, Record>, tasks: &mut JoinSet<()>) {
    // One that is gone since then is found by its start time when it is to be started again.
    let seen: Vec<Instance> = locked(&context.seen).clone();
    let is_checked = |i: &Instance| i.state == InstanceState::Running && context.ready.contains(i);
    records.retain(|id, record| record.is_busy() || seen.iter().any(|i| i.id == *id && is_checked(i)));
    for instance in seen.into_iter().filter(is_checked) {
        let Some(interval) = interval(context, &instance) else {
            continue;
        };
        let now = Instant::now();
        let record = records.entry(instance.id.clone()).or_insert(Record {
            due: now + interval,
            failures: Arc::default(),
            task: None,
        });
        if record.due > now || record.is_busy() {
            continue;
        }
        record.due = now + interval;
        record.task = Some(tasks.spawn(look(context.clone(), instance, record.failures.clone())));
    }
}

impl Record {
    fn is_busy(&self) -> bool {
        self.task.as_ref().is_some_and(|task| !task.is_finished())
    }
}

/// One check, with what follows from it.
async fn look(context: Arc<Context>, instance: Instance, failures: Arc<AtomicU32>) {
    let Some((reason, most)) = check(&context, &instance).await else {
        failures.store(0, Ordering::Relaxed);
        return;
    };
    if failures.fetch_add(1, Ordering::Relaxed) + 1 < most {
        return;
    }
    failures.store(0, Ordering::Relaxed);
    if let Err(error) = restart(&context, &instance, reason).await {
        tracing::warn!(instance = %instance.id, %error, "cannot restart an instance that hangs");
    }
}

fn interval(context: &Context, instance: &Instance) -> Option<Duration> {
    let workload = &instance.id.workload;
    let release = context.release(&workload.environment, &instance.release).ok()?;
    let rule = &release.processes.get(&workload.process)?.rule;
    instance.address.map(|_| rule.health.interval.0)
}

/// Nothing where it is alive, else why not and how often that may be.
async fn check(context: &Context, instance: &Instance) -> Option<(String, u32)> {
    let workload = &instance.id.workload;
    let release = context.release(&workload.environment, &instance.release).ok()?;
    let rule = &release.processes.get(&workload.process)?.rule.health;
    let host = probing::host(context, &workload.environment);
    match context.parts.probe.check(instance.address?, &host, rule).await {
        Health::Healthy => None,
        Health::Unhealthy(reason) => Some((reason, rule.failures.max(1))),
    }
}

async fn restart(context: &Context, instance: &Instance, reason: String) -> Result<(), Failure> {
    let workload = &instance.id.workload;
    let lock = context.lock_of(&workload.environment);
    let Ok(_held) = lock.try_lock() else {
        return Ok(());
    };
    let there = context
        .parts
        .runtime
        .observe(&Scope::of(&workload.environment))
        .await?;
    let is_same = |now: &Instance| now.id == instance.id && now.started_at == instance.started_at;
    if !there
        .iter()
        .any(|now| is_same(now) && now.state == InstanceState::Running)
    {
        return Ok(());
    }
    let what = What::InstanceUnhealthy {
        process: workload.process.clone(),
        instance: instance.id.to_string(),
        reason,
    };
    context.parts.store.record(Some(&workload.environment), what)?;
    context.parts.runtime.restart(&instance.id).await?;
    context.wake.notify_one();
    Ok(())
}
