//! Ending of an instance, and of what a killed shim may have left.

use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_host::files;
use hostkit_host::processes::{self, ProcessMark};
use hostkit_host::shim::STATE_FILE;
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use super::ProcessRuntime;
use super::folder::{InstanceFolder, Shim};
use super::start::MARGIN;
use crate::shared::off_thread;

impl ProcessRuntime {
    /// Ends an instance and everything it started, and forgets it.
    pub(super) async fn stop(&self, folder: &InstanceFolder) -> Result<(), Failure> {
        let grace = folder.spec().map_or(Duration::ZERO, |spec| spec.stop.grace.0);
        let deadline = Instant::now() + grace + MARGIN;
        let mut asked = None;
        loop {
            match folder.shim() {
                Shim::Gone(_) => break,
                Shim::Alive(state) if asked.as_ref() != Some(&state.shim) => {
                    processes::signal(state.shim.pid, Signal::SIGTERM);
                    asked = Some(state.shim);
                }
                Shim::Alive(state) if Instant::now() > deadline => {
                    processes::signal(state.shim.pid, Signal::SIGKILL);
                }
                _ if Instant::now() > deadline + MARGIN => {
                    return Err(Failure::new(
                        Kind::Internal,
                        format!("cannot stop `{}`: its shim does not end", folder.id),
                    ));
                }
                _ => {}
            }
            sleep(Duration::from_millis(3)).await;
        }
        self.clear_strays(folder).await?;
        self.forget(folder).await
    }

    /// A shim that was killed takes its program along, but not what that program had started. Those are still in
    /// the session the shim opened.
    pub(super) async fn clear_strays(&self, folder: &InstanceFolder) -> Result<(), Failure> {
        let Shim::Gone(Some(state)) = folder.shim() else {
            return Ok(());
        };
        let deadline = Instant::now() + MARGIN;
        loop {
            let mark = state.shim.clone();
            let strays = off_thread(move || Ok(session_of(&mark))).await?;
            if strays.is_empty() {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(Failure::new(
                    Kind::Internal,
                    format!(
                        "cannot end all processes of `{}`: {strays:?} do not end",
                        folder.id
                    ),
                ));
            }
            for pid in strays {
                processes::signal(pid, Signal::SIGKILL);
            }
            sleep(Duration::from_millis(3)).await;
        }
    }

    /// Removes the folder of an instance that is gone, and gives its port back. Its log stays.
    pub(super) async fn forget(&self, folder: &InstanceFolder) -> Result<(), Failure> {
        let (folder, leases) = (folder.clone(), self.leases.clone());
        off_thread(move || {
            let cannot = |e: std::io::Error| {
                Failure::new(Kind::Internal, format!("cannot forget `{}`: {e}", folder.id))
            };
            if let Some(address) = folder.spec().and_then(|spec| spec.address) {
                leases
                    .give_back(address.port(), &folder.id.to_string())
                    .map_err(cannot)?;
            }
            // First what makes it look alive, so that a crash in between leaves a folder that is started anew.
            files::remove_tree(&folder.path.join(STATE_FILE)).map_err(cannot)?;
            files::remove_tree(&folder.path).map_err(cannot)
        })
        .await
    }
}

/// Processes of the session a shim opened that outlived it. None where the shim's id was given to somebody else
/// since, or the machine was started anew: then the session is another one.
fn session_of(shim: &ProcessMark) -> Vec<u32> {
    if shim.boot != processes::boot_id() || processes::start_time(shim.pid).is_some_and(|s| s != shim.start) {
        return Vec::new();
    }
    processes::all()
        .into_iter()
        .filter(|pid| {
            processes::stat(*pid).is_some_and(|stat| {
                stat.session == shim.pid && stat.start >= shim.start && !matches!(stat.state, 'Z' | 'X')
            })
        })
        .collect()
}
