//! A program below a shim (`hostkit_host::shim`), and the folder that says what it is and how it is. Instances and services
//! of local mode are such.

mod start;
mod stop;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hostkit_host::files;
use hostkit_host::shim::{LOCK_FILE, SPEC_FILE, STATE_FILE, ShimSpec, ShimState};

pub(crate) use start::NotStarted;

/// Time on top of a program's own grace for the shim's part of the work.
pub(crate) const MARGIN: Duration = Duration::from_secs(15);

/// Where one program is described.
#[derive(Debug, Clone)]
pub(crate) struct Shimmed {
    /// What it is called in messages.
    pub(crate) name: String,
    /// Its folder.
    pub(crate) path: PathBuf,
}

/// Whether somebody looks after a program.
pub(crate) enum Shim {
    /// Yes, and this is what it says.
    Alive(ShimState),
    /// Yes, but it has not said anything yet.
    Silent,
    /// No; the last thing it said.
    Gone(Option<ShimState>),
}

impl Shimmed {
    pub(crate) fn spec(&self) -> Option<ShimSpec> {
        read_json(&self.path.join(SPEC_FILE))
    }

    /// Says what the program is, for the shim that is started next. What an earlier one said is forgotten.
    pub(crate) fn describe(&self, spec: &ShimSpec) -> std::io::Result<()> {
        files::create_folder(&self.path, 0o700)?;
        files::remove_tree(&self.path.join(STATE_FILE))?;
        files::replace(&self.path.join(SPEC_FILE), &serde_json::to_vec(spec)?, 0o600)
    }

    /// A state is believed only if the very process that wrote it still runs: same id, same start, same boot.
    pub(crate) fn shim(&self) -> Shim {
        match read_json::<ShimState>(&self.path.join(STATE_FILE)) {
            Some(state) if state.shim.is_alive() => Shim::Alive(state),
            // A new shim has the lock; the state, if any, is still an older one's.
            _ if files::is_locked(&self.path.join(LOCK_FILE)) => Shim::Silent,
            state => Shim::Gone(state),
        }
    }

    /// What the shim said last, and whether it is still there to mean it.
    pub(crate) fn last_state(&self) -> (Option<ShimState>, bool) {
        match self.shim() {
            Shim::Alive(state) => (Some(state), true),
            Shim::Silent => (None, false),
            Shim::Gone(state) => (state, false),
        }
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}
