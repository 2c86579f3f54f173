//! What is asked of a server that runs.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use hostkit_core::backup::part::Counts;
use hostkit_core::secret::Secret;
use hostkit_core::storage::BucketRules;
use hostkit_core::traits::Pieces;
use http::{Method, Request, Response, StatusCode};
use http_body::{Body, Frame};
use http_body_util::{BodyDataStream, BodyExt, Full, Limited, StreamBody};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::storage::backup::COUNTS;
use crate::storage::names::BucketName;
use crate::storage::state::State;
use crate::storage::{COPY, RESTORE, RULES, STATE};

/// A server on this machine answers within this time, or it hangs.
const PATIENCE: Duration = Duration::from_secs(5);
/// So long it may take until the index is copied, or until a copy that has come is looked at.
const PATIENCE_OF_COPIES: Duration = Duration::from_secs(600);
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
    /// The disk has no room for it.
    #[error("{0}")]
    Full(String),
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

/// Has the server at an address begin a copy of all that it holds: what is in it, and its bytes.
pub(super) async fn copy(address: SocketAddr, token: &Secret) -> Result<(Counts, Pieces), NoState> {
    let begun = send(address, token, Method::GET, COPY, Full::new(Bytes::new()));
    let response = within(PATIENCE_OF_COPIES, begun).await?;
    if response.status() != StatusCode::OK {
        return Err(said(response).await);
    }
    let counts = response.headers().get(COUNTS);
    let counts = counts.and_then(|text| serde_json::from_slice(text.as_bytes()).ok());
    let counts = counts.ok_or_else(|| NoState::Silent("it answers something else".into()))?;
    let pieces = BodyDataStream::new(response.into_body())
        .map_ok(|piece| piece.to_vec())
        .map_err(io::Error::other);
    Ok((counts, Box::pin(pieces)))
}

/// Has the server at an address bring a copy in beside what is there, and count what is in it.
pub(super) async fn bring_in(
    address: SocketAddr,
    token: &Secret,
    content: Pieces,
) -> Result<Counts, NoState> {
    // Taken to its end when the server waits no more for it, so that from then on only the answer is waited for.
    let (over, is_over) = oneshot::channel::<()>();
    let content = content
        .map_ok(|piece| Frame::data(Bytes::from(piece)))
        .chain(stream::once(async move { drop(over) }).filter_map(async |()| None));
    let sent = send(address, token, Method::PUT, RESTORE, StreamBody::new(content));
    tokio::pin!(sent);
    let response = tokio::select! {
        response = &mut sent => response.map_err(silent)?,
        _ = is_over => within(PATIENCE_OF_COPIES, sent).await?,
    };
    match response.status() {
        StatusCode::OK => {
            let text = Limited::new(response.into_body(), LONGEST)
                .collect()
                .await
                .map_err(silent)?;
            serde_json::from_slice(&text.to_bytes())
                .map_err(|_| NoState::Silent("it answers something else".into()))
        }
        _ => Err(said(response).await),
    }
}

async fn answer(
    address: SocketAddr,
    token: &Secret,
    method: Method,
    path: &str,
    body: Bytes,
) -> Result<Bytes, NoState> {
    let asked = async {
        let response = send(address, token, method, path, Full::new(body)).await?;
        match response.status() {
            StatusCode::OK => {
                let body = Limited::new(response.into_body(), LONGEST);
                Ok(Ok(body.collect().await?.to_bytes()))
            }
            _ => Ok(Err(said(response).await)),
        }
    };
    within(PATIENCE, asked).await?
}

/// What a server says that does not do what it was asked.
async fn said(response: Response<Incoming>) -> NoState {
    let status = response.status();
    let text = Limited::new(response.into_body(), LONGEST).collect().await;
    let text = text.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    match status {
        StatusCode::FORBIDDEN | StatusCode::UNAUTHORIZED => NoState::Stranger,
        StatusCode::INSUFFICIENT_STORAGE => NoState::Full(String::from_utf8_lossy(&text).into_owned()),
        status if status.is_client_error() => NoState::Refused(String::from_utf8_lossy(&text).into_owned()),
        status => NoState::Silent(format!("it answers {status}; its log says why")),
    }
}

async fn within<T>(patience: Duration, work: impl Future<Output = Result<T, Broken>>) -> Result<T, NoState> {
    match timeout(patience, work).await {
        Ok(done) => done.map_err(silent),
        Err(_) => Err(NoState::Silent("it does not answer in time".into())),
    }
}

type Broken = Box<dyn std::error::Error + Send + Sync>;

fn silent(why: impl Into<Broken>) -> NoState {
    NoState::Silent(format!("nothing answers on its port: {}", why.into()))
}

async fn send<B>(
    address: SocketAddr,
    token: &Secret,
    method: Method,
    path: &str,
    body: B,
) -> Result<Response<Incoming>, Broken>
where
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Broken>,
{
    let stream = TokioIo::new(TcpStream::connect(address).await?);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    // Ends with the sender, or with the answer.
    tokio::spawn(connection);
    let request = Request::builder()
        .method(method)
        .uri(path)
        .header("host", "localhost")
        .header("authorization", format!("Bearer {}", token.reveal()))
        .body(body)?;
    Ok(sender.send_request(request).await?)
}
