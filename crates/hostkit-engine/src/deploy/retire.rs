//! Old instances drained and stopped. Tried again, never undone: traffic has left them.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::{join_all, try_join_all};
use hostkit_core::deployment::StepName;
use hostkit_core::kind::Failure;
use hostkit_core::route::BackendId;
use hostkit_core::workload::{Instance, Scope, WorkloadId};

use super::Step;
use crate::ports;
use crate::run::Run;
use crate::wanted;

pub(super) struct Retire;

/// Pauses between attempts.
const PAUSES: [Duration; 5] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(5),
];

/// The longest drain of a process, by the release it ran in before or runs in now.
fn grace(run: &Run, instance: &Instance) -> Duration {
    let (id, process) = (&run.deployment.environment, &instance.id.workload.process);
    let release = run.context.release(id, &instance.release).ok();
    let rule = release
        .as_ref()
        .and_then(|release| release.processes.get(process));
    rule.map_or(Duration::from_secs(30), |process| process.rule.drain.0)
}

async fn attempt(run: &Run) -> Result<(), Failure> {
    let (context, id) = (&run.context, &run.deployment.environment);
    let runtime = &context.parts.runtime;
    let counts = wanted::counts(context, id, run.wanted()?)?;
    let surplus = |i: &Instance| {
        counts
            .get(&i.id.workload)
            .is_none_or(|count| i.id.number > *count)
    };
    let observed = runtime.observe(&Scope::of(id)).await?;
    let old: Vec<&Instance> = observed.iter().filter(|i| surplus(i)).collect();
    let mut by_workload: BTreeMap<&WorkloadId, Vec<&Instance>> = BTreeMap::new();
    for instance in old {
        by_workload
            .entry(&instance.id.workload)
            .or_default()
            .push(instance);
    }
    let workloads = wanted::workloads(context, id, run.wanted()?)?;
    // Each workload goes as soon as it is drained; a slow one does not keep the others.
    try_join_all(by_workload.into_iter().map(|(workload, instances)| {
        let kept = workloads.iter().find(|w| w.id == *workload);
        async move {
            drain(run, &instances).await?;
            match kept {
                Some(kept) => ports::start(context, &[kept]).await,
                None => runtime.remove(workload).await,
            }
        }
    }))
    .await?;
    Ok(())
}

async fn drain(run: &Run, instances: &[&Instance]) -> Result<(), Failure> {
    let with_port = instances.iter().filter(|i| i.address.is_some());
    let drains = with_port.map(|instance| async {
        let backends = [BackendId::from(&instance.id)];
        let traffic = &run.context.parts.traffic;
        let drained = traffic.drain(&backends, grace(run, instance)).await?;
        if drained.cut > 0 {
            run.journal.say(&format!(
                "{}: {} connections were cut after the grace",
                instance.id, drained.cut
            ));
        }
        Ok(())
    });
    join_all(drains).await.into_iter().collect()
}

#[async_trait::async_trait]
impl Step for Retire {
    fn name(&self) -> StepName {
        StepName::Retire
    }

    async fn run(&self, run: &mut Run) -> Result<(), Failure> {
        let mut last = None;
        for pause in PAUSES {
            tokio::time::sleep(pause).await;
            match attempt(run).await {
                Ok(()) => return Ok(()),
                Err(failure) => {
                    run.journal.say(&format!("{failure}; trying again"));
                    last = Some(failure);
                }
            }
        }
        let release = run
            .saved
            .release
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default();
        last.map_or(Ok(()), |why| {
            let message = format!("cannot stop the old instances of `{}`: {why}", run.deployment.environment);
            Err(Failure { message, ..why }.details(vec![format!(
                "release {release} is live; the old instances get no requests and are removed as soon as possible"
            )]))
        })
    }

    async fn undo(&self, _run: &mut Run) -> Result<(), Failure> {
        Ok(())
    }
}
