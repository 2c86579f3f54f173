//! The two daemons below the supervisor: started with their sockets, started again when they end by themselves.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::Context;
use hostkit_host::processes::ProcessMark;
use hostkit_host::role_process::RoleProcess;
use nix::sys::signal::Signal;
use tokio::process::Child;

use super::state::signal;

/// A log of a daemon that grew past this is set aside when the daemon starts.
const LOG_LIMIT: u64 = 10 << 20;
/// The pause before a daemon that keeps dying is started again, at the longest.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A daemon that ends by itself sooner than this is not well, whatever its status says.
const ORDERLY: Duration = Duration::from_secs(1);

/// A daemon that is kept running.
pub(crate) struct Daemon {
    name: &'static str,
    arguments: Vec<OsString>,
    sockets: Vec<OwnedFd>,
    log: PathBuf,
    child: Option<Child>,
    started: Instant,
    deaths: u32,
}

impl Daemon {
    /// A daemon that is not started yet.
    pub(crate) fn new(
        name: &'static str,
        arguments: Vec<OsString>,
        sockets: Vec<OwnedFd>,
        log: PathBuf,
    ) -> Self {
        Daemon {
            name,
            arguments,
            sockets,
            log,
            child: None,
            started: Instant::now(),
            deaths: 0,
        }
    }

    /// What it is called.
    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// Where its log is.
    pub(crate) fn log(&self) -> &Path {
        &self.log
    }

    /// Starts it.
    pub(crate) fn start(&mut self) -> anyhow::Result<()> {
        let sockets = self
            .sockets
            .iter()
            .map(OwnedFd::try_clone)
            .collect::<Result<_, _>>()?;
        let process = RoleProcess {
            program: PathBuf::from("/proc/self/exe"),
            arguments: self.arguments.clone(),
            sockets,
            log: open_log(&self.log)?,
        };
        self.child = Some(
            process
                .spawn()
                .with_context(|| format!("cannot start the {} process", self.name))?,
        );
        self.started = Instant::now();
        Ok(())
    }

    /// The running process.
    pub(crate) fn mark(&self) -> Option<ProcessMark> {
        self.child.as_ref().and_then(Child::id).and_then(ProcessMark::of)
    }

    /// Waits until it ends by itself. Cancel-safe: nothing is lost when the wait is given up.
    pub(crate) async fn ended(&mut self) -> String {
        let ended = match &mut self.child {
            Some(child) => child.wait().await,
            None => return std::future::pending().await,
        };
        self.child = None;
        let lived = self.started.elapsed();
        self.deaths = match &ended {
            // It was asked to, so that another one takes its place.
            Ok(status) if status.success() && lived > ORDERLY => 0,
            _ if lived > Duration::from_secs(30) => 1,
            _ => self.deaths + 1,
        };
        match ended {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        }
    }

    /// How long to wait before the next start: not at all the first time, longer when it dies over and over.
    pub(crate) fn pause(&self) -> Duration {
        match self.deaths {
            0 | 1 => Duration::ZERO,
            n => (Duration::from_millis(50) * 2u32.pow(n.min(10))).min(LONGEST_PAUSE),
        }
    }

    /// Asks it to end and waits; kills it after `patience`.
    pub(crate) async fn stop(&mut self, patience: Duration) {
        let Some(child) = &mut self.child else { return };
        if let Some(mark) = child.id().and_then(ProcessMark::of) {
            signal(&mark, Signal::SIGTERM);
        }
        if tokio::time::timeout(patience, child.wait()).await.is_err() {
            child.kill().await.ok();
        }
        self.child = None;
    }
}

fn open_log(path: &Path) -> anyhow::Result<std::fs::File> {
    if std::fs::metadata(path).is_ok_and(|meta| meta.len() > LOG_LIMIT) {
        std::fs::rename(path, path.with_extension("log.1"))?;
    }
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)
        .with_context(|| format!("cannot open the log `{}`", path.display()))
}
