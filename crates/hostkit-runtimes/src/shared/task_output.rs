//! What a command of a service prints, read to its end while it is given its input.

use std::collections::VecDeque;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;
use hostkit_core::services::ServiceTask;
use hostkit_host::command::Ending;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// The most that is kept of what a command prints.
const MOST_OUTPUT: u64 = 1 << 20;
/// So many lines of its standard error explain a failure.
const LINES: usize = 20;

/// What a command printed to its two streams.
pub(crate) struct Printed {
    output: String,
    errors: String,
}

impl Printed {
    /// Gives a command its input, and reads all it prints.
    pub(crate) async fn of(
        input: Option<impl AsyncWrite + Unpin>,
        text: Option<&Secret>,
        output: Option<impl AsyncRead + Unpin>,
        errors: Option<impl AsyncRead + Unpin>,
    ) -> Self {
        let given = async {
            if let (Some(mut input), Some(text)) = (input, text) {
                // A command that does not read all it is given ends as it ends.
                let _ = input.write_all(text.reveal().as_bytes()).await;
            }
        };
        let ((), output, errors) = tokio::join!(given, read(output), read(errors));
        Printed { output, errors }
    }

    /// Its output, where it ended well.
    pub(crate) fn judge(self, task: &ServiceTask<'_>, ending: Ending) -> Result<String, Failure> {
        if ending.is_success() {
            return Ok(self.output);
        }
        let mut last: VecDeque<String> = self.errors.lines().map(str::to_owned).collect();
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

async fn read(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // What is read until an error is what there is to tell.
        let _ = (&mut stream).take(MOST_OUTPUT).read_to_end(&mut bytes).await;
        // Whatever is more is thrown away, so that the command does not wait for a reader.
        let _ = tokio::io::copy(&mut stream, &mut tokio::io::sink()).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
