//! Instances as child processes of this account: each under a shim of its own (`hostkit_host::shim`), in a folder
//! of its own below the environment. Nothing is kept in memory: the folders are the truth, so that a caller that
//! was started again, or a second one, finds what the first one left.

mod changes;
mod diagnose;
mod exec;
mod folder;
mod logs;
mod start;
mod stop;

use std::sync::Arc;

use futures_util::future::join_all;
use hostkit_core::kind::Failure;
use hostkit_core::layout::Layout;
use hostkit_core::log::LogQuery;
use hostkit_core::project::{EnvironmentId, INSTANCE_PORTS};
use hostkit_core::traits::{Changes, Exec, LogLines, Runtime};
use hostkit_core::workload::{Diagnosis, Instance, InstanceId, Scope, Workload, WorkloadId};
use hostkit_host::command::Guard;
use hostkit_host::files::Turn;
use hostkit_host::roles::SelfProgram;
use hostkit_host::shim::RestartRule;

use crate::shared::instances::{no_instance, scope_of};
use crate::shared::off_thread;
use crate::shared::port_lease::PortLeases;
use crate::shared::turns;
use changes::InstanceWatch;
use folder::InstanceFolder;
pub use logs::LogKeep;

/// Runs instances as child processes. Two of these on one data folder see the same instances.
pub struct ProcessRuntime {
    layout: Layout,
    own: SelfProgram,
    guard: Guard,
    leases: PortLeases,
    restart: RestartRule,
    keep: LogKeep,
    watch: Option<Arc<InstanceWatch>>,
}

impl ProcessRuntime {
    /// A runtime for one installation; `own` is started in the roles `shim` and `guard`.
    pub fn new(layout: Layout, own: SelfProgram) -> Self {
        ProcessRuntime {
            leases: PortLeases::new(layout.run().join("ports"), INSTANCE_PORTS),
            guard: Guard::new(own.clone()),
            layout,
            own,
            restart: RestartRule::default(),
            keep: LogKeep::default(),
            watch: InstanceWatch::new().map(Arc::new),
        }
    }

    /// The same runtime with other pauses between restarts.
    pub fn with_restart_rule(mut self, rule: RestartRule) -> Self {
        self.restart = rule;
        self
    }

    /// Removes logs of instances that are gone, by age and size. Done at every [`Runtime::remove`] as well.
    pub async fn prune_logs(&self, environment: &EnvironmentId) -> Result<(), Failure> {
        let (layout, environment, keep) = (self.layout.clone(), environment.clone(), self.keep);
        off_thread(move || logs::prune(&layout, &environment, keep)).await
    }

    /// Calls that change one workload come one after the other, also from two runtimes on one data folder.
    async fn turn(&self, id: &WorkloadId) -> Result<Turn, Failure> {
        turns::take(&self.layout, id).await
    }

    fn folder(&self, id: &InstanceId) -> InstanceFolder {
        InstanceFolder::new(&self.layout, id)
    }

    async fn find(&self, scope: Scope) -> Result<Vec<InstanceFolder>, Failure> {
        let layout = self.layout.clone();
        off_thread(move || folder::list(&layout, &scope)).await
    }
}

#[async_trait::async_trait]
impl Runtime for ProcessRuntime {
    fn name(&self) -> &'static str {
        "process"
    }

    async fn ensure(&self, workload: &Workload) -> Result<Vec<Instance>, Failure> {
        let _turn = self.turn(&workload.id).await?;
        let found = self.find(scope_of(&workload.id)).await?;
        let surplus = found.iter().filter(|folder| folder.id.number > workload.count);
        let stopping = join_all(surplus.map(|folder| self.stop(folder)));
        let starting = join_all((1..=workload.count).map(|number| self.start(workload, number)));
        let (stopped, started) = tokio::join!(stopping, starting);
        stopped
            .into_iter()
            .chain(started)
            .collect::<Result<(), Failure>>()?;
        self.observe(&scope_of(&workload.id)).await
    }

    async fn observe(&self, scope: &Scope) -> Result<Vec<Instance>, Failure> {
        let (layout, scope, watch) = (self.layout.clone(), scope.clone(), self.watch.clone());
        off_thread(move || {
            let folders = folder::list(&layout, &scope)?;
            // Watched before they are read: a change in between is told.
            if let Some(watch) = &watch {
                folders.iter().for_each(|folder| watch.add(&folder.path));
            }
            let mut found: Vec<Instance> = folders.iter().filter_map(InstanceFolder::observe).collect();
            found.sort_by(|a, b| a.id.cmp(&b.id));
            Ok(found)
        })
        .await
    }

    async fn remove(&self, id: &WorkloadId) -> Result<(), Failure> {
        let _turn = self.turn(id).await?;
        let found = self.find(scope_of(id)).await?;
        let stopped = join_all(found.iter().map(|folder| self.stop(folder))).await;
        stopped.into_iter().collect::<Result<(), Failure>>()?;
        if let Err(failure) = self.prune_logs(&id.environment).await {
            // The instances are gone, which is what was asked for.
            tracing::warn!(%failure, "old logs stay");
        }
        Ok(())
    }

    async fn restart(&self, id: &InstanceId) -> Result<(), Failure> {
        let _turn = self.turn(&id.workload).await?;
        self.start_afresh(&self.folder(id)).await
    }

    async fn diagnose(&self, id: &InstanceId) -> Result<Diagnosis, Failure> {
        let folder = self.folder(id);
        let found = off_thread(move || diagnose::diagnose(&folder)).await?;
        found.ok_or_else(|| no_instance("diagnose", id))
    }

    async fn logs(&self, environment: &EnvironmentId, query: &LogQuery) -> Result<LogLines, Failure> {
        logs::stream(self.layout.clone(), environment.clone(), query.clone()).await
    }

    fn exec(&self) -> Option<&dyn Exec> {
        Some(self)
    }

    fn changes(&self) -> Option<&dyn Changes> {
        self.watch.as_deref().map(|watch| watch as &dyn Changes)
    }
}

#[cfg(test)]
pub(crate) mod tests;
