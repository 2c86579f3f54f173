//! Starting of an instance: a folder, a port, a description, a shim.

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Stdio;
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::workload::{InstanceId, InstanceState, Workload};
use hostkit_host::files;
use hostkit_host::processes;
use hostkit_host::shim::{FirstWord, SPEC_FILE, STATE_FILE, ShimSpec};
use nix::sys::signal::Signal;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep, timeout};

use super::ProcessRuntime;
use super::folder::{InstanceFolder, Shim};
use crate::shared::instances::no_instance;
use crate::shared::{off_thread, program};

/// How long a shim may take to say whether the program was started: a busy machine, not a slow program.
const FIRST_WORD: Duration = Duration::from_secs(30);
/// Time on top of a program's own grace for the shim's part of the work.
pub(super) const MARGIN: Duration = Duration::from_secs(15);

impl ProcessRuntime {
    /// Makes sure one instance is looked after by a shim.
    pub(super) async fn start(&self, workload: &Workload, number: u16) -> Result<(), Failure> {
        let id = InstanceId {
            workload: workload.id.clone(),
            number,
        };
        let folder = self.folder(&id);
        if self.is_looked_after(&folder, workload.stop.grace.0).await {
            return Ok(());
        }
        self.clear_strays(&folder).await?;
        let spec = self.describe(&folder, workload).await?;
        self.start_shim(&folder, &spec).await
    }

    /// Starts the program of an instance afresh, whatever it does now.
    pub(super) async fn start_afresh(&self, folder: &InstanceFolder) -> Result<(), Failure> {
        let spec = folder.spec().ok_or_else(|| no_instance("restart", &folder.id))?;
        let Shim::Alive(before) = folder.shim() else {
            if self.is_looked_after(folder, spec.stop.grace.0).await {
                return Ok(());
            }
            self.clear_strays(folder).await?;
            return self.start_shim(folder, &spec).await;
        };
        processes::signal(before.shim.pid, Signal::SIGUSR1);
        let deadline = Instant::now() + spec.stop.grace.0 + MARGIN;
        while Instant::now() < deadline {
            match folder.shim() {
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

    /// Whether a shim looks after the instance and means to go on with it. One that is about to end is waited for.
    async fn is_looked_after(&self, folder: &InstanceFolder, grace: Duration) -> bool {
        let deadline = Instant::now() + grace + MARGIN;
        loop {
            match folder.shim() {
                Shim::Gone(_) => return false,
                Shim::Alive(state)
                    if !matches!(state.state, InstanceState::Stopping | InstanceState::Stopped) =>
                {
                    return true;
                }
                _ if Instant::now() > deadline => return true,
                _ => sleep(Duration::from_millis(5)).await,
            }
        }
    }

    /// Writes what the instance is. An instance that was there before keeps its port, if that is still free.
    async fn describe(&self, folder: &InstanceFolder, workload: &Workload) -> Result<ShimSpec, Failure> {
        let (folder, workload, leases) = (folder.clone(), workload.clone(), self.leases.clone());
        let (restart, layout) = (self.restart, self.layout.clone());
        off_thread(move || {
            let cannot = |e: &dyn std::fmt::Display| {
                Failure::new(Kind::Internal, format!("cannot start `{}`: {e}", folder.id))
            };
            files::create_folder(&folder.path, 0o700).map_err(|e| cannot(&e))?;
            files::remove_tree(&folder.path.join(STATE_FILE)).map_err(|e| cannot(&e))?;
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
                id: folder.id.clone(),
                release: workload.release.clone(),
                launch: program::launch(&workload, address),
                address,
                stop: workload.stop.clone(),
                memory: workload.memory,
                log: super::logs::file_of(&layout, &folder.id),
                restart,
            };
            let text = serde_json::to_vec(&spec).map_err(|e| cannot(&e))?;
            files::replace(&folder.path.join(SPEC_FILE), &text, 0o600).map_err(|e| cannot(&e))?;
            Ok(spec)
        })
        .await
    }

    /// Starts a shim and waits for its first word. Where the program cannot be started nothing is left.
    async fn start_shim(&self, folder: &InstanceFolder, spec: &ShimSpec) -> Result<(), Failure> {
        let why = match self.first_word(folder).await {
            Ok(Some(FirstWord::Started)) => return Ok(()),
            Ok(Some(FirstWord::Busy)) if self.is_looked_after(folder, spec.stop.grace.0).await => {
                return Ok(());
            }
            Ok(Some(FirstWord::Refused(why))) => {
                self.forget(folder).await?;
                return Err(Failure::new(
                    Kind::Failed,
                    format!("cannot start `{}` as `{}`: {why}", spec.launch.program, folder.id),
                )
                .hint("check the command of this process in hostkit.toml, and that the build provides it"));
            }
            Ok(Some(FirstWord::Busy)) => "another one looked after it and ended".to_owned(),
            Ok(None) => "its shim ended without a word".to_owned(),
            Err(e) => e.to_string(),
        };
        self.stop(folder).await?;
        Err(Failure::new(
            Kind::Internal,
            format!("cannot start a shim for `{}`: {why}", folder.id),
        ))
    }

    async fn first_word(&self, folder: &InstanceFolder) -> std::io::Result<Option<FirstWord>> {
        let mut command = self.own.role("shim");
        command
            .arg(&folder.path)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = tokio::process::Command::from(command).spawn()?;
        let mut text = Vec::new();
        if let Some(mut output) = child.stdout.take() {
            // The shim closes its end after the first word.
            timeout(FIRST_WORD, output.read_to_end(&mut text)).await??;
        }
        // Dropped, not waited for: it lives on, and the runtime reaps it should it end before us.
        drop(child);
        Ok(FirstWord::parse(&String::from_utf8_lossy(&text)))
    }
}
