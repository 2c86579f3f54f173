//! One-off commands, each in a unit of its own that has no file: with the walls of the project's programs, and gone with
//! whoever asked for it.

use std::hash::{BuildHasher, RandomState};
use std::os::fd::OwnedFd;
use std::sync::Arc;

use futures_util::stream;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::StopRule;
use hostkit_core::size::Span;
use hostkit_core::traits::runtime::{ExecOutput, ExecWrite};
use hostkit_core::traits::{Exec, ExecStreams, OneOff};
use hostkit_host::launch::find_program;
use hostkit_host::systemd::{Streams, TransientRun, TransientUnit, UnitName};
use hostkit_host::terminal::Terminal;
use nix::fcntl::OFlag;
use nix::unistd::pipe2;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::unix::pipe::{Receiver, Sender};

use super::unit::{self, Places};
use super::{SystemdRuntime, logs};
use crate::shared::off_thread;

#[async_trait::async_trait]
impl Exec for SystemdRuntime {
    async fn exec(&self, command: &OneOff) -> Result<ExecStreams, Failure> {
        match command.terminal {
            Some((rows, columns)) => self.on_terminal(command, rows, columns).await,
            None => self.on_pipes(command).await,
        }
    }
}

impl SystemdRuntime {
    async fn unit_for(&self, command: &OneOff, streams: Streams) -> Result<TransientUnit, Failure> {
        let Some((program, arguments)) = command.arguments.split_first() else {
            return Err(Failure::new(
                Kind::Invalid,
                "cannot run a command: none was given",
            ));
        };
        let environment = command
            .variables
            .iter()
            .map(|(name, value)| (name.to_string(), value.reveal().to_owned()))
            .collect();
        let (name, directory) = (program.clone(), command.directory.clone());
        let (layout, id) = (self.layout.clone(), command.environment.clone());
        let (program, places) = off_thread(move || {
            logs::ensure_folder(&layout, &id)?;
            let found = find_program(&name, &environment, &directory)
                .map_err(|e| Failure::new(Kind::Failed, format!("cannot start `{name}`: {e}")))?;
            Ok((found, Places::of(&layout, &id, &directory)))
        })
        .await?;
        let id = &command.environment;
        Ok(TransientUnit {
            name: once(command)?,
            description: format!("HostKit one-off command of {id}"),
            program,
            arguments: arguments.to_vec(),
            account: Some(id.project.to_string()),
            slice: Some(unit::slice_of(id)?),
            limits: self.settings.limits.clone(),
            directory: command.directory.clone(),
            variables: command.variables.clone(),
            sandbox: unit::sandbox(&places),
            bound_to: self.settings.caller.clone(),
            stop: StopRule {
                grace: Span(std::time::Duration::ZERO),
                ..StopRule::default()
            },
            streams,
        })
    }

    async fn on_pipes(&self, command: &OneOff) -> Result<ExecStreams, Failure> {
        let broken = |e: std::io::Error| broken(command, &e);
        let pipe = || pipe2(OFlag::O_CLOEXEC).map_err(std::io::Error::from);
        let (input, to_input) = pipe().map_err(broken)?;
        let (output, to_output) = pipe().map_err(broken)?;
        let (errors, to_errors) = pipe().map_err(broken)?;
        let streams = Streams::Files {
            input: Some(input),
            output: Some(to_output),
            errors: Some(to_errors),
        };
        let run = self
            .systemd
            .start_transient(self.unit_for(command, streams).await?)
            .await?;
        let read = |end: OwnedFd| Receiver::from_owned_fd(end);
        let output = PipeOutput {
            output: Some(read(output).map_err(broken)?),
            errors: Some(read(errors).map_err(broken)?),
            run: Some(run),
        };
        let input = PipeInput(Some(Sender::from_owned_fd(to_input).map_err(broken)?));
        Ok(ExecStreams {
            input: Box::pin(input),
            output: Box::pin(stream::unfold(output, PipeOutput::next)),
        })
    }

    async fn on_terminal(&self, command: &OneOff, rows: u16, columns: u16) -> Result<ExecStreams, Failure> {
        let broken = |e: std::io::Error| broken(command, &e);
        let (terminal, end) = Terminal::open(rows, columns).map_err(broken)?;
        let path = nix::unistd::ttyname(&end).map_err(|e| broken(e.into()))?;
        let unit = self.unit_for(command, Streams::Terminal(path)).await?;
        let run = self.systemd.start_transient(unit).await?;
        // Held until the command holds it: without anybody there the terminal is at its end.
        drop(end);
        let terminal = Arc::new(terminal);
        let output = TerminalOutput {
            terminal: Some(terminal.clone()),
            run: Some(run),
        };
        Ok(ExecStreams {
            input: Box::pin(TerminalInput(terminal)),
            output: Box::pin(stream::unfold(output, TerminalOutput::next)),
        })
    }
}

fn broken(command: &OneOff, why: &std::io::Error) -> Failure {
    let program = command.arguments.first().map_or("", String::as_str);
    Failure::new(
        Kind::Internal,
        format!("cannot connect the streams of `{program}`: {why}"),
    )
}

/// A name that no other unit has: that of an instance has five parts.
fn once(command: &OneOff) -> Result<UnitName, Failure> {
    let id = &command.environment;
    let unique = RandomState::new().hash_one(std::process::id());
    UnitName::service(&format!("{}.{}.run-{unique:016x}", id.project, id.environment)).map_err(unit::unusable)
}

/// Waits for the end; where nobody can tell how it ended the code says that we failed, as a shell's 125 does.
async fn exit(mut run: Box<dyn TransientRun>) -> ExecOutput {
    match run.wait().await {
        Ok(end) => ExecOutput::Exit(end.ending.code()),
        Err(failure) => {
            tracing::warn!(%failure, "lost a one-off command");
            ExecOutput::Exit(125)
        }
    }
}

struct PipeOutput {
    output: Option<Receiver>,
    errors: Option<Receiver>,
    run: Option<Box<dyn TransientRun>>,
}

impl PipeOutput {
    async fn next(mut self) -> Option<(ExecOutput, Self)> {
        let (mut out, mut err) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
        while self.output.is_some() || self.errors.is_some() {
            tokio::select! {
                count = read(&mut self.output, &mut out), if self.output.is_some() => {
                    if count > 0 {
                        out.truncate(count);
                        return Some((ExecOutput::Out(out), self));
                    }
                    self.output = None;
                }
                count = read(&mut self.errors, &mut err), if self.errors.is_some() => {
                    if count > 0 {
                        err.truncate(count);
                        return Some((ExecOutput::Err(err), self));
                    }
                    self.errors = None;
                }
            }
        }
        let run = self.run.take()?;
        Some((exit(run).await, self))
    }
}

async fn read(stream: &mut Option<Receiver>, bytes: &mut [u8]) -> usize {
    match stream {
        Some(stream) => stream.read(bytes).await.unwrap_or(0),
        None => 0,
    }
}

struct PipeInput(Option<Sender>);

#[async_trait::async_trait]
impl ExecWrite for PipeInput {
    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        match &mut self.0 {
            Some(input) => input.write_all(bytes).await,
            None => Err(std::io::ErrorKind::BrokenPipe.into()),
        }
    }

    async fn close(&mut self) -> std::io::Result<()> {
        self.0 = None;
        Ok(())
    }

    fn resize(&mut self, _rows: u16, _columns: u16) {}
}

struct TerminalOutput {
    terminal: Option<Arc<Terminal>>,
    run: Option<Box<dyn TransientRun>>,
}

impl TerminalOutput {
    async fn next(mut self) -> Option<(ExecOutput, Self)> {
        if let Some(terminal) = &self.terminal {
            let mut bytes = vec![0; 16 * 1024];
            let count = terminal.read(&mut bytes).await.unwrap_or(0);
            if count > 0 {
                bytes.truncate(count);
                return Some((ExecOutput::Out(bytes), self));
            }
            self.terminal = None;
        }
        let run = self.run.take()?;
        Some((exit(run).await, self))
    }
}

struct TerminalInput(Arc<Terminal>);

#[async_trait::async_trait]
impl ExecWrite for TerminalInput {
    async fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.0.write_all(bytes).await
    }

    async fn close(&mut self) -> std::io::Result<()> {
        /// What Ctrl-D types: the end of input on a terminal.
        const END_OF_INPUT: &[u8] = &[4];
        self.0.write_all(END_OF_INPUT).await
    }

    fn resize(&mut self, rows: u16, columns: u16) {
        self.0.resize(rows, columns);
    }
}
