//! Runs a command to its end, under a guard (see [`crate::guard`]): exact environment, limits on time and memory,
//! output line by line, and nothing left of it when it ends, is dropped, or its caller dies.

use std::collections::BTreeMap;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use command_fds::{CommandFdExt, FdMapping};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::log::LogStream;
use hostkit_core::size::ByteSize;
use nix::sys::signal::Signal;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, ChildStdin, ChildStdout};

pub use crate::guard::Ending;
use crate::guard::{LINK, Order, Report};
pub use crate::launch::Priority;
use crate::launch::{Launch, Leads};
use crate::lines::LineSplitter;
use crate::processes;
use crate::roles::SelfProgram;

/// How often to look again for what a guard that was killed left: programs start others meanwhile.
const STRAY_ROUNDS: usize = 100;

/// A command to run. No shell: whoever wants one names `/bin/sh` and gives the line as one argument.
#[derive(Debug, Clone, Default)]
pub struct Job {
    /// The program; looked up in the PATH of `environment` where it has no slash.
    pub program: String,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Everything it finds in its environment.
    pub environment: BTreeMap<String, String>,
    /// The folder it starts in.
    pub directory: PathBuf,
    /// What it may use.
    pub limits: Limits,
}

/// What a command may use, together with everything it starts.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// The longest it may take.
    pub time: Option<Duration>,
    /// The most memory it may use.
    pub memory: Option<ByteSize>,
    /// How much it may push others aside.
    pub priority: Priority,
}

/// The standard streams of a command that is started.
#[derive(Debug)]
pub enum Wiring {
    /// No input; output and errors as pipes.
    Pipes,
    /// Input, output and errors as pipes.
    PipesWithInput,
    /// Input is this file, which the command may open anew as `/proc/self/fd/0`; output and errors as pipes.
    PipesWithFile(OwnedFd),
    /// All three are this terminal's end (see [`crate::terminal`]).
    Terminal(OwnedFd),
}

/// Runs commands.
#[derive(Debug, Clone)]
pub struct Guard {
    own: SelfProgram,
}

/// A command that runs. It is killed, with everything it started, when this is dropped.
#[derive(Debug)]
pub struct Running {
    /// Its standard input, where one was asked for.
    pub input: Option<ChildStdin>,
    /// Its standard output, where that is a pipe.
    pub output: Option<ChildStdout>,
    /// Its standard error, where that is a pipe.
    pub errors: Option<ChildStderr>,
    /// Its process id.
    pub pid: u32,
    guard: Child,
    /// The sessions it and what it started are in.
    sessions: Vec<u32>,
    link: BufReader<UnixStream>,
    program: String,
}

impl Guard {
    /// Runs commands under guards that are `own` in another role.
    pub fn new(own: SelfProgram) -> Self {
        Guard { own }
    }

    /// Runs a command to its end and hands over every line it prints as it comes. Cancelling kills it.
    pub async fn run(
        &self,
        job: &Job,
        line: &mut (dyn FnMut(LogStream, &str) + Send),
    ) -> Result<Ending, Failure> {
        let mut running = self.start(job, Wiring::Pipes).await?;
        let (mut output, mut errors) = (running.output.take(), running.errors.take());
        let (mut out_lines, mut err_lines) = (LineSplitter::default(), LineSplitter::default());
        let (mut out_bytes, mut err_bytes) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
        let mut is_guarded = true;
        while output.is_some() || errors.is_some() {
            tokio::select! {
                said = running.link.fill_buf(), if is_guarded => {
                    is_guarded = false;
                    // Its report is left for `wait`; without one it is gone, and nobody else ends what it guarded.
                    if said.map_or(true, <[u8]>::is_empty) {
                        running.kill_strays();
                    }
                }
                count = read_some(&mut output, &mut out_bytes), if output.is_some() => {
                    out_lines.push(&out_bytes[..count], |l| line(LogStream::Out, l));
                }
                count = read_some(&mut errors, &mut err_bytes), if errors.is_some() => {
                    err_lines.push(&err_bytes[..count], |l| line(LogStream::Err, l));
                }
            }
        }
        out_lines.finish(|l| line(LogStream::Out, l));
        err_lines.finish(|l| line(LogStream::Err, l));
        running.wait().await
    }

    /// Starts a command and leaves its streams to the caller.
    pub async fn start(&self, job: &Job, wiring: Wiring) -> Result<Running, Failure> {
        let broken = |e: &dyn std::fmt::Display| {
            Failure::new(
                Kind::Internal,
                format!("cannot start a guard for `{}`: {e}", job.program),
            )
        };
        let (ours, theirs) = std::os::unix::net::UnixStream::pair().map_err(|e| broken(&e))?;
        ours.set_nonblocking(true).map_err(|e| broken(&e))?;
        let leads = if matches!(wiring, Wiring::Terminal(_)) {
            Leads::Terminal
        } else {
            Leads::Group
        };
        let mut guard = self.spawn_guard(theirs, wiring).map_err(|e| broken(&e))?;
        let mut link = BufReader::new(UnixStream::from_std(ours).map_err(|e| broken(&e))?);
        let order = Order {
            launch: Launch {
                program: job.program.clone(),
                arguments: job.arguments.clone(),
                environment: job.environment.clone(),
                directory: job.directory.clone(),
                leads,
                priority: job.limits.priority,
            },
            time: job.limits.time,
            memory: job.limits.memory.map(|m| m.0),
        };
        let mut text = serde_json::to_vec(&order).map_err(|e| broken(&e))?;
        text.push(b'\n');
        link.get_mut().write_all(&text).await.map_err(|e| broken(&e))?;
        let pid = match next_report(&mut link).await.map_err(|e| broken(&e))? {
            Some(Report::Started(pid)) => pid,
            Some(Report::Refused(why)) => {
                return Err(Failure::new(
                    Kind::Failed,
                    format!("cannot start `{}`: {why}", job.program),
                ));
            }
            Some(Report::Ended(_)) | None => return Err(broken(&"it ended at once")),
        };
        Ok(Running {
            input: guard.stdin.take(),
            output: guard.stdout.take(),
            errors: guard.stderr.take(),
            pid,
            sessions: guard
                .id()
                .into_iter()
                .chain((leads == Leads::Terminal).then_some(pid))
                .collect(),
            guard,
            link,
            program: job.program.clone(),
        })
    }

    fn spawn_guard(&self, link: std::os::unix::net::UnixStream, wiring: Wiring) -> std::io::Result<Child> {
        let mut command = self.own.role("guard");
        match wiring {
            Wiring::Pipes => command
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
            Wiring::PipesWithInput => command
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
            Wiring::PipesWithFile(file) => command.stdin(file).stdout(Stdio::piped()).stderr(Stdio::piped()),
            Wiring::Terminal(end) => command
                .stdin(end.try_clone()?)
                .stdout(end.try_clone()?)
                .stderr(end),
        };
        command
            .fd_mappings(vec![FdMapping {
                parent_fd: link.into(),
                child_fd: LINK,
            }])
            .map_err(std::io::Error::other)?;
        tokio::process::Command::from(command).spawn()
    }
}

impl Running {
    /// Waits until the command, and everything it started, is gone.
    pub async fn wait(mut self) -> Result<Ending, Failure> {
        let lost = |why: String| {
            Failure::new(
                Kind::Internal,
                format!("cannot tell how `{}` ended: {why}", self.program),
            )
        };
        let why = match next_report(&mut self.link).await {
            Ok(Some(Report::Ended(ending))) => {
                self.guard.wait().await.map_err(|e| lost(e.to_string()))?;
                return Ok(ending);
            }
            Ok(_) => "its guard is gone".to_owned(),
            Err(e) => e.to_string(),
        };
        self.kill_strays();
        Err(lost(why))
    }

    /// A guard that was killed takes the command along, but not what that had started: those are still in the session
    /// the guard opened. It was not waited for yet: nobody else has its number.
    fn kill_strays(&self) {
        for _ in 0..STRAY_ROUNDS {
            let strays = processes::of_sessions(&self.sessions);
            if strays.is_empty() {
                return;
            }
            for pid in strays {
                processes::signal(pid, Signal::SIGKILL);
            }
        }
    }
}

async fn next_report(link: &mut BufReader<UnixStream>) -> std::io::Result<Option<Report>> {
    let mut line = String::new();
    if link.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    Ok(Some(serde_json::from_str(&line)?))
}

/// Reads what is there; at the end of the stream it becomes `None`.
async fn read_some<R: AsyncRead + Unpin>(stream: &mut Option<R>, bytes: &mut [u8]) -> usize {
    let count = match stream {
        Some(open) => open.read(bytes).await.unwrap_or(0),
        None => 0,
    };
    if count == 0 {
        *stream = None;
    }
    count
}
