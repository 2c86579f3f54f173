//! Instances are asked whether they want requests, where their manifest names a path for that. One that wants none gets none
//! as long as another does; it is not started again for it, and has requests again as soon as it wants them.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use hostkit_core::size::Span;
use hostkit_core::traits::Health;
use hostkit_core::workload::Instance;

use crate::context::{Context, locked};
use crate::probing;

/// From one round to the next, and the longest an answer is waited for: one that hangs delays the others by no more.
const PACE: Duration = Duration::from_secs(2);

pub(crate) async fn run(context: Arc<Context>) {
    loop {
        tokio::time::sleep(PACE).await;
        let seen: Vec<Instance> = locked(&context.seen).clone();
        let asked = seen.iter().filter(|instance| context.ready.contains(instance));
        let changed = join_all(asked.map(|instance| ask(&context, instance))).await;
        if changed.contains(&true) {
            context.wake.notify_one();
        }
    }
}

/// Asks one instance; whether it says something else than before.
async fn ask(context: &Context, instance: &Instance) -> bool {
    let workload = &instance.id.workload;
    let Ok(release) = context.release(&workload.environment, &instance.release) else {
        return false;
    };
    let process = release.processes.get(&workload.process);
    let rule = process.and_then(|process| process.rule.health.readiness());
    let (Some(mut rule), Some(address)) = (rule, instance.address) else {
        return false;
    };
    rule.timeout = rule.timeout.min(Span(PACE));
    let host = probing::host(context, &workload.environment);
    let health = context.parts.probe.check(address, &host, &rule).await;
    let wants = health == Health::Healthy;
    let is_new = context.ready.note(instance, wants);
    if is_new {
        tracing::info!(instance = %instance.id, wants, "an instance says whether it wants requests");
    }
    is_new
}
