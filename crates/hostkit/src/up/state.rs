//! `run/up.json`: who runs for a data folder and where. Processes are told apart by pid and start time, never by
//! pid alone.

use std::net::SocketAddr;
use std::path::PathBuf;

use hostkit_core::layout::Layout;
use hostkit_host::processes::ProcessMark;
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use serde::{Deserialize, Serialize};

/// Sends a signal to that very process; whether it was there to take it.
pub(crate) fn signal(mark: &ProcessMark, signal: Signal) -> bool {
    mark.is_alive() && nix::sys::signal::kill(Pid::from_raw(mark.pid as i32), signal).is_ok()
}

/// What `hostkit up` writes down for `down`, `status` and the next `up`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UpState {
    /// The supervisor.
    pub(crate) supervisor: ProcessMark,
    /// The control process.
    pub(crate) control: Option<ProcessMark>,
    /// The front door.
    pub(crate) proxy: Option<ProcessMark>,
    /// The public listener.
    pub(crate) http: SocketAddr,
    /// The one that speaks TLS.
    #[serde(default)]
    pub(crate) https: Option<SocketAddr>,
    /// The API and dashboard.
    pub(crate) api: SocketAddr,
    /// The data folder.
    pub(crate) data: PathBuf,
    /// The version of HostKit.
    pub(crate) version: String,
}

impl UpState {
    /// What the last `up` wrote down, if anything readable.
    pub(crate) fn load(layout: &Layout) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(layout.up_file()).ok()?).ok()
    }

    /// Writes it down.
    pub(crate) fn save(&self, layout: &Layout) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(self)?;
        hostkit_host::files::write_atomic(&layout.up_file(), &text, 0o600)?;
        Ok(())
    }
}

impl std::fmt::Display for UpState {
    /// What a person is told.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let port = match self.http.port() {
            80 => String::new(),
            port => format!(":{port}"),
        };
        writeln!(f, "HostKit {} is up\n", self.version)?;
        match self.https.map(|https| https.port()) {
            Some(443) => writeln!(f, "  projects   https://NAME.localhost/")?,
            Some(port) => writeln!(f, "  projects   https://NAME.localhost:{port}/")?,
            None => writeln!(f, "  projects   http://NAME.localhost{port}/")?,
        }
        writeln!(
            f,
            "  API        http://{}/  (also http://hostkit.localhost{port}/)",
            self.api
        )?;
        writeln!(f, "  data       {}\n", self.data.display())?;
        if self.https.is_some() {
            writeln!(f, "Have browsers trust it, once:  hostkit trust")?;
        }
        writeln!(f, "Deploy the folder you are in:  hostkit deploy")?;
        writeln!(f, "See what runs:                 hostkit status")
    }
}
