//! Services as systemd units, an account for each (`docs/decisions/012-services-on-a-server.md`). Nothing is kept in memory:
//! folders and units are the truth. Systemd keeps the programs running, also while nobody else of HostKit runs.
//!
//! ```text
//! services/NAME/spec.json variables.env    what `launch` and the program are told
//! services/NAME/unit                       the unit file with which the program was last started
//! services/NAME/configuration/             what the program reads
//! services/NAME/data/                      what it writes
//! services/NAME/log/                       what it printed, rotated
//! services/NAME/reload                     there while it has to be told that its files changed
//! ```

mod end;
mod ensure;
mod folder;
mod task;
mod unit;

use std::path::PathBuf;
use std::sync::Arc;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::project::EnvironmentId;
use hostkit_core::services::{Ensured, Service, ServiceName, ServicePlace, ServiceState, ServiceTask};
use hostkit_core::traits::Services;
use hostkit_core::workload::InstanceState;
use hostkit_host::accounts::Accounts;
use hostkit_host::launch_role::RunRecord;
use hostkit_host::log_file::{Form, Want, read_back};
use hostkit_host::shim::RestartRule;
use hostkit_host::systemd::{ActiveState, Signal, Systemd, UnitName, Whom};

use crate::shared::{off_thread, turns};
use crate::systemd::observe;
use folder::ServiceFolder;

/// Runs services as systemd units. Two of these on one machine see the same services.
pub struct SystemdServices {
    layout: Layout,
    systemd: Arc<dyn Systemd>,
    accounts: Arc<dyn Accounts>,
    settings: Settings,
}

/// What is the same for all services of a machine.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Our own program, at a place that every account may run it from.
    pub program: PathBuf,
    /// When a program that ended is started again.
    pub restart: RestartRule,
    /// The unit of the caller, with which commands end.
    pub caller: Option<UnitName>,
}

impl SystemdServices {
    /// Services of one machine.
    pub fn new(
        layout: Layout,
        systemd: Arc<dyn Systemd>,
        accounts: Arc<dyn Accounts>,
        settings: Settings,
    ) -> Self {
        SystemdServices {
            layout,
            systemd,
            accounts,
            settings,
        }
    }

    fn folder(&self, name: &ServiceName) -> ServiceFolder {
        ServiceFolder::new(&self.layout, name)
    }

    /// Tells the program that its files changed. One that does not run reads them when it is started.
    async fn hang_up(&self, name: &ServiceName) -> Result<(), Failure> {
        let unit = unit::name_of(name)?;
        // Before that, its main process is still `launch`, which a signal ends.
        if self.systemd.status(&unit).await?.active != ActiveState::Active {
            return Err(Failure::new(
                Kind::NotFound,
                format!("cannot reload service `{name}`: it does not run"),
            ));
        }
        self.systemd.signal(&unit, Whom::Main, Signal::SIGHUP).await
    }
}

#[async_trait::async_trait]
impl Services for SystemdServices {
    fn place(&self, name: &ServiceName) -> ServicePlace {
        self.folder(name).place()
    }

    async fn ensure(&self, service: &Service) -> Result<Ensured, Failure> {
        let _turn = turns::take(&self.layout, &service.name).await?;
        self.bring_about(service).await
    }

    async fn observe(&self, name: &ServiceName) -> Result<Option<ServiceState>, Failure> {
        let status = self.systemd.status(&unit::name_of(name)?).await?;
        let folder = self.folder(name);
        off_thread(move || {
            let spec = folder.spec();
            if spec.is_none() && !observe::is_alive(&status) {
                return Ok(None);
            }
            let rule = spec.map(|spec| spec.restart).unwrap_or_default();
            let record = RunRecord::read(&folder.state);
            let state = observe::state(&status, &record, &rule, folder.asked.exists());
            Ok(Some(ServiceState {
                state,
                pid: status.main_pid.filter(|_| state == InstanceState::Running),
                started_at: observe::started_at(&status, &record, &rule),
                restarts: status.restarts,
                memory: status.memory.filter(|_| observe::is_alive(&status)),
                last_exit: record.last_exit.or_else(|| observe::of_systemd(&status)),
            }))
        })
        .await
    }

    async fn reload(&self, name: &ServiceName) -> Result<(), Failure> {
        let _turn = turns::take(&self.layout, name).await?;
        self.hang_up(name).await
    }

    async fn stop(&self, name: &ServiceName) -> Result<(), Failure> {
        let _turn = turns::take(&self.layout, name).await?;
        self.end(name).await
    }

    async fn remove(&self, name: &ServiceName) -> Result<(), Failure> {
        let _turn = turns::take(&self.layout, name).await?;
        self.take_away(name).await
    }

    async fn list(&self, environment: Option<&EnvironmentId>) -> Result<Vec<ServiceName>, Failure> {
        let (folder, wanted) = (self.layout.services(), environment.cloned());
        off_thread(move || {
            let entries = match std::fs::read_dir(&folder) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
                entries => entries.map_err(|e| {
                    Failure::new(
                        Kind::Internal,
                        format!("cannot list services in `{}`: {e}", folder.display()),
                    )
                })?,
            };
            let named = entries
                .flatten()
                .filter_map(|entry| ServiceName::try_from(entry.file_name().into_string().ok()?).ok());
            let mut names: Vec<ServiceName> = named
                .filter(|name| wanted.is_none() || name.environment == wanted)
                .collect();
            names.sort();
            Ok(names)
        })
        .await
    }

    async fn last_lines(&self, name: &ServiceName, count: usize) -> Result<Vec<String>, Failure> {
        let (log, name) = (self.folder(name).log_file(), name.clone());
        off_thread(move || {
            let want = Want {
                last: Some(count),
                form: Form::Shared,
                ..Want::default()
            };
            let (lines, _) = read_back(&log, &want).map_err(|e| {
                Failure::new(
                    Kind::Internal,
                    format!("cannot read the log of service `{name}`: {e}"),
                )
            })?;
            Ok(lines.into_iter().map(|line| line.text).collect())
        })
        .await
    }

    async fn run(&self, task: &ServiceTask<'_>) -> Result<String, Failure> {
        let _turn = turns::take(&self.layout, &task.service.name).await?;
        self.carry_out(task).await
    }
}
