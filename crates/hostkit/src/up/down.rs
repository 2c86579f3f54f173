//! `hostkit down`: the orderly stop of what `hostkit up` started, also when its supervisor is gone.

use std::path::Path;
use std::time::{Duration, Instant};

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_host::processes::ProcessMark;
use nix::sys::signal::Signal;

use super::state::{UpState, signal};

/// How long an orderly stop may take before `down` gives up waiting.
const PATIENCE: Duration = Duration::from_secs(150);

/// Stops the installation below `data` and waits until nothing of it runs. Says what it did.
pub(crate) fn run(data: &Path) -> anyhow::Result<String> {
    let layout = Layout::new(data);
    let shown = data.display();
    let mut was_running = false;
    if let Some(state) = UpState::load(&layout) {
        // The supervisor stops the others. Where it was killed they are asked themselves, the front door first.
        for mark in [
            Some(&state.supervisor),
            state.proxy.as_ref(),
            state.control.as_ref(),
        ]
        .into_iter()
        .flatten()
        {
            if signal(mark, Signal::SIGTERM) {
                was_running = true;
                wait_for(mark)?;
            }
        }
        std::fs::remove_file(layout.up_file()).ok();
    }
    if !was_running {
        let failure = Failure::new(Kind::NotFound, format!("HostKit is not up for `{shown}`"));
        return Err(failure.hint("start it with `hostkit up`").into());
    }
    Ok(format!("stopped HostKit and every instance of `{shown}`"))
}

fn wait_for(mark: &ProcessMark) -> Result<(), Failure> {
    let started = Instant::now();
    while mark.is_alive() {
        if started.elapsed() > PATIENCE {
            let message = format!(
                "cannot stop HostKit: process {} still runs after {} seconds",
                mark.pid,
                PATIENCE.as_secs()
            );
            return Err(
                Failure::new(Kind::Unavailable, message).hint("see `logs/control.log` in the data folder")
            );
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(())
}
