//! Workload: a process of one release, so many times. Instance: one running copy, observed, never believed from
//! the database.

use std::net::SocketAddr;
use std::path::PathBuf;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::deployment::DeploymentId;
use crate::manifest::{Command, StopRule};
use crate::names::{ProcessName, ReleaseName, VariableName};
use crate::project::EnvironmentId;
use crate::size::{ByteSize, Processors, Span};
use crate::variables::Variables;

/// Names a workload: the same after a restart of anything, so that whoever looks finds it again.
/// The deployment that started it tells two sets of the same release apart.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct WorkloadId {
    /// Whose it is.
    pub environment: EnvironmentId,
    /// Which process.
    pub process: ProcessName,
    /// The deployment that started it.
    pub deployment: DeploymentId,
}

impl std::fmt::Display for WorkloadId {
    /// `shop.production.web.42`: no name has a dot, so parts cannot run together.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let EnvironmentId { project, environment } = &self.environment;
        write!(f, "{project}.{environment}.{}.{}", self.process, self.deployment)
    }
}

/// Names an instance: `shop.production.web.42.1`, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
#[schemars(with = "String")]
pub struct InstanceId {
    /// The workload.
    pub workload: WorkloadId,
    /// Which of its copies, from 1.
    pub number: u16,
}

impl std::fmt::Display for InstanceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.workload, self.number)
    }
}

impl From<InstanceId> for String {
    fn from(id: InstanceId) -> String {
        id.to_string()
    }
}

impl TryFrom<String> for InstanceId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let parts: Vec<&str> = text.split('.').collect();
        let [project, environment, process, deployment, number] = parts[..] else {
            return Err(format!("`{text}` does not name an instance"));
        };
        Ok(InstanceId {
            workload: WorkloadId {
                environment: EnvironmentId {
                    project: project.parse().map_err(|e| format!("{e}"))?,
                    environment: environment.parse().map_err(|e| format!("{e}"))?,
                },
                process: process.parse().map_err(|e| format!("{e}"))?,
                deployment: deployment
                    .parse()
                    .map_err(|_| format!("`{deployment}` is not a number"))?,
            },
            number: number
                .parse()
                .map_err(|_| format!("`{number}` is not a number"))?,
        })
    }
}

/// A process of a release, so many times: all a runtime needs to know.
#[derive(Debug, Clone)]
pub struct Workload {
    /// Its name.
    pub id: WorkloadId,
    /// The release it runs.
    pub release: ReleaseName,
    /// How many instances there shall be.
    pub count: u16,
    /// What is started.
    pub command: Command,
    /// The folder it starts in, absolute.
    pub directory: PathBuf,
    /// Everything the program finds in its environment but HOST and the port's variable.
    pub variables: Variables,
    /// The variable that tells the program its port; `None` for a program without one.
    pub port_variable: Option<VariableName>,
    /// How it is stopped.
    pub stop: StopRule,
    /// The most memory one instance may use.
    pub memory: Option<ByteSize>,
    /// The most processor time one instance may use.
    pub cpus: Option<Processors>,
}

/// One running copy, as it was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Instance {
    /// Its name.
    pub id: InstanceId,
    /// The release it runs.
    pub release: ReleaseName,
    /// How it is.
    pub state: InstanceState,
    /// The program's process id, while there is one.
    pub pid: Option<u32>,
    /// Where it was told to listen.
    pub address: Option<SocketAddr>,
    /// When the program was last started.
    pub started_at: Option<Timestamp>,
    /// How often it was started again after it ended by itself.
    pub restarts: u32,
    /// How the program last ended.
    pub last_exit: Option<Exit>,
    /// Memory in use by it and all its children, in bytes.
    pub memory: Option<u64>,
}

/// How an instance is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// The program runs.
    Running,
    /// It ended by itself and will be started again after a pause.
    Backoff,
    /// It ended so often that the pause is at its longest (still started again).
    CrashLoop,
    /// It was asked to end.
    Stopping,
    /// It is gone.
    Stopped,
}

/// How a program ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Exit {
    /// Its exit code, if it exited.
    pub code: Option<i32>,
    /// The signal that ended it, if one did.
    pub signal: Option<i32>,
    /// Whether the kernel killed it, or one of its children, for memory.
    pub out_of_memory: bool,
    /// Its memory limit, where it was killed for using more than that. A program can be killed below its limit as well:
    /// when all projects together, or the whole machine, have no memory left.
    #[serde(default)]
    pub memory_limit: Option<ByteSize>,
    /// When.
    pub at: Timestamp,
}

impl std::fmt::Display for Exit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.out_of_memory, self.code, self.signal) {
            (true, _, _) => match self.memory_limit {
                Some(limit) => write!(f, "killed: used more than its memory limit of {limit}"),
                None => f.write_str("killed: there was no memory left for it"),
            },
            (_, Some(code), _) => write!(f, "exit status {code}"),
            (_, _, Some(signal)) => write!(f, "killed by signal {signal}"),
            _ => f.write_str("ended in an unknown way"),
        }
    }
}

/// Which workloads are meant.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// Only of this environment; all where none is named.
    pub environment: Option<EnvironmentId>,
    /// Only this process.
    pub process: Option<ProcessName>,
    /// Only of this deployment.
    pub deployment: Option<DeploymentId>,
}

impl Scope {
    /// Everything of one environment.
    pub fn of(environment: &EnvironmentId) -> Self {
        Scope {
            environment: Some(environment.clone()),
            ..Scope::default()
        }
    }

    /// Whether a workload is meant.
    pub fn contains(&self, id: &WorkloadId) -> bool {
        self.environment.as_ref().is_none_or(|e| *e == id.environment)
            && self.process.as_ref().is_none_or(|p| *p == id.process)
            && self.deployment.is_none_or(|d| d == id.deployment)
    }
}

/// What can be said about an instance that does not get ready.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// The last lines it printed, oldest first.
    pub last_lines: Vec<String>,
    /// Addresses it and its children listen on.
    pub listening: Vec<SocketAddr>,
    /// How the program last ended.
    pub last_exit: Option<Exit>,
    /// How often it was started again.
    pub restarts: u32,
}

/// How long an instance that crashes waits before each new start: doubling from the first to the last.
pub const BACKOFF: (Span, Span) = (Span(std::time::Duration::from_millis(500)), Span::secs(30));
/// So many crashes without [`STABLE_AFTER`] between them make a crash loop.
pub const CRASH_LOOP_AFTER: u32 = 5;
/// An instance that ran this long has its crashes forgotten.
pub const STABLE_AFTER: Span = Span::secs(60);
