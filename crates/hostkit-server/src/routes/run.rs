//! One-off commands over a WebSocket: bytes in, bytes out, and the command ends with the connection.

use std::time::Duration;

use axum::extract::ws::{Message, WebSocket};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hostkit_api::endpoint::{Json, Payload};
use hostkit_api::endpoints::RunCommand;
use hostkit_api::run::{Input, MAX_MESSAGE_BYTES, Output, RunRequest};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::{ExecOutput, ExecStreams};
use hostkit_engine::OneOffRequest;

use crate::auth::Admitted;
use crate::reply;

/// How long a caller has for its first message.
const FIRST: Duration = Duration::from_secs(10);
/// The longest silence; then a ping finds out whether somebody is still there.
const SILENCE: Duration = Duration::from_secs(20);
/// The longest one write may take until the caller counts as gone.
const PATIENCE: Duration = Duration::from_secs(60);
/// The most bytes of all arguments together; the system takes no more of a single one.
const ARGUMENTS: usize = 128 << 10;

pub(crate) async fn run(call: Admitted<RunCommand>, mut socket: WebSocket) {
    let (stop, mut leash) = (call.shared().stop.clone(), call.leash());
    let streams = tokio::select! {
        started = start(&call, &mut socket) => started,
        () = stop.cancelled() => Err(Failure::new(Kind::Unavailable, "cannot run the command: HostKit is ending")),
    };
    let (mut sink, stream) = socket.split();
    match streams {
        Err(failure) => say(&mut sink, Output::Failure(reply::told(failure))).await,
        Ok(ExecStreams { input, output }) => {
            tokio::select! {
                () = forward_input(stream, input) => {}
                () = forward_output(&mut sink, output) => {}
                failure = leash.cut() => say(&mut sink, Output::Failure(failure)).await,
                () = stop.cancelled() => {
                    let why = "cannot go on with the command: HostKit is ending";
                    say(&mut sink, Output::Failure(Failure::new(Kind::Unavailable, why))).await;
                }
            }
        }
    }
    // A caller that is gone already needs no farewell.
    tokio::time::timeout(FIRST, sink.close()).await.ok();
}

async fn start(call: &Admitted<RunCommand>, socket: &mut WebSocket) -> Result<ExecStreams, Failure> {
    let refused = |why: &str| Failure::new(Kind::Invalid, format!("cannot run the command: {why}"));
    let first = tokio::time::timeout(FIRST, socket.recv())
        .await
        .map_err(|_| refused("no first message came"))?;
    let Some(Ok(Message::Text(text))) = first else {
        return Err(refused("the first message is no text"));
    };
    let request: RunRequest = Json::decode(text.as_bytes())?;
    let bytes: usize = request.arguments.iter().map(String::len).sum();
    let names_program = request
        .arguments
        .first()
        .is_some_and(|program| !program.is_empty());
    if request.console.is_none() && !names_program {
        return Err(refused("it names no program").hint("give one: `hostkit run -- COMMAND`"));
    }
    if request.arguments.iter().any(|a| a.contains('\0')) {
        return Err(refused("an argument has a NUL byte"));
    }
    if bytes > ARGUMENTS {
        return Err(refused("its arguments are too long").hint("send the data by standard input"));
    }
    let program = match request.console {
        Some(kind) => kind.as_str(),
        None => request.arguments[0].as_str(),
    };
    tracing::info!(by = call.by(), environment = %call.target(), program, "Running a one-off command");
    let request = OneOffRequest {
        console: request.console,
        terminal: request.terminal,
        release: request.release,
        arguments: request.arguments,
    };
    call.shared().engine.run(call.target(), request).await
}

/// Ends when the caller is gone, or says what is not understood.
async fn forward_input(
    mut stream: SplitStream<WebSocket>,
    mut input: std::pin::Pin<Box<dyn hostkit_core::traits::ExecWrite>>,
) {
    while let Some(Ok(message)) = stream.next().await {
        let frame = match message {
            Message::Binary(frame) => frame,
            Message::Close(_) | Message::Text(_) => return,
            Message::Ping(_) | Message::Pong(_) => continue,
        };
        // A command that does not read its input any more is no reason to end it.
        match Input::decode(&frame) {
            Ok(Input::Bytes(bytes)) => drop(input.write(&bytes).await),
            Ok(Input::End) => drop(input.close().await),
            Ok(Input::Resize { rows, columns }) => input.resize(rows, columns),
            Err(_) => return,
        }
    }
}

/// Ends after the exit code, or when nobody takes what the command prints.
async fn forward_output(
    sink: &mut SplitSink<WebSocket, Message>,
    mut output: std::pin::Pin<Box<dyn futures_util::Stream<Item = ExecOutput> + Send>>,
) {
    loop {
        let item = tokio::time::timeout(SILENCE, output.next()).await;
        let message = match item {
            Err(_) => Message::Ping(bytes::Bytes::new()),
            Ok(Some(ExecOutput::Exit(code))) => return say(sink, Output::Exit(code)).await,
            Ok(Some(ExecOutput::Out(bytes))) => binary(Output::Out, bytes),
            Ok(Some(ExecOutput::Err(bytes))) => binary(Output::Err, bytes),
            Ok(None) => {
                let why = "cannot tell how the command ended: it was lost";
                return say(sink, Output::Failure(Failure::new(Kind::Unavailable, why))).await;
            }
        };
        if !matches!(
            tokio::time::timeout(PATIENCE, sink.send(message)).await,
            Ok(Ok(()))
        ) {
            return;
        }
    }
}

fn binary(channel: fn(Vec<u8>) -> Output, mut bytes: Vec<u8>) -> Message {
    bytes.truncate(MAX_MESSAGE_BYTES);
    Message::binary(channel(bytes).encode())
}

async fn say(sink: &mut SplitSink<WebSocket, Message>, output: Output) {
    let message = Message::binary(output.encode());
    tokio::time::timeout(PATIENCE, sink.send(message)).await.ok();
}
