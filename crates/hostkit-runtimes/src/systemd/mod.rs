//! Instances as systemd units, one account for each project (`docs/decisions/003-a-project-on-a-server.md`). Nothing is
//! kept in memory: the units are the truth, so that a caller that was started again, or a second one, finds what the
//! first one left. Systemd keeps the programs running, also while the caller is gone.

mod alias;
mod changes;
mod diagnose;
mod exec;
pub(crate) mod folder;
mod logs;
pub(crate) mod observe;
mod score;
mod start;
mod stop;
pub(crate) mod unit;

use std::path::PathBuf;
use std::sync::Arc;

use futures_util::future::join_all;
use hostkit_core::kind::Failure;
use hostkit_core::layout::Layout;
use hostkit_core::log::LogQuery;
use hostkit_core::project::{EnvironmentId, INSTANCE_PORTS};
use hostkit_core::server_settings::ServerSettings;
use hostkit_core::traits::{Changes, Exec, LogLines, Runtime};
use hostkit_core::workload::{Diagnosis, Instance, InstanceId, Scope, Workload, WorkloadId};
use hostkit_host::shim::RestartRule;
use hostkit_host::systemd::{Systemd, UnitLimits, UnitName};

use crate::shared::instances::scope_of;
use crate::shared::port_lease::PortLeases;
use crate::shared::turns;
use changes::UnitWatch;
use folder::InstanceFolder;

/// Runs instances as systemd units.
pub struct SystemdRuntime {
    layout: Layout,
    systemd: Arc<dyn Systemd>,
    settings: Settings,
    leases: PortLeases,
    watch: UnitWatch,
}

/// What is the same for all instances of a machine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Our own program, at a place that every account may run it from.
    pub program: PathBuf,
    /// What an instance may use where its workload does not say.
    pub limits: UnitLimits,
    /// When a program that ended is started again.
    pub restart: RestartRule,
    /// The unit of the caller, with which one-off commands end.
    pub caller: Option<UnitName>,
}

impl Settings {
    /// What an instance of a workload may use.
    fn limits_of(&self, workload: &Workload) -> UnitLimits {
        UnitLimits {
            memory: workload.memory.or(self.limits.memory),
            cpu_percent: workload.cpus.map(|cpus| cpus.0).or(self.limits.cpu_percent),
            ..self.limits.clone()
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            program: PathBuf::from("/usr/bin/hostkit"),
            limits: UnitLimits {
                tasks: Some(u64::from(ServerSettings::default().instance_tasks)),
                ..UnitLimits::default()
            },
            restart: RestartRule::default(),
            caller: None,
        }
    }
}

impl SystemdRuntime {
    /// A runtime for one machine.
    pub fn new(layout: Layout, systemd: Arc<dyn Systemd>, settings: Settings) -> Self {
        SystemdRuntime {
            // In the data folder: the units of instances outlive a restart of the machine, and so do their ports.
            leases: PortLeases::new(layout.data().join("ports"), INSTANCE_PORTS),
            watch: UnitWatch::new(systemd.clone()),
            layout,
            systemd,
            settings,
        }
    }

    fn folder(&self, id: &InstanceId) -> InstanceFolder {
        InstanceFolder::new(&self.layout, id)
    }
}

#[async_trait::async_trait]
impl Runtime for SystemdRuntime {
    fn name(&self) -> &'static str {
        "systemd"
    }

    async fn ensure(&self, workload: &Workload) -> Result<Vec<Instance>, Failure> {
        let _turn = turns::take(&self.layout, &workload.id).await?;
        let found = self.find(&scope_of(&workload.id)).await?;
        let surplus: Vec<InstanceId> = found
            .into_iter()
            .filter(|id| id.number > workload.count)
            .collect();
        let (stopped, started) = tokio::join!(self.stop_all(&surplus), self.start_all(workload));
        stopped?;
        started?;
        self.observe(&scope_of(&workload.id)).await
    }

    async fn reserve(&self, workload: &Workload) -> Result<bool, Failure> {
        let _turn = turns::take(&self.layout, &workload.id).await?;
        self.reserve_all(workload).await
    }

    async fn observe(&self, scope: &Scope) -> Result<Vec<Instance>, Failure> {
        // Watched before it is looked: a change in between is told.
        self.watch.begin().await;
        let found = self.find(scope).await?;
        let looked = join_all(found.iter().map(|id| self.look(id))).await;
        let instances: Result<Vec<Option<Instance>>, Failure> = looked.into_iter().collect();
        Ok(instances?.into_iter().flatten().collect())
    }

    async fn remove(&self, id: &WorkloadId) -> Result<(), Failure> {
        let _turn = turns::take(&self.layout, id).await?;
        let found = self.find(&scope_of(id)).await?;
        self.stop_all(&found).await
    }

    async fn restart(&self, id: &InstanceId) -> Result<(), Failure> {
        let _turn = turns::take(&self.layout, &id.workload).await?;
        self.start_afresh(id).await
    }

    async fn diagnose(&self, id: &InstanceId) -> Result<Diagnosis, Failure> {
        self.diagnosis(id).await
    }

    async fn logs(&self, environment: &EnvironmentId, query: &LogQuery) -> Result<LogLines, Failure> {
        logs::stream(&self.layout, environment, query.clone()).await
    }

    async fn name_live(&self, environment: &EnvironmentId, main: Option<&InstanceId>) -> Result<(), Failure> {
        self.point_project(environment, main).await
    }

    async fn exposure(&self, id: &InstanceId) -> Result<Option<f64>, Failure> {
        self.score(id).await.map(Some)
    }

    fn exec(&self) -> Option<&dyn Exec> {
        Some(self)
    }

    fn changes(&self) -> Option<&dyn Changes> {
        Some(&self.watch)
    }
}
