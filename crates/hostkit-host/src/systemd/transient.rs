//! Units without a file: a build, a one-off command.

use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::time::Duration;

use hostkit_core::kind::Failure;
use hostkit_core::manifest::StopRule;
use hostkit_core::size::ByteSize;
use hostkit_core::variables::Variables;
use jiff::Timestamp;

use super::sandbox::Sandbox;
use super::{UnitName, UnitResult};
use crate::guard::Ending;

/// A program to run in a unit of its own.
#[derive(Debug)]
pub struct TransientUnit {
    /// The name of the unit, a service; it must not be in use.
    pub name: UnitName,
    /// What people see in lists.
    pub description: String,
    /// The program, absolute. No shell: whoever wants one names `/bin/sh` and gives the line as one argument.
    pub program: PathBuf,
    /// Its arguments. Every account of the machine can read them: no secrets.
    pub arguments: Vec<String>,
    /// The account it runs as, with that account's groups; root where none is named.
    pub account: Option<String>,
    /// The slice it is in; the manager's own where none is named.
    pub slice: Option<UnitName>,
    /// What it may use, with everything it starts.
    pub limits: UnitLimits,
    /// The folder it starts in.
    pub directory: PathBuf,
    /// Everything it finds in its environment. Read by systemd from memory of ours, so that no value is in a file, in
    /// an argument, or in a property that any account may ask systemd for.
    pub variables: Variables,
    /// What it may see and do.
    pub sandbox: Sandbox,
    /// The unit with whose end this one ends, whatever the reason: that of the caller.
    pub bound_to: Option<UnitName>,
    /// How it is stopped.
    pub stop: StopRule,
    /// Its standard streams.
    pub streams: Streams,
}

/// What a unit may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UnitLimits {
    /// The most memory; swap comes on top of nothing.
    pub memory: Option<ByteSize>,
    /// The most processor time, in hundredths of one processor: 150 is one and a half.
    pub cpu_percent: Option<u32>,
    /// The most processes and threads.
    pub tasks: Option<u64>,
    /// Its share of the disk when others want it, too: 1 to 10000, usually 100.
    pub io_weight: Option<u16>,
    /// Its share of the processors when others want them, too: 1 to 10000, usually 100.
    pub cpu_weight: Option<u16>,
    /// The longest it may run.
    pub time: Option<Duration>,
}

/// The standard streams of a unit without a file.
#[derive(Debug)]
pub enum Streams {
    /// These files, pipes or sockets; `/dev/null` where none is given.
    Files {
        /// Standard input.
        input: Option<OwnedFd>,
        /// Standard output.
        output: Option<OwnedFd>,
        /// Standard error.
        errors: Option<OwnedFd>,
    },
    /// All three are this terminal, which becomes its controlling one: `/dev/pts/3`.
    Terminal(PathBuf),
}

/// How a unit without a file ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransientEnd {
    /// How. `OutOfMemory` is only said when systemd knows it.
    pub ending: Ending,
    /// Systemd's own word.
    pub result: UnitResult,
    /// When its main process ended, where that is known.
    pub at: Option<Timestamp>,
}

/// A running unit without a file. Dropped before its end was seen, the unit is killed with everything in it.
#[async_trait::async_trait]
pub trait TransientRun: Send + Sync {
    /// Its name.
    fn name(&self) -> &UnitName;

    /// Waits for the end of everything in it. May be dropped and called again; after the end it answers the same.
    async fn wait(&mut self) -> Result<TransientEnd, Failure>;

    /// Asks it to end by its stop rule (signal, grace, kill) and waits for that. Idempotent.
    async fn stop(&mut self) -> Result<(), Failure>;
}
