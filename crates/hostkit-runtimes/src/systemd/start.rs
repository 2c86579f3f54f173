//! Starting of instances: a folder, a port, files for systemd, a unit.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use futures_util::future::join_all;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::log::LogStream;
use hostkit_core::names::VariableName;
use hostkit_core::secret::Secret;
use hostkit_core::variables::Variables;
use hostkit_core::workload::{InstanceId, Workload};
use hostkit_host::files;
use hostkit_host::launch_role::{LaunchSpec, writer_of};
use hostkit_host::log_file::{Form, Want, read_back};
use hostkit_host::systemd::unit_file::UnitFile;
use hostkit_host::systemd::{UnitLimits, environment_file};
use jiff::Timestamp;

use super::folder::{InstanceFolder, open_to_all};
use super::observe::{is_alive, is_whole};
use super::unit::{self, Places, UnitPlan};
use super::{Settings, SystemdRuntime, logs};
use crate::shared::instances::no_instance;
use crate::shared::port_lease::PortLeases;
use crate::shared::{off_thread, program};

/// How often to look whether a unit that is about to end has ended.
const POLL: Duration = Duration::from_millis(10);

impl SystemdRuntime {
    /// Makes sure that every wanted instance is kept running. The manager reads new files once for all of them.
    pub(super) async fn start_all(&self, workload: &Workload) -> Result<(), Failure> {
        let missing = self.missing(workload).await?;
        if missing.is_empty() {
            return Ok(());
        }
        let mut is_new = false;
        for id in &missing {
            is_new |= self.write(id, workload).await?;
        }
        if is_new {
            self.systemd.reload().await?;
        }
        let started = join_all(missing.iter().map(|id| self.start(id))).await;
        started.into_iter().collect()
    }

    /// Describes every instance that is missing, its port with it, and starts none; says whether any is missing.
    pub(super) async fn reserve_all(&self, workload: &Workload) -> Result<bool, Failure> {
        let missing = self.missing(workload).await?;
        for id in &missing {
            let (folder, workload, means) = (self.folder(id), workload.clone(), self.means());
            off_thread(move || means.describe(&folder, &workload).map(drop)).await?;
        }
        Ok(!missing.is_empty())
    }

    fn means(&self) -> Means {
        Means {
            layout: self.layout.clone(),
            leases: self.leases.clone(),
            settings: self.settings.clone(),
        }
    }

    /// The wanted instances that are not kept running.
    async fn missing(&self, workload: &Workload) -> Result<Vec<InstanceId>, Failure> {
        let ids = (1..=workload.count).map(|number| InstanceId {
            workload: workload.id.clone(),
            number,
        });
        let mut missing = Vec::new();
        for id in ids {
            if !self.is_kept_running(&id).await? {
                missing.push(id);
            }
        }
        Ok(missing)
    }

    /// Whether systemd means to go on with an instance. One that is about to end is waited for.
    async fn is_kept_running(&self, id: &InstanceId) -> Result<bool, Failure> {
        let folder = self.folder(id);
        loop {
            let found = self.found(id).await?;
            if !is_alive(&found.status) {
                return Ok(false);
            }
            if !found.is_asked {
                if is_whole(&folder) {
                    return Ok(true);
                }
                // A unit of which nothing else is left cannot be started again as it was.
                self.stop(id).await?;
                return Ok(false);
            }
            if found.status.is_running() {
                // Somebody asked for its end and did not live to see it.
                self.stop(id).await?;
                return Ok(false);
            }
            tokio::time::sleep(POLL).await;
        }
    }

    /// Writes everything of an instance but its start; says whether systemd has to read a file again.
    async fn write(&self, id: &InstanceId, workload: &Workload) -> Result<bool, Failure> {
        let (folder, workload, means) = (self.folder(id), workload.clone(), self.means());
        let file = off_thread(move || {
            let spec = means.describe(&folder, &workload)?;
            let environment = &folder.id.workload.environment;
            let limits = means.settings.limits_of(&workload);
            environment_file::ensure(&folder.variables_file(), &workload.variables)?;
            environment_file::ensure(&folder.address_file(), &of_address(&workload, spec.address))?;
            unit_of(
                &folder,
                &spec,
                &Places::of(&means.layout, environment, &spec.directory),
                &means.settings.program,
                &limits,
            )
        })
        .await?;
        let name = unit::name_of(id)?;
        let is_new = self.systemd.ensure_file(&name, &file).await?;
        self.systemd.enable(&name).await?;
        Ok(is_new)
    }

    /// Starts the unit. Where the program cannot be started nothing is left.
    async fn start(&self, id: &InstanceId) -> Result<(), Failure> {
        let begun = Timestamp::now();
        let Err(failure) = self.systemd.start(&unit::name_of(id)?).await else {
            return Ok(());
        };
        let spec = self.folder(id).spec();
        let why = self.why_not_started(id, begun).await;
        self.stop_all(std::slice::from_ref(id)).await?;
        let (Some(spec), Some(why)) = (spec, why) else {
            return Err(failure);
        };
        Err(Failure::new(
            Kind::Failed,
            format!("cannot start `{}` as `{id}`: {why}", spec.program),
        )
        .hint("check the command of this process in hostkit.toml, and that the build provides it"))
    }

    /// What `launch` said about it.
    async fn why_not_started(&self, id: &InstanceId, begun: Timestamp) -> Option<String> {
        let path = logs::path(&self.layout, &id.workload.environment, logs::Log::Errors);
        let want = Want {
            since: Some(begun),
            form: Form::Shared,
            writer: Some(writer_of(id)),
            ..Want::default()
        };
        let lines = off_thread(move || {
            Ok(read_back(&path, &want)
                .map(|(lines, _)| lines)
                .unwrap_or_default())
        });
        let lines = lines.await.unwrap_or_default();
        lines
            .into_iter()
            .filter(|line| line.stream == LogStream::Hostkit)
            .find_map(|line| {
                let about = line.text.strip_prefix("cannot start `")?;
                Some(about.split_once("`: ")?.1.to_owned())
            })
    }

    /// Starts the program of an instance afresh, whatever it does now.
    pub(super) async fn start_afresh(&self, id: &InstanceId) -> Result<(), Failure> {
        let folder = self.folder(id);
        if folder.spec().is_none() {
            return Err(no_instance("restart", id));
        }
        let name = unit::name_of(id)?;
        self.mark_asked(id).await?;
        let restarted = self.systemd.restart(&name).await;
        self.unmark_asked(id).await?;
        restarted
    }
}

/// What an instance is described with, to be used off the thread.
struct Means {
    layout: Layout,
    leases: PortLeases,
    settings: Settings,
}

impl Means {
    /// Writes what an instance is, with the port it has or is given now.
    fn describe(&self, folder: &InstanceFolder, workload: &Workload) -> Result<LaunchSpec, Failure> {
        let Means {
            layout,
            leases,
            settings,
        } = self;
        let cannot = |e: &dyn std::fmt::Display| {
            Failure::new(Kind::Internal, format!("cannot start `{}`: {e}", folder.id))
        };
        // Below it is what the project's own account looks at.
        open_to_all(&layout.run()).map_err(|e| cannot(&e))?;
        files::create_folder(&folder.path, 0o700).map_err(|e| cannot(&e))?;
        files::remove_tree(&folder.asked).map_err(|e| cannot(&e))?;
        logs::ensure_folder(layout, &folder.id.workload.environment)?;
        let address = match workload.port_variable {
            Some(_) => Some(take_port(leases, layout, folder).map_err(|e| cannot(&e))?),
            None => None,
        };
        let launch = program::launch(workload, address);
        let environment = &folder.id.workload.environment;
        let spec = LaunchSpec {
            id: folder.id.to_string(),
            release: Some(workload.release.clone()),
            variables: launch.environment.keys().cloned().collect(),
            program: launch.program,
            arguments: launch.arguments,
            directory: launch.directory,
            address,
            stop: workload.stop.clone(),
            memory: settings.limits_of(workload).memory,
            restart: settings.restart,
            output_log: logs::path(layout, environment, logs::Log::Output),
            error_log: logs::path(layout, environment, logs::Log::Errors),
            state: folder.state.clone(),
            asked: folder.asked.clone(),
        };
        let text = serde_json::to_vec(&spec).map_err(|e| cannot(&e))?;
        // Reserved a moment ago, it is there as it is.
        if std::fs::read(folder.spec_file()).ok().as_ref() != Some(&text) {
            files::write_atomic(&folder.spec_file(), &text, 0o600).map_err(|e| cannot(&e))?;
        }
        Ok(spec)
    }
}

fn unit_of(
    folder: &InstanceFolder,
    spec: &LaunchSpec,
    places: &Places,
    program: &Path,
    limits: &UnitLimits,
) -> Result<UnitFile, Failure> {
    unit::file(&UnitPlan {
        id: &folder.id,
        spec,
        program,
        spec_file: &folder.spec_file(),
        variable_files: &[folder.variables_file(), folder.address_file()],
        places,
        limits,
    })
}

/// An instance that was there before keeps its port, if that is still free.
fn take_port(leases: &PortLeases, layout: &Layout, folder: &InstanceFolder) -> std::io::Result<SocketAddr> {
    let owner = folder.id.to_string();
    let known = |owner: &str| {
        InstanceId::try_from(owner.to_owned()).is_ok_and(|id| InstanceFolder::new(layout, &id).path.exists())
    };
    let before = folder.spec().and_then(|spec| spec.address).map(|a| a.port());
    let port = match before {
        Some(port) if leases.try_take(port, &owner, known)? => port,
        Some(port) => {
            leases.give_back(port, &owner)?;
            leases.take(&owner, known)?
        }
        None => leases.take(&owner, known)?,
    };
    Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)))
}

fn of_address(workload: &Workload, address: Option<SocketAddr>) -> Variables {
    let mut variables = Variables::new();
    if let (Some(name), Some(address)) = (&workload.port_variable, address) {
        variables.insert(name.clone(), Secret::new(address.port().to_string()));
        if let Ok(host) = VariableName::parse("HOST") {
            variables.insert(host, Secret::new(address.ip().to_string()));
        }
    }
    variables
}
