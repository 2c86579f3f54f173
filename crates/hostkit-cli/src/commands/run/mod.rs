//! `hostkit run`: a one-off command with our stdin, stdout, stderr, and our terminal if there is one.

mod terminal;

use std::io::{IsTerminal, Read};

use hostkit_api::client::{RunInput, RunOutput, Running};
use hostkit_api::run::{Input, Output, RunRequest};
use hostkit_core::addon::AddonKind;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use crate::args::RunArgs;
use crate::output::Printer;
use crate::session::Session;
use crate::stop::Stop;
use terminal::RawTerminal;

pub(crate) async fn run(session: &Session<'_>, args: &RunArgs) -> Result<(), Stop> {
    refuse_json(session)?;
    let environment = session.target(&args.target).await?;
    let request = RunRequest {
        arguments: args.command.clone(),
        terminal: None,
        release: None,
        console: None,
    };
    carry_out(session, &environment, request, !args.no_terminal).await
}

/// The console of an add-on, with words for it; with our terminal where it has none.
pub(super) async fn console(
    session: &Session<'_>,
    environment: &EnvironmentId,
    kind: AddonKind,
    words: Vec<String>,
) -> Result<(), Stop> {
    refuse_json(session)?;
    let wants_terminal = words.is_empty();
    let request = RunRequest {
        arguments: words,
        terminal: None,
        release: None,
        console: Some(kind),
    };
    carry_out(session, environment, request, wants_terminal).await
}

fn refuse_json(session: &Session<'_>) -> Result<(), Stop> {
    match session.printer().wants_json() {
        true => Err(Stop::usage(
            "cannot print this as JSON: the output is the command's own",
            "leave out `--json`",
        )),
        false => Ok(()),
    }
}

async fn carry_out(
    session: &Session<'_>,
    environment: &EnvironmentId,
    request: RunRequest,
    wants_terminal: bool,
) -> Result<(), Stop> {
    let printer = session.printer();
    let with_terminal = wants_terminal && std::io::stdin().is_terminal() && printer.out_is_terminal();
    let request = RunRequest {
        terminal: with_terminal.then(|| terminal::size().unwrap_or((24, 80))),
        ..request
    };
    let Running { input, mut output } = session.client()?.run(environment, &request).await?;
    let raw = request.terminal.map(|_| RawTerminal::enter()).transpose()?;
    let sending = tokio::spawn(send(input, raw.is_some()));
    let result = receive(printer, &mut output).await;
    sending.abort();
    drop(raw);
    match result? {
        0 => Ok(()),
        code => Err(Stop::Code(u8::try_from(code).unwrap_or(1))),
    }
}

/// Prints what the command prints until it ends; its exit code.
async fn receive(printer: &Printer, output: &mut RunOutput) -> Result<i32, Stop> {
    while let Some(message) = output.next().await {
        match message? {
            Output::Out(bytes) => printer.out(&bytes)?,
            Output::Err(bytes) => printer.err_bytes(&bytes),
            Output::Exit(code) => return Ok(code),
            Output::Failure(failure) => return Err(failure.into()),
        }
    }
    Err(Failure::new(
        Kind::Unavailable,
        "cannot tell how the command ended: the connection was lost",
    )
    .hint("it was stopped with the connection; `hostkit status` says whether HostKit runs")
    .into())
}

/// Sends what is typed, and the terminal's size when it changes, until the connection ends.
async fn send(mut input: RunInput, with_terminal: bool) {
    let mut typed = stdin();
    let mut resized = signal(SignalKind::window_change()).ok().filter(|_| with_terminal);
    loop {
        let message = tokio::select! {
            bytes = typed.recv() => match bytes {
                Some(bytes) => Input::Bytes(bytes),
                None => break,
            },
            Some(()) = async { resized.as_mut()?.recv().await } => match terminal::size() {
                Some((rows, columns)) => Input::Resize { rows, columns },
                None => continue,
            },
        };
        if input.send(message).await.is_err() {
            return;
        }
    }
    if input.send(Input::End).await.is_ok() {
        // The sending half stays open: closing it would end the command.
        std::future::pending::<()>().await;
    }
}

/// What comes in on stdin, read on a thread of its own: reading a terminal cannot be called off.
fn stdin() -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel(4);
    std::thread::spawn(move || {
        let mut stdin = std::io::stdin().lock();
        let mut bytes = vec![0; 32 * 1024];
        while let Ok(read @ 1..) = stdin.read(&mut bytes) {
            if sender.blocking_send(bytes[..read].to_vec()).is_err() {
                return;
            }
        }
    });
    receiver
}
