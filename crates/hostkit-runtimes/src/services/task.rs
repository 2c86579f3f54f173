//! Commands that are run as a service would be.

use std::collections::VecDeque;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::services::ServiceTask;
use hostkit_core::traits::Services;
use hostkit_host::command::{Job, Limits, Wiring};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::ProcessServices;
use super::ensure::launch;

/// The most that is kept of what a command prints.
const MOST_OUTPUT: u64 = 1 << 20;
/// So many lines of its standard error explain a failure.
const LINES: usize = 20;

impl ProcessServices {
    pub(super) async fn carry_out(&self, task: &ServiceTask<'_>) -> Result<String, Failure> {
        self.write(task.service).await?;
        let start = launch(task.service, &task.arguments, &self.place(&task.service.name));
        let job = Job {
            program: start.program,
            arguments: start.arguments,
            environment: start.environment,
            directory: start.directory,
            limits: Limits {
                time: Some(task.limit.0),
                ..Limits::default()
            },
        };
        let mut running = self.guard.start(&job, Wiring::PipesWithInput).await?;
        let input = running.input.take();
        let given = async {
            if let (Some(mut input), Some(text)) = (input, &task.input) {
                // A command that does not read all it is given ends as it ends.
                let _ = input.write_all(text.reveal().as_bytes()).await;
            }
        };
        let output = read(running.output.take());
        let errors = read(running.errors.take());
        let ((), output, errors) = tokio::join!(given, output, errors);
        let ending = running.wait().await?;
        if ending.is_success() {
            return Ok(output);
        }
        let mut last: VecDeque<String> = errors.lines().map(str::to_owned).collect();
        while last.len() > LINES {
            last.pop_front();
        }
        let program = task.arguments.first().map_or("", String::as_str);
        let name = &task.service.name;
        Err(Failure::new(
            Kind::Failed,
            format!("cannot run `{program}` for `{name}`: it ended with {ending}"),
        )
        .details(last.into()))
    }
}

async fn read(stream: Option<impl tokio::io::AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // What is read until an error is what there is to tell.
        let _ = (&mut stream).take(MOST_OUTPUT).read_to_end(&mut bytes).await;
        // Whatever is more is thrown away, so that the command does not wait for a reader.
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
