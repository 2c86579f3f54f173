//! Services as child processes of this account: each under a shim of its own, in a folder of its own. Nothing is kept in
//! memory: the folders are the truth.
//!
//! ```text
//! services/ROLE/spec.json state.json lock    the shim's
//! services/ROLE/configuration/               what the program reads
//! services/ROLE/data/                        what it writes
//! services/ROLE/log                          what it printed, rotated
//! services/ROLE/reload                       there while it has to be told that its files changed
//! ```

pub(crate) mod ensure;
mod task;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::project::EnvironmentId;
use hostkit_core::services::{
    Ensured, Service, ServiceName, ServicePlace, ServiceRole, ServiceState, ServiceTask,
};
use hostkit_core::traits::Services;
use hostkit_core::workload::InstanceState;
use hostkit_host::command::Guard;
use hostkit_host::files::{self as disk, Turn};
use hostkit_host::log_file::{Want, read_back};
use hostkit_host::processes;
use hostkit_host::roles::SelfProgram;
use hostkit_host::shim::RestartRule;
use nix::sys::signal::Signal;

use crate::shared::instances::all_environments;
use crate::shared::shimmed::{Shim, Shimmed};
use crate::shared::{off_thread, turns};

/// Runs services as child processes. Two of these on one data folder see the same services.
pub struct ProcessServices {
    layout: Layout,
    own: SelfProgram,
    guard: Guard,
    restart: RestartRule,
}

impl ProcessServices {
    /// Services of one installation; `own` is started in the roles `shim` and `guard`.
    pub fn new(layout: Layout, own: SelfProgram) -> Self {
        ProcessServices {
            layout,
            guard: Guard::new(own.clone()),
            own,
            restart: RestartRule::default(),
        }
    }

    /// The same with other pauses between restarts.
    pub fn with_restart_rule(mut self, rule: RestartRule) -> Self {
        self.restart = rule;
        self
    }

    async fn turn(&self, name: &ServiceName) -> Result<Turn, Failure> {
        turns::take(&self.layout, name).await
    }

    fn shimmed(&self, name: &ServiceName) -> Shimmed {
        Shimmed {
            name: name.to_string(),
            path: self.layout.service(name),
        }
    }
}

#[async_trait::async_trait]
impl Services for ProcessServices {
    fn place(&self, name: &ServiceName) -> ServicePlace {
        let folder = self.layout.service(name);
        ServicePlace {
            data: folder.join("data"),
            configuration: folder.join("configuration"),
        }
    }

    async fn ensure(&self, service: &Service) -> Result<Ensured, Failure> {
        let _turn = self.turn(&service.name).await?;
        self.bring_about(service).await
    }

    async fn observe(&self, name: &ServiceName) -> Result<Option<ServiceState>, Failure> {
        let shimmed = self.shimmed(name);
        off_thread(move || Ok(observe(&shimmed))).await
    }

    async fn reload(&self, name: &ServiceName) -> Result<(), Failure> {
        let _turn = self.turn(name).await?;
        hang_up(&self.shimmed(name))
    }

    async fn stop(&self, name: &ServiceName) -> Result<(), Failure> {
        let _turn = self.turn(name).await?;
        self.shimmed(name).stop().await
    }

    async fn remove(&self, name: &ServiceName) -> Result<(), Failure> {
        let _turn = self.turn(name).await?;
        let shimmed = self.shimmed(name);
        shimmed.stop().await?;
        off_thread(move || {
            disk::remove_tree(&shimmed.path).map_err(|e| {
                Failure::new(
                    Kind::Internal,
                    format!("cannot remove service `{}`: {e}", shimmed.name),
                )
            })
        })
        .await
    }

    async fn list(&self, environment: Option<&EnvironmentId>) -> Result<Vec<ServiceName>, Failure> {
        let (layout, wanted) = (self.layout.clone(), environment.cloned());
        off_thread(move || {
            let environments: Vec<Option<EnvironmentId>> = match wanted {
                Some(id) => vec![Some(id)],
                None => std::iter::once(None)
                    .chain(all_environments(&layout)?.into_iter().map(Some))
                    .collect(),
            };
            let names = environments.into_iter().flat_map(|environment| {
                ServiceRole::ALL.map(|role| ServiceName {
                    environment: environment.clone(),
                    role,
                })
            });
            Ok(names.filter(|name| layout.service(name).is_dir()).collect())
        })
        .await
    }

    async fn last_lines(&self, name: &ServiceName, count: usize) -> Result<Vec<String>, Failure> {
        let (log, name) = (self.layout.service(name).join(LOG_FILE), name.clone());
        off_thread(move || {
            let want = Want {
                last: Some(count),
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
        let _turn = self.turn(&task.service.name).await?;
        self.carry_out(task).await
    }
}

/// What the program prints goes here.
const LOG_FILE: &str = "log";

fn observe(shimmed: &Shimmed) -> Option<ServiceState> {
    shimmed.spec()?;
    let (state, alive) = shimmed.last_state();
    let running = state.as_ref().filter(|_| alive);
    Some(ServiceState {
        state: running.map_or(InstanceState::Stopped, |s| s.state),
        pid: running.and_then(|s| s.program.as_ref()).map(|mark| mark.pid),
        started_at: state.as_ref().and_then(|s| s.started_at),
        restarts: state.as_ref().map_or(0, |s| s.restarts),
        last_exit: state.as_ref().and_then(|s| s.last_exit.clone()),
        memory: running.map(|s| processes::resident(&processes::descendants(s.shim.pid))),
    })
}

/// Tells the program that its files changed. One that is not running reads them when it is started.
fn hang_up(shimmed: &Shimmed) -> Result<(), Failure> {
    let program = match shimmed.shim() {
        Shim::Alive(state) => state.program,
        _ => None,
    };
    match program.filter(processes::ProcessMark::is_alive) {
        Some(program) => {
            processes::signal(program.pid, Signal::SIGHUP);
            Ok(())
        }
        None => Err(Failure::new(
            Kind::NotFound,
            format!("cannot reload service `{}`: it does not run", shimmed.name),
        )),
    }
}
