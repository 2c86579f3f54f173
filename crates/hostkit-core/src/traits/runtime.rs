//! Where instances run.

use std::path::PathBuf;
use std::pin::Pin;

use futures_core::Stream;

use crate::kind::Failure;
use crate::log::{LogLine, LogQuery};
use crate::project::EnvironmentId;
use crate::variables::Variables;
use crate::workload::{Diagnosis, Instance, InstanceId, Scope, Workload, WorkloadId};

/// Lines as they come; ends when nothing more will (never, for a query that follows).
pub type LogLines = Pin<Box<dyn Stream<Item = LogLine> + Send>>;

/// Runs workloads. Instances outlive the caller: after a restart of the caller `observe` finds them again.
/// Every method may be called at any time, also twice at once for different workloads.
#[async_trait::async_trait]
pub trait Runtime: Send + Sync {
    /// Its name.
    fn name(&self) -> &'static str;

    /// Makes it so that exactly `count` instances of the workload are kept running: starts the missing numbers,
    /// stops the highest ones where there are too many (signal, grace, kill). Returns when the programs have been
    /// started (not: when they are ready) and returns all instances of the workload. Idempotent; a count of 0 leaves none.
    /// An instance that ends by itself is started again with growing pauses, also while the caller is gone.
    async fn ensure(&self, workload: &Workload) -> Result<Vec<Instance>, Failure>;

    /// Chooses the ports of the instances that [`Runtime::ensure`] would start, and keeps them: from now on `observe`
    /// shows those instances with their addresses, so that the ports can be made theirs before the first of their
    /// programs runs. Says whether there is anything to start. Idempotent; undone by `remove`. Only runtimes whose
    /// programs share ports with those of strangers have something to do here.
    async fn reserve(&self, _workload: &Workload) -> Result<bool, Failure> {
        Ok(true)
    }

    /// What is there: also instances that crashed, also such whose deployment nobody remembers.
    async fn observe(&self, scope: &Scope) -> Result<Vec<Instance>, Failure>;

    /// Stops the instances of a workload and all their descendants (signal, grace, kill) and forgets them.
    /// Returns when none is left. Idempotent. Log lines stay.
    async fn remove(&self, id: &WorkloadId) -> Result<(), Failure>;

    /// Starts the program of one instance afresh, at once (it failed its liveness checks).
    async fn restart(&self, id: &InstanceId) -> Result<(), Failure>;

    /// What can be said about an instance that does not get ready.
    async fn diagnose(&self, id: &InstanceId) -> Result<Diagnosis, Failure>;

    /// The lines the instances of an environment printed, old ones first, also of instances that are gone. Every text
    /// passes `query.shown` before `query.grep` looks at it.
    async fn logs(&self, environment: &EnvironmentId, query: &LogQuery) -> Result<LogLines, Failure>;

    /// Told after every switch which instance people mean by the name of an environment: the first one of its main
    /// process. Only names in the system's own tools follow it; nothing that serves depends on it. Idempotent.
    async fn name_live(
        &self,
        _environment: &EnvironmentId,
        _main: Option<&InstanceId>,
    ) -> Result<(), Failure> {
        Ok(())
    }

    /// How open the machine is to an instance, by the system's own measure: from 0, shut in wholly, to 10, not at all.
    /// None where the system has no such measure.
    async fn exposure(&self, _id: &InstanceId) -> Result<Option<f64>, Failure> {
        Ok(None)
    }

    /// Running of one-off commands, where the runtime can.
    fn exec(&self) -> Option<&dyn Exec> {
        None
    }

    /// Word of changes, where the runtime has it; without it, it is asked again and again.
    fn changes(&self) -> Option<&dyn Changes> {
        None
    }
}

/// Tells when it is worth to observe again.
#[async_trait::async_trait]
pub trait Changes: Send + Sync {
    /// Returns soon after an instance changed its state or was lost since the last call returned, at times without a
    /// reason. Sees what was observed before. May be dropped at any time without losing a change; for one caller.
    async fn wait(&self);
}

/// A one-off command.
#[derive(Debug, Clone)]
pub struct OneOff {
    /// Whose environment it runs in.
    pub environment: EnvironmentId,
    /// The program and its arguments; no shell.
    pub arguments: Vec<String>,
    /// The folder it starts in.
    pub directory: PathBuf,
    /// Everything it finds in its environment.
    pub variables: Variables,
    /// Rows and columns, where the caller has a terminal.
    pub terminal: Option<(u16, u16)>,
}

/// The two ends of a running one-off command.
pub struct ExecStreams {
    /// What the command is sent: its input. Dropping it closes the command's input.
    pub input: Pin<Box<dyn ExecWrite>>,
    /// What it prints: output and error, ending with how it ended.
    pub output: Pin<Box<dyn Stream<Item = ExecOutput> + Send>>,
}

/// Input of a one-off command.
#[async_trait::async_trait]
pub trait ExecWrite: Send + Unpin {
    /// Sends bytes to the command's standard input.
    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()>;
    /// Closes the standard input (end of file).
    async fn close(&mut self) -> std::io::Result<()>;
    /// Tells the command's terminal its new size.
    fn resize(&mut self, rows: u16, columns: u16);
}

/// What a one-off command sends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExecOutput {
    /// Bytes of its standard output (or of its terminal).
    Out(Vec<u8>),
    /// Bytes of its standard error.
    Err(Vec<u8>),
    /// It ended with this exit code (128 + signal where a signal ended it). The last item.
    Exit(i32),
}

/// Runs one-off commands.
#[async_trait::async_trait]
pub trait Exec: Send + Sync {
    /// Starts a command. It and all its descendants are killed when the streams are dropped, or the caller dies.
    async fn exec(&self, command: &OneOff) -> Result<ExecStreams, Failure>;
}
