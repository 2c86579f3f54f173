//! Whether a server answers, asked from outside.

use std::time::Duration;

use bytes::Bytes;
use hostkit_core::kind::{Failure, Kind};
use http::{Request, StatusCode};
use http_body_util::Empty;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

use crate::storage::READY;
use crate::storage::settings::Listen;

/// Asks the server at an address whether it is there, and waits so long for the answer.
pub async fn ready(listen: &Listen, patience: Duration) -> Result<(), Failure> {
    let asked = tokio::time::timeout(patience, ask(listen)).await;
    let why = match asked {
        Ok(Ok(StatusCode::OK)) => return Ok(()),
        Ok(Ok(status)) => format!("it answered {status}"),
        Ok(Err(why)) => why.to_string(),
        Err(_) => "it did not answer in time".to_owned(),
    };
    Err(Failure::new(
        Kind::Unavailable,
        format!("cannot reach the storage server: {why}"),
    )
    .hint("see its log"))
}

async fn ask(listen: &Listen) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>> {
    match listen {
        Listen::Address(address) => ask_by(TcpStream::connect(address).await?).await,
        Listen::Socket(path) => ask_by(UnixStream::connect(path).await?).await,
    }
}

async fn ask_by<S>(stream: S) -> Result<StatusCode, Box<dyn std::error::Error + Send + Sync>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    // Ends with the sender.
    tokio::spawn(connection);
    let request = Request::get(READY)
        .header("host", "localhost")
        .body(Empty::<Bytes>::new())?;
    Ok(sender.send_request(request).await?.status())
}
