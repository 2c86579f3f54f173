//! The roles beside an instance, or a service, that is a systemd unit. Systemd starts, restarts and ends the program; these see to
//! what it does not do:
//!
//! - `launch` is what the unit starts. It waits out the pause after a crash, connects the program's output to a log
//!   keeper, tells systemd that all is well, and becomes the program (`exec`): the main process of the unit has one
//!   process id from then on.
//! - the log keeper adds time and instance to each line and rotates the files. It ends when the last process that
//!   could print has ended.
//! - `ended` runs after the program (`ExecStopPost=`) and notes how it ended.
//!
//! All three run as the project's own account inside of its sandbox: they see the project's variables, which root must
//! not (`LD_PRELOAD` is a variable as well). What they write down is believed as much as the project's programs are.

mod control_group;
mod ended;
mod keeper;
mod start;

use std::fs::File;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use hostkit_core::manifest::StopRule;
use hostkit_core::names::ReleaseName;
use hostkit_core::size::ByteSize;
use hostkit_core::workload::{Exit, InstanceId, InstanceState};
use jiff::Timestamp;
use nix::libc;
use serde::{Deserialize, Serialize};

use crate::log_file::{LogLimits, LogWriter};
use crate::shim::RestartRule;

pub use control_group::processes_of;
pub(crate) use ended::run as ended;
pub(crate) use start::run as launch;

/// The exit status of `launch` where the program cannot be started, as systemd's own.
const CANNOT_START: i32 = 203;
/// In the folder [`LaunchSpec::state`]: what is known of past runs.
const RECORD_FILE: &str = "runs.json";
/// No record of ours is longer.
const LONGEST_RECORD: u64 = 16 * 1024;
/// How the log keeper is called in lists of processes.
const KEEPER_NAME: &std::ffi::CStr = c"hostkit-log";

/// What an instance or a service is. The roles find it on their standard input, which systemd opens for them: the file itself is
/// root's. It holds names of variables, no values.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaunchSpec {
    /// Its name: `shop.production.web.42.1`, `shop.production.redis`.
    pub id: String,
    /// The release it runs; none for a service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<ReleaseName>,
    /// The program; looked up in its PATH where it has no slash.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// The variables it finds in its environment, and no others.
    pub variables: Vec<String>,
    /// The folder it starts in.
    pub directory: PathBuf,
    /// Where it was told to listen.
    pub address: Option<SocketAddr>,
    /// How it is stopped.
    pub stop: StopRule,
    /// The most memory it may use, with all its children.
    pub memory: Option<ByteSize>,
    /// When it is started again.
    pub restart: RestartRule,
    /// The log its output goes to.
    pub output_log: PathBuf,
    /// The log its errors, and what is said about it, go to.
    pub error_log: PathBuf,
    /// The project's own folder for the record of its runs. Gone after a restart of the machine.
    pub state: PathBuf,
    /// A file of root's that is there while somebody asked for an end of the program.
    pub asked: PathBuf,
}

impl LaunchSpec {
    /// What stands in front of its lines in the logs: `web.42.1`; for a service, whose log is its own, all of its name.
    pub fn writer(&self) -> String {
        match InstanceId::try_from(self.id.clone()) {
            Ok(id) => writer_of(&id),
            Err(_) => self.id.clone(),
        }
    }

    fn read_from_input() -> io::Result<Self> {
        Ok(serde_json::from_reader(io::stdin().lock())?)
    }

    fn log_about_it(&self) -> LogWriter {
        LogWriter::shared(self.error_log.clone(), LogLimits::default(), &self.writer())
    }
}

/// What stands in front of an instance's lines in the logs of its environment: process, deployment, number.
pub fn writer_of(id: &InstanceId) -> String {
    format!("{}.{}.{}", id.workload.process, id.workload.deployment, id.number)
}

/// What is known of past runs. Written by the project's own account: root reads it, and trusts it no more than a line
/// that the program prints.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct RunRecord {
    /// How often it ended by itself without having run for long in between.
    pub crashes: u32,
    /// When the last of these was.
    pub crashed_at: Option<Timestamp>,
    /// How the program last ended.
    pub last_exit: Option<Exit>,
    /// Which control group it was in, and how many processes the kernel had killed there for memory.
    pub memory_kills: Option<(u64, u64)>,
}

impl RunRecord {
    /// Reads the record in a folder of a project's; nothing where there is none, or none of ours.
    pub fn read(folder: &Path) -> RunRecord {
        read_own(folder)
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default()
    }

    /// Until when it is not started again.
    pub fn pause_ends(&self, rule: &RestartRule) -> Option<Timestamp> {
        let pause = rule.pause(self.crashes);
        self.crashed_at?.checked_add(pause).ok()
    }

    /// How an instance is that is about to start.
    pub fn state(&self, rule: &RestartRule) -> InstanceState {
        match self.crashes {
            0 => InstanceState::Running,
            crashes if crashes >= rule.crash_loop_after => InstanceState::CrashLoop,
            _ => InstanceState::Backoff,
        }
    }

    fn write(&self, folder: &Path) -> io::Result<()> {
        crate::files::replace(&folder.join(RECORD_FILE), &serde_json::to_vec(self)?, 0o600)
    }
}

/// Reads a record whoever wrote it: no link is followed, no pipe waited for, nothing long or of another account taken.
fn read_own(folder: &Path) -> Option<Vec<u8>> {
    let file = File::options()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | libc::O_NOCTTY)
        .open(folder.join(RECORD_FILE))
        .ok()?;
    let (meta, around) = (file.metadata().ok()?, std::fs::symlink_metadata(folder).ok()?);
    let is_own = meta.is_file() && around.is_dir() && meta.uid() == around.uid();
    if !is_own || meta.len() > LONGEST_RECORD {
        return None;
    }
    let mut text = Vec::new();
    file.take(LONGEST_RECORD).read_to_end(&mut text).ok()?;
    Some(text)
}

#[cfg(test)]
mod tests;
