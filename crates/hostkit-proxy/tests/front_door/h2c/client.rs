//! A client that speaks HTTP/2 frame by frame, over TLS or without.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use hostkit_testkit::tls::client;
use http::{HeaderMap, Request, StatusCode};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::support::Door;

pub(super) const HOST: &str = "shop.localhost";

/// A connection over TLS, as clients of the internet have it.
pub(super) async fn over_tls(door: &Door) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(door.tls_address()).await.unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client(&["h2"])));
    let name = ServerName::try_from(HOST).unwrap();
    begin(connector.connect(name, stream).await.unwrap()).await
}

/// A connection that is HTTP/2 from its first byte on.
pub(super) async fn without_tls(address: SocketAddr) -> SendRequest<Bytes> {
    begin(TcpStream::connect(address).await.unwrap()).await
}

async fn begin(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) -> SendRequest<Bytes> {
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(connection);
    sender
}

/// What came of a call.
#[derive(Debug)]
pub(super) struct Answered {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
    pub(super) trailers: HeaderMap,
}

impl Answered {
    /// The outcome as gRPC tells it.
    pub(super) fn grpc_status(&self) -> Option<&str> {
        let said = self
            .trailers
            .get("grpc-status")
            .or(self.headers.get("grpc-status"));
        said.and_then(|status| status.to_str().ok())
    }
}

/// A call to a path.
pub(super) fn call(path: &str) -> Request<()> {
    Request::post(format!("https://{HOST}{path}"))
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers")
        .header("grpc-timeout", "20S")
        .body(())
        .unwrap()
}

/// Begins a call, of which more is to be sent.
pub(super) async fn open(
    sender: &SendRequest<Bytes>,
    request: Request<()>,
) -> (h2::client::ResponseFuture, SendStream<Bytes>) {
    let mut sender = sender.clone().ready().await.unwrap();
    sender.send_request(request, false).unwrap()
}

/// One message, and the whole answer.
pub(super) async fn ask(
    sender: &SendRequest<Bytes>,
    path: &str,
    message: &'static str,
) -> Result<Answered, h2::Error> {
    let (answer, mut body) = open(sender, call(path)).await;
    body.send_data(Bytes::from_static(message.as_bytes()), true)?;
    let (head, mut body) = answer.await?.into_parts();
    let mut all = Vec::new();
    while let Some(piece) = next(&mut body).await? {
        all.extend(piece);
    }
    Ok(Answered {
        status: head.status,
        headers: head.headers,
        body: all,
        trailers: body.trailers().await?.unwrap_or_default(),
    })
}

/// The next piece of an answer.
pub(super) async fn next(body: &mut RecvStream) -> Result<Option<Bytes>, h2::Error> {
    let Some(piece) = body.data().await.transpose()? else {
        return Ok(None);
    };
    body.flow_control().release_capacity(piece.len())?;
    Ok(Some(piece))
}
