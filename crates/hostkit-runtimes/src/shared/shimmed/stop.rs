//! Ending of a shim with its program, and of what a killed shim may have left.

use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_host::processes::{self, ProcessMark};
use nix::sys::signal::Signal;
use tokio::time::{Instant, sleep};

use super::{MARGIN, Shim, Shimmed};
use crate::shared::off_thread;

impl Shimmed {
    /// Ends the program and everything it started. Its folder stays.
    pub(crate) async fn stop(&self) -> Result<(), Failure> {
        let grace = self.spec().map_or(Duration::ZERO, |spec| spec.stop.grace.0);
        let deadline = Instant::now() + grace + MARGIN;
        let mut asked = None;
        loop {
            match self.shim() {
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
                        format!("cannot stop `{}`: its shim does not end", self.name),
                    ));
                }
                _ => {}
            }
            sleep(Duration::from_millis(3)).await;
        }
        self.clear_strays().await
    }

    /// A shim that was killed takes its program along, but not what that program had started. Those are still in
    /// the session the shim opened.
    pub(crate) async fn clear_strays(&self) -> Result<(), Failure> {
        let Shim::Gone(Some(state)) = self.shim() else {
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
                        self.name
                    ),
                ));
            }
            for pid in strays {
                processes::signal(pid, Signal::SIGKILL);
            }
            sleep(Duration::from_millis(3)).await;
        }
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
