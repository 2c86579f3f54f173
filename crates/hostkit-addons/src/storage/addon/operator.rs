//! What is asked of a server that runs.

use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use hostkit_core::secret::Secret;
use hostkit_core::storage::BucketRules;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::storage::names::BucketName;
use crate::storage::state::State;
use crate::storage::{RULES, STATE};

/// A server on this machine answers within this time, or it hangs.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest answer, in bytes.
const LONGEST: usize = 8 << 20;

/// Why a server does not say how it is.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoState {
    /// Nobody answers.
    #[error("{0}")]
    Silent(String),
    /// It does not do what it was asked; the reason.
    #[error("{0}")]
    Refused(String),
    /// Something answers, and it is not the server that was started.
    #[error("what answers on its port does not accept its credential")]
    Stranger,
}

/// How the server at an address is.
pub(super) async fn ask(address: SocketAddr, token: &Secret) -> Result<State, NoState> {
    let text = answer(address, token, Method::GET, STATE, Bytes::new()).await?;
    serde_json::from_slice(&text).map_err(|_| NoState::Silent("it answers something else".into()))
}

/// Has the server at an address keep other rules of a bucket.
pub(super) async fn set_rules(
    address: SocketAddr,
    token: &Secret,
    bucket: &BucketName,
    rules: &BucketRules,
) -> Result<(), NoState> {
    let text = serde_json::to_vec(rules).map_err(|why| NoState::Refused(why.to_string()))?;
    answer(
        address,
        token,
        Method::PUT,
        &format!("{RULES}{bucket}"),
        text.into(),
    )
    .await?;
    Ok(())
}

async fn answer(
    address: SocketAddr,
    token: &Secret,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<Bytes, NoState> {
    let silent = |why: &dyn std::fmt::Display| NoState::Silent(format!("nothing answers on its port: {why}"));
    match timeout(PATIENCE, exchange(address, token, method, path, body)).await {
        Ok(Ok((StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED, _))) => Err(NoState::Stranger),
        Ok(Ok((StatusCode::OK, text))) => Ok(text),
        Ok(Ok((status, text))) if status.is_client_error() || status == StatusCode::INSUFFICIENT_STORAGE => {
            Err(NoState::Refused(String::from_utf8_lossy(&text).into_owned()))
        }
        Ok(Ok((status, _))) => Err(NoState::Silent(format!("it answers {status}"))),
        Ok(Err(why)) => Err(silent(&why)),
        Err(_) => Err(NoState::Silent("it does not answer in time".into())),
    }
}

async fn exchange(
    address: SocketAddr,
    token: &Secret,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<(StatusCode, Bytes), Box<dyn std::error::Error + Send + Sync>> {
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    // Ends with the sender.
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("authorization", format!("Bearer {}", token.reveal()))
        .body(Full::new(body))?;
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), LONGEST);
    Ok((status, body.collect().await?.to_bytes()))
}
