//! Instances that hang are started again: so many failed checks in a row, at the pace of their rule. Whether what a
//! program depends on is there is no matter of liveness, and nothing is restarted while a deployment is under way.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hostkit_core::event::What;
use hostkit_core::kind::Failure;
use hostkit_core::traits::Health;
use hostkit_core::workload::{Instance, InstanceId, InstanceState, Scope};
use tokio::time::Instant;

use crate::context::{Context, locked};
use crate::probing;

/// Between two looks at what is due: no finer than the first, no rarer than the second.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));

struct Record {
    due: Instant,
    failures: u32,
}

pub(crate) async fn run(context: Arc<Context>) {
    let mut records: HashMap<InstanceId, Record> = HashMap::new();
    loop {
        let now = Instant::now();
        let next = records
            .values()
            .map(|record| record.due.saturating_duration_since(now))
            .min();
        tokio::time::sleep(next.unwrap_or(PAUSES.1).clamp(PAUSES.0, PAUSES.1)).await;
        if let Err(error) = round(&context, &mut records).await {
            tracing::debug!(%error, "cannot check instances");
        }
    }
}

async fn round(context: &Context, records: &mut HashMap<InstanceId, Record>) -> Result<(), Failure> {
    // One that is gone since then is found by its start time when it is to be started again.
    let checked: Vec<Instance> = locked(&context.seen)
        .iter()
        .filter(|i| i.state == InstanceState::Running && context.ready.contains(i))
        .cloned()
        .collect();
    records.retain(|id, _| checked.iter().any(|i| i.id == *id));
    let mut due = Vec::new();
    for instance in checked {
        let Some(interval) = interval(context, &instance) else {
            continue;
        };
        let now = Instant::now();
        let record = records.entry(instance.id.clone()).or_insert(Record {
            due: now + interval,
            failures: 0,
        });
        if record.due <= now {
            record.due = now + interval;
            due.push(instance);
        }
    }
    let outcomes = join_all(due.iter().map(|instance| check(context, instance))).await;
    for (instance, outcome) in due.iter().zip(outcomes) {
        let Some(record) = records.get_mut(&instance.id) else {
            continue;
        };
        match outcome {
            None => record.failures = 0,
            Some((reason, most)) => {
                record.failures += 1;
                if record.failures >= most {
                    record.failures = 0;
                    restart(context, instance, reason).await?;
                }
            }
        }
    }
    Ok(())
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
