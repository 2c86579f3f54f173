//! Starting of an instance: a folder, a port, a description, a shim.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::workload::{InstanceId, Workload};
use hostkit_host::files;
use hostkit_host::processes;
use hostkit_host::shim::ShimSpec;
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use super::ProcessRuntime;
use super::folder::InstanceFolder;
use crate::shared::instances::no_instance;
use crate::shared::shimmed::{MARGIN, NotStarted, Shim};
use crate::shared::{off_thread, program};

impl ProcessRuntime {
    /// Makes sure one instance is looked after by a shim.
    pub(super) async fn start(&self, workload: &Workload, number: u16) -> Result<(), Failure> {
        let id = InstanceId {
            workload: workload.id.clone(),
            number,
        };
        let folder = self.folder(&id);
        let shimmed = folder.shimmed();
        if shimmed.is_looked_after(workload.stop.grace.0).await {
            return Ok(());
        }
        shimmed.clear_strays().await?;
        let spec = self.describe(&folder, workload).await?;
        self.start_shim(&folder, &spec).await
    }

    /// Starts the program of an instance afresh, whatever it does now.
    pub(super) async fn start_afresh(&self, folder: &InstanceFolder) -> Result<(), Failure> {
        let spec = folder.spec().ok_or_else(|| no_instance("restart", &folder.id))?;
        let shimmed = folder.shimmed();
        let Shim::Alive(before) = shimmed.shim() else {
            if shimmed.is_looked_after(spec.stop.grace.0).await {
                return Ok(());
            }
            shimmed.clear_strays().await?;
            return self.start_shim(folder, &spec).await;
        };
        processes::signal(before.shim.pid, Signal::SIGUSR1);
        let deadline = Instant::now() + spec.stop.grace.0 + MARGIN;
        while Instant::now() < deadline {
            match shimmed.shim() {
                Shim::Alive(state) if state.starts > before.starts => return Ok(()),
                Shim::Alive(_) => sleep(Duration::from_millis(5)).await,
                _ => break,
            }
        }
        Err(Failure::new(
            Kind::Failed,
            format!("cannot restart `{}`: the program did not start again", folder.id),
        ))
    }

    /// Writes what the instance is. An instance that was there before keeps its port, if that is still free.
    async fn describe(&self, folder: &InstanceFolder, workload: &Workload) -> Result<ShimSpec, Failure> {
        let (folder, workload, leases) = (folder.clone(), workload.clone(), self.leases.clone());
        let (restart, layout) = (self.restart, self.layout.clone());
        off_thread(move || {
            let cannot = |e: &dyn std::fmt::Display| {
                Failure::new(Kind::Internal, format!("cannot start `{}`: {e}", folder.id))
            };
            // Before a port is leased: a lease without a folder is nobody's.
            files::create_folder(&folder.path, 0o700).map_err(|e| cannot(&e))?;
            let owner = folder.id.to_string();
            let known = |owner: &str| {
                InstanceId::try_from(owner.to_owned())
                    .is_ok_and(|id| InstanceFolder::new(&layout, &id).path.exists())
            };
            let mut address = None;
            if workload.port_variable.is_some() {
                let before = folder.spec().and_then(|spec| spec.address).map(|a| a.port());
                let again = match before {
                    Some(port) if leases.try_take(port, &owner, known).map_err(|e| cannot(&e))? => Some(port),
                    Some(port) => {
                        leases.give_back(port, &owner).map_err(|e| cannot(&e))?;
                        None
                    }
                    None => None,
                };
                let port = match again {
                    Some(port) => port,
                    None => leases.take(&owner, known).map_err(|e| cannot(&e))?,
                };
                address = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
            }
            let spec = ShimSpec {
                id: folder.id.to_string(),
                release: Some(workload.release.clone()),
                launch: program::launch(&workload, address),
                address,
                stop: workload.stop.clone(),
                memory: workload.memory,
                log: super::logs::file_of(&layout, &folder.id),
                restart,
            };
            folder.shimmed().describe(&spec).map_err(|e| cannot(&e))?;
            Ok(spec)
        })
        .await
    }

    /// Starts a shim and waits for its first word. Where the program cannot be started nothing is left.
    async fn start_shim(&self, folder: &InstanceFolder, spec: &ShimSpec) -> Result<(), Failure> {
        match folder.shimmed().start(&self.own, spec.stop.grace.0).await {
            Ok(()) => Ok(()),
            Err(NotStarted::Refused(why)) => {
                self.forget(folder).await?;
                Err(Failure::new(
                    Kind::Failed,
                    format!("cannot start `{}` as `{}`: {why}", spec.launch.program, folder.id),
                )
                .hint("check the command of this process in hostkit.toml, and that the build provides it"))
            }
            Err(NotStarted::Broken(why)) => {
                self.stop(folder).await?;
                Err(Failure::new(
                    Kind::Internal,
                    format!("cannot start a shim for `{}`: {why}", folder.id),
                ))
            }
        }
    }
}
