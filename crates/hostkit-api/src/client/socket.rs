//! One-off commands: the WebSocket of [`RunCommand`](crate::endpoints::RunCommand) as two typed ends.

use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt, StreamExt};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use http::header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE};
use http::{HeaderValue, StatusCode};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::client::generate_key;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};

use super::{Address, Client};
use crate::endpoints::{NoQuery, RunCommand};
use crate::run::{Input, MAX_MESSAGE_BYTES, Output, RunRequest};

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// A one-off command that runs. Dropping both ends kills it.
pub struct Running {
    /// What it is sent.
    pub input: RunInput,
    /// What it prints.
    pub output: RunOutput,
}

/// What a one-off command is sent.
pub struct RunInput {
    sink: SplitSink<Socket, Message>,
    address: Address,
}

/// What a one-off command prints.
pub struct RunOutput {
    stream: SplitStream<Socket>,
    address: Address,
}

impl Client {
    /// Runs a one-off command in an environment.
    pub async fn run(&self, environment: &EnvironmentId, request: &RunRequest) -> Result<Running, Failure> {
        let mut handshake = self.request::<RunCommand>(environment, &NoQuery {}, None, super::empty())?;
        let key = generate_key();
        let headers = handshake.headers_mut();
        headers.insert(CONNECTION, HeaderValue::from_static("upgrade"));
        headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
        headers.insert(SEC_WEBSOCKET_VERSION, HeaderValue::from_static("13"));
        if let Ok(value) = HeaderValue::try_from(&key) {
            headers.insert(SEC_WEBSOCKET_KEY, value);
        }
        let response = self.send(handshake).await?;
        let status = response.status();
        let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT);
        if status != StatusCode::SWITCHING_PROTOCOLS {
            return Err(self.refused(response).await);
        }
        if accepted.is_none_or(|accept| *accept != derive_accept_key(key.as_bytes())) {
            return Err(self.address.not_hostkit(status));
        }
        let upgraded = hyper::upgrade::on(response)
            .await
            .map_err(|why| self.address.broke_off(&why))?;
        let limits = WebSocketConfig::default().max_message_size(Some(2 * MAX_MESSAGE_BYTES));
        let mut socket =
            WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Client, Some(limits)).await;
        let text = serde_json::to_string(request)
            .map_err(|why| Failure::new(Kind::Internal, format!("cannot write JSON: {why}")))?;
        socket
            .send(Message::text(text))
            .await
            .map_err(|why| self.address.broke_off(&why))?;
        let (sink, stream) = socket.split();
        Ok(Running {
            input: RunInput {
                sink,
                address: self.address.clone(),
            },
            output: RunOutput {
                stream,
                address: self.address.clone(),
            },
        })
    }
}

impl RunInput {
    /// Sends a message, waiting while the command does not read.
    pub async fn send(&mut self, input: Input) -> Result<(), Failure> {
        self.sink
            .send(Message::binary(input.encode()))
            .await
            .map_err(|why| self.address.broke_off(&why))
    }
}

impl RunOutput {
    /// The next thing the command printed, or how it ended. `None` where the connection ended without a word.
    pub async fn next(&mut self) -> Option<Result<Output, Failure>> {
        loop {
            return match self.stream.next().await? {
                Ok(Message::Binary(frame)) => Some(Output::decode(&frame)),
                Ok(Message::Close(_)) => None,
                Ok(_) => continue,
                Err(why) => Some(Err(self.address.broke_off(&why))),
            };
        }
    }
}
