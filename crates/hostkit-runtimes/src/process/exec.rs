//! One-off commands, each under a guard.

use std::sync::Arc;

use futures_util::stream;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::runtime::{ExecOutput, ExecWrite};
use hostkit_core::traits::{Exec, ExecStreams, OneOff};
use hostkit_host::command::{Job, Limits, Running, Wiring};
use hostkit_host::terminal::Terminal;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{ChildStderr, ChildStdin, ChildStdout};

use super::ProcessRuntime;

#[async_trait::async_trait]
impl Exec for ProcessRuntime {
    async fn exec(&self, command: &OneOff) -> Result<ExecStreams, Failure> {
        let Some((program, arguments)) = command.arguments.split_first() else {
            return Err(Failure::new(
                Kind::Invalid,
                "cannot run a command: none was given",
            ));
        };
        let variables = command.variables.iter();
        let job = Job {
            program: program.clone(),
            arguments: arguments.to_vec(),
            environment: variables
                .map(|(n, v)| (n.to_string(), v.reveal().to_owned()))
                .collect(),
            directory: command.directory.clone(),
            limits: Limits::default(),
        };
        match command.terminal {
            Some((rows, columns)) => self.on_terminal(&job, rows, columns).await,
            None => self.on_pipes(&job).await,
        }
    }
}

impl ProcessRuntime {
    async fn on_pipes(&self, job: &Job) -> Result<ExecStreams, Failure> {
        let mut running = self.guard.start(job, Wiring::PipesWithInput).await?;
        let input = PipeInput(running.input.take());
        let output = PipeOutput {
            output: running.output.take(),
            errors: running.errors.take(),
            running: Some(running),
        };
        Ok(ExecStreams {
            input: Box::pin(input),
            output: Box::pin(stream::unfold(output, PipeOutput::next)),
        })
    }

    async fn on_terminal(&self, job: &Job, rows: u16, columns: u16) -> Result<ExecStreams, Failure> {
        let (terminal, end) = Terminal::open(rows, columns).map_err(|e| {
            Failure::new(
                Kind::Internal,
                format!("cannot open a terminal for `{}`: {e}", job.program),
            )
        })?;
        let running = self.guard.start(job, Wiring::Terminal(end)).await?;
        let terminal = Arc::new(terminal);
        let output = TerminalOutput {
            terminal: Some(terminal.clone()),
            running: Some(running),
        };
        Ok(ExecStreams {
            input: Box::pin(TerminalInput(terminal)),
            output: Box::pin(stream::unfold(output, TerminalOutput::next)),
        })
    }
}

/// Waits for the end; where nobody can tell how it ended the code says that we failed, as a shell's 125 does.
async fn exit(running: Running) -> ExecOutput {
    match running.wait().await {
        Ok(ending) => ExecOutput::Exit(ending.code()),
        Err(failure) => {
            tracing::warn!(%failure, "lost a one-off command");
            ExecOutput::Exit(125)
        }
    }
}

struct PipeOutput {
    output: Option<ChildStdout>,
    errors: Option<ChildStderr>,
    running: Option<Running>,
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
        let running = self.running.take()?;
        Some((exit(running).await, self))
    }
}

async fn read<R: tokio::io::AsyncRead + Unpin>(stream: &mut Option<R>, bytes: &mut [u8]) -> usize {
    match stream {
        Some(stream) => stream.read(bytes).await.unwrap_or(0),
        None => 0,
    }
}

struct PipeInput(Option<ChildStdin>);

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
    running: Option<Running>,
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
        let running = self.running.take()?;
        Some((exit(running).await, self))
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
