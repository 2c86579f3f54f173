//! Instances that were started again by themselves get traffic back when they are healthy. Each proves itself on its
//! own: one that hangs keeps nobody waiting.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hostkit_core::kind::Failure;
use hostkit_core::manifest::HealthRule;
use hostkit_core::traits::Health;
use hostkit_core::workload::{Instance, InstanceId, InstanceState};
use jiff::Timestamp;
use tokio::task::{AbortHandle, JoinSet};

use crate::context::Context;
use crate::probing;

/// From one check to the next: short at first, growing to the last.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// The checks under way; they end with this.
#[derive(Default)]
pub(super) struct Proofs {
    tasks: JoinSet<()>,
    running: HashMap<InstanceId, (Option<Timestamp>, AbortHandle)>,
}

impl Proofs {
    /// Checks the live instances that are not known to be ready, from now until they are or are gone. Those a
    /// deployment starts prove themselves there.
    pub(super) fn follow(&mut self, context: &Arc<Context>, observed: &[Instance]) -> Result<(), Failure> {
        while self.tasks.try_join_next().is_some() {}
        let environments = context.parts.store.environments()?;
        let is_live = |i: &Instance| {
            let of = environments.iter().find(|e| e.id == i.id.workload.environment);
            let live = of.and_then(|e| e.live.as_ref()).map(|live| live.generation);
            let canary = of.and_then(|e| e.canary.as_ref()).map(|canary| canary.generation);
            [live, canary].contains(&Some(i.id.workload.deployment))
        };
        let unproven: HashMap<&InstanceId, &Instance> = observed
            .iter()
            .filter(|i| i.state == InstanceState::Running && i.address.is_some())
            .filter(|i| !context.ready.contains(i) && is_live(i))
            .map(|i| (&i.id, i))
            .collect();
        self.running.retain(|id, (started_at, task)| {
            let goes_on =
                !task.is_finished() && unproven.get(id).is_some_and(|i| i.started_at == *started_at);
            if !goes_on {
                task.abort();
            }
            goes_on
        });
        for (id, instance) in unproven {
            if !self.running.contains_key(id) {
                let task = self.tasks.spawn(prove(context.clone(), instance.clone()));
                self.running.insert(id.clone(), (instance.started_at, task));
            }
        }
        Ok(())
    }
}

fn rule(context: &Context, instance: &Instance) -> Option<HealthRule> {
    let workload = &instance.id.workload;
    let release = context.release(&workload.environment, &instance.release).ok()?;
    Some(release.processes.get(&workload.process)?.rule.health.clone())
}

/// Marks an instance as ready when it is healthy.
async fn prove(context: Arc<Context>, instance: Instance) {
    let (Some(address), Some(rule)) = (instance.address, rule(&context, &instance)) else {
        return;
    };
    let host = probing::host(&context, &instance.id.workload.environment);
    let mut pause = PAUSES.0;
    while probing::is_ready(&context, address, &host, &rule).await != Health::Healthy {
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSES.1);
    }
    context.ready.mark(&instance);
    context.wake.notify_one();
}
