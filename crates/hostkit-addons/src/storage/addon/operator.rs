//! What is asked of a server that runs.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use hostkit_core::secret::Secret;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::storage::STATE;
use crate::storage::state::State;

/// A server on this machine answers within this time, or it hangs.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer, in bytes.
const LONGEST: usize = 1 << 20;

/// Why a server does not say how it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoState {
    /// Nobody answers.
    #[error("{0}")]
    Silent(String),
    /// Something answers, and it is not the server that was started.
    #[error("what answers on its port does not accept its credential")]
    Refused,
}

/// How the server at an address is.
pub(super) async fn ask(address: SocketAddr, token: &Secret) -> Result<State, NoState> {
    let silent = |why: &dyn std::fmt::Display| NoState::Silent(format!("nothing answers on its port: {why}"));
    match timeout(PATIENCE, answer(address, token)).await {
        Ok(Ok((StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED, _))) => Err(NoState::Refused),
        Ok(Ok((StatusCode::OK, text))) => {
            serde_json::from_slice(&text).map_err(|_| NoState::Silent("it answers something else".into()))
        }
        Ok(Ok((status, _))) => Err(NoState::Silent(format!("it answers {status}"))),
        Ok(Err(why)) => Err(silent(&why)),
        Err(_) => Err(NoState::Silent("it does not answer in time".into())),
    }
}

async fn answer(
    address: SocketAddr,
    token: &Secret,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    // Ends with the sender.
    tokio::spawn(connection);
    let request = Request::get(STATE)
        .header("host", "localhost")
        .header("authorization", format!("Bearer {}", token.reveal()))
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST);
    Ok((status, body.collect().await?.to_bytes()))
}
