//! What the command line asks of the program around it: to start and stop an installation, and to be its daemons.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use hostkit_core::isolation::IsolationReport;
use hostkit_core::names::ProjectName;
use hostkit_core::server::{CheckReport, Progress, SetupReport, SetupWish};
use hostkit_core::size::ByteSize;
use hostkit_core::trust::{TrustReport, TrustWish};

/// The acts that are no API calls. The one binary hands them to [`crate::run`]. An error that is a
/// [`hostkit_core::kind::Failure`] is told as it is, with its exit code; any other is our own fault.
#[derive(Debug, Clone, Copy)]
pub struct Hooks {
    /// Starts an installation, says on stdout where it is, and stays until it is told to stop; or, detached, returns
    /// as soon as everything answers.
    pub up: fn(UpOptions) -> anyhow::Result<()>,
    /// Stops an installation in order, waits until nothing of it runs, and returns what it did. A failure of the kind
    /// `NotFound` means that there was nothing to stop.
    pub down: fn(&Path) -> anyhow::Result<String>,
    /// Runs the control daemon to its end.
    pub control: fn(ControlOptions) -> anyhow::Result<()>,
    /// Runs the front door to its end.
    pub proxy: fn(ProxyOptions) -> anyhow::Result<()>,
    /// Makes the machine fit to be a server, and tells each step as it is done.
    pub server_setup: fn(SetupWish, Tell<'_>) -> anyhow::Result<SetupReport>,
    /// Says how the machine is. Changes nothing.
    pub server_check: fn(SetupWish) -> anyhow::Result<CheckReport>,
    /// Tries everything as the account of the first project that it must not be able to do to the second one.
    pub isolation: fn(&ProjectName, &ProjectName) -> anyhow::Result<IsolationReport>,
    /// Where the certificate of the authority of an installation lies.
    pub authority: fn(&Path) -> anyhow::Result<PathBuf>,
    /// Has that authority trusted on this machine, or no more. The text is the command that was given, for hints.
    pub trust: fn(&Path, TrustWish, &str) -> anyhow::Result<TrustReport>,
}

/// Who is told each step of a setup as it is done.
pub type Tell<'a> = &'a mut dyn FnMut(Progress<'_>);

/// Options of `hostkit up`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpOptions {
    /// The data folder, absolute.
    pub data: PathBuf,
    /// The front door's port; 0 takes any free one.
    pub http_port: u16,
    /// The front door's port for TLS, where it is spoken; 0 takes any free one.
    pub https_port: Option<u16>,
    /// The API's port on loopback; 0 takes any free one.
    pub api_port: u16,
    /// The most disk that the front door keeps answers on; none where it is zero.
    pub cache_disk: ByteSize,
    /// Whether to return once everything is up.
    pub detach: bool,
    /// Whether to say where it is as JSON.
    pub json: bool,
}

/// Options of the control daemon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlOptions {
    /// Below `hostkit up`.
    Local {
        /// The data folder, absolute.
        data: PathBuf,
        /// Where the front door's public listener is.
        http: SocketAddr,
        /// Where it speaks TLS.
        https: Option<SocketAddr>,
    },
    /// Of a server, below systemd: its places are fixed, its settings in a file.
    Server,
}

/// Options of the front door.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProxyOptions {
    /// Below `hostkit up`.
    Local {
        /// The data folder, absolute.
        data: PathBuf,
        /// Where its sockets for TLS are.
        https: Option<SocketAddr>,
        /// The most disk that it keeps answers on; none where it is zero.
        cache_disk: ByteSize,
    },
    /// Of a server, below systemd.
    Server,
}

/// The data folder where none is named: `$XDG_DATA_HOME/hostkit`, else `~/.local/share/hostkit`.
pub(crate) fn default_data(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    below(&variable, "XDG_DATA_HOME", ".local/share")
}

/// Where things may lie that can be made again: `$XDG_CACHE_HOME/hostkit`, else `~/.cache/hostkit`.
pub(crate) fn default_cache(variable: impl Fn(&str) -> Option<OsString>) -> Option<PathBuf> {
    below(&variable, "XDG_CACHE_HOME", ".cache")
}

fn below(variable: &impl Fn(&str) -> Option<OsString>, name: &str, home: &str) -> Option<PathBuf> {
    let absolute = |name: &str| {
        variable(name)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let folder = absolute(name).or_else(|| absolute("HOME").map(|folder| folder.join(home)))?;
    Some(folder.join("hostkit"))
}
