//! `hostkit run`: streams, exit codes, and a lost connection.

use futures_util::{SinkExt, StreamExt};
use hostkit_api::run::{Input, Output, RunRequest};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::api::{Api, Reply};

const PATH: &str = "projects/shop/environments/production/run";

/// A command that prints its arguments on stderr, echoes its input, and exits with `code` when that ends; with a
/// negative one it is never heard of again.
pub(crate) async fn play_command(stream: Upgraded, code: i32) {
    let mut socket = WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Server, None).await;
    let Some(Ok(Message::Text(first))) = socket.next().await else {
        panic!("no request")
    };
    let request: RunRequest = serde_json::from_str(&first).unwrap();
    let said = format!(
        "{} terminal={}\n",
        request.arguments.join(" "),
        request.terminal.is_some()
    );
    socket
        .send(Message::binary(Output::Err(said.into_bytes()).encode()))
        .await
        .unwrap();
    if code < 0 {
        return;
    }
    while let Some(Ok(Message::Binary(frame))) = socket.next().await {
        match Input::decode(&frame).unwrap() {
            Input::Bytes(bytes) => socket
                .send(Message::binary(Output::Out(bytes).encode()))
                .await
                .unwrap(),
            Input::End => break,
            Input::Resize { .. } => {}
        }
    }
    socket
        .send(Message::binary(Output::Exit(code).encode()))
        .await
        .unwrap();
}

#[test]
fn input_output_and_exit_code_pass_through() {
    let api = Api::start();
    api.on("GET", PATH, Reply::Socket(0))
        .on("GET", PATH, Reply::Socket(42));
    let said = api
        .run_with_input(&["run", "-p", "shop", "--", "cat", "-n", "a b"], "one\ntwo")
        .ok();
    assert_eq!(
        (said.out.as_str(), said.err.as_str()),
        ("one\ntwo", "cat -n a b terminal=false\n")
    );
    let large = "0123456789\n".repeat(100_000);
    let said = api.run_with_input(&["run", "-p", "shop", "--", "cat"], &large);
    assert_eq!(said.code, 42);
    assert_eq!(said.out.len(), large.len());
    assert!(said.out == large);
}

#[test]
fn a_lost_connection_and_a_refusal_are_failures() {
    let api = Api::start();
    api.on("GET", PATH, Reply::Socket(-1)).on(
        "GET",
        PATH,
        Reply::failure(
            409,
            "conflict",
            "cannot run `ls`: nothing was deployed yet",
            "`hostkit deploy`",
        ),
    );
    let said = api.run(&["run", "-p", "shop", "--", "ls"]);
    assert_eq!(said.code, 2);
    let said = api.run(&["run", "-p", "shop", "--", "ls"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("nothing was deployed yet"), "{}", said.err);
    assert_eq!(api.run(&["run", "-p", "shop", "--json", "--", "ls"]).code, 64);
    assert_eq!(api.run(&["run", "-p", "shop"]).code, 64);
}
