//! New instances started, next to the old ones.

use futures_util::future::try_join_all;
use hostkit_core::deployment::StepName;
use hostkit_core::kind::Failure;
use hostkit_core::workload::{Scope, Workload, WorkloadId};

use super::Step;
use crate::ports;
use crate::probing::{self, Probe};
use crate::run::Run;
use crate::wanted;

pub(super) struct Start;

/// How many of each workload ran before; of a new generation none did.
pub(super) fn counts_before(run: &Run) -> Result<std::collections::BTreeMap<WorkloadId, u16>, Failure> {
    wanted::counts(&run.context, &run.deployment.environment, &run.saved.before)
}

/// Watches from outside what visitors see while instances come and go. What does not answer before or shall not
/// answer afterwards is not watched.
fn watch(run: &mut Run) {
    let (context, id) = (&run.context, &run.deployment.environment);
    let path = |standing| probing::watched_path(context, id, standing);
    let path = run
        .saved
        .wanted
        .as_ref()
        .and_then(path)
        .and(path(&run.saved.before));
    if let Some(path) = path.filter(|_| run.probe.is_none()) {
        let host = probing::host(context, id);
        run.probe = Some(Probe::start(context.parts.front_door.clone(), host, path));
    }
}

#[async_trait::async_trait]
impl Step for Start {
    fn name(&self) -> StepName {
        StepName::Start
    }

    async fn run(&self, run: &mut Run) -> Result<(), Failure> {
        watch(run);
        let before = counts_before(run)?;
        let mut workloads = wanted::workloads(&run.context, &run.deployment.environment, run.wanted()?)?;
        for workload in &mut workloads {
            // Instances that are too many go after the traffic did.
            workload.count = workload.count.max(before.get(&workload.id).copied().unwrap_or(0));
        }
        let running: Vec<&Workload> = workloads.iter().filter(|w| w.count > 0).collect();
        ports::start(&run.context, &running).await
    }

    async fn undo(&self, run: &mut Run) -> Result<(), Failure> {
        let id = &run.deployment.environment;
        let before = counts_before(run)?;
        let runtime = &run.context.parts.runtime;
        let observed = runtime.observe(&Scope::of(id)).await?;
        let mut there: Vec<WorkloadId> = observed.into_iter().map(|i| i.id.workload).collect();
        there.dedup();
        let new = there.iter().filter(|w| !before.contains_key(w));
        try_join_all(new.map(|workload| runtime.remove(workload))).await?;
        let old: Vec<Workload> = wanted::workloads(&run.context, id, &run.saved.before)?;
        ports::start(&run.context, &old.iter().collect::<Vec<_>>()).await
    }
}
