//! Connections of the load: in the clear or over TLS, and of those that are kept the ones that wait for a request.

use std::error::Error as _;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, Response};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Where requests go.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) address: SocketAddr,
    pub(super) host: String,
    pub(super) path: String,
    pub(super) is_tls: bool,
}

impl Server {
    /// A new connection.
    pub(super) async fn connect(&self, protocol: Protocol) -> Result<Connection, String> {
        let stream = TcpStream::connect(self.address)
            .await
            .map_err(|e| format!("connect: {e}"))?;
        if !self.is_tls {
            return begin(stream, protocol).await;
        }
        let name = match protocol {
            Protocol::Http1 => "http/1.1",
            Protocol::Http2 => "h2",
        };
        // A client of its own: every connection agrees on keys anew.
        let connector = TlsConnector::from(Arc::new(crate::tls::client(&[name])));
        let host = ServerName::try_from(self.host.clone()).map_err(|e| format!("host: {e}"))?;
        let stream = connector
            .connect(host, stream)
            .await
            .map_err(|e| format!("agree on TLS: {e}"))?;
        match stream.get_ref().1.alpn_protocol() == Some(name.as_bytes()) {
            true => begin(stream, protocol).await,
            false => Err(format!("agree on TLS: not to speak {name}")),
        }
    }

    /// The request.
    pub(super) fn request(&self, protocol: Protocol) -> Result<Request<Empty<Bytes>>, String> {
        let (host, path) = (&self.host, &self.path);
        let request = match protocol {
            Protocol::Http1 => Request::get(path).header("host", host),
            Protocol::Http2 => Request::get(format!("https://{host}{path}")),
        };
        request.body(Empty::new()).map_err(|e| format!("request: {e}"))
    }
}

async fn begin<S>(stream: S, protocol: Protocol) -> Result<Connection, String>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (stream, failed) = (TokioIo::new(stream), |e| format!("handshake: {e}"));
    match protocol {
        Protocol::Http1 => {
            let (sender, connection) = http1::handshake(stream).await.map_err(failed)?;
            tokio::spawn(connection);
            Ok(Connection::Http1(sender))
        }
        Protocol::Http2 => {
            let begun = http2::handshake(TokioExecutor::new(), stream).await;
            let (sender, connection) = begun.map_err(failed)?;
            tokio::spawn(connection);
            Ok(Connection::Http2(sender))
        }
    }
}

/// The sending side of one.
pub(super) enum Connection {
    Http1(http1::SendRequest<Empty<Bytes>>),
    Http2(http2::SendRequest<Empty<Bytes>>),
}

impl Connection {
    async fn is_open(&mut self) -> bool {
        match self {
            Connection::Http1(sender) => sender.ready().await.is_ok(),
            Connection::Http2(sender) => sender.ready().await.is_ok(),
        }
    }

    /// Sends a request and waits until the answer begins.
    pub(super) async fn send(&mut self, request: Request<Empty<Bytes>>) -> hyper::Result<Response<Incoming>> {
        match self {
            Connection::Http1(sender) => sender.send_request(request).await,
            Connection::Http2(sender) => sender.send_request(request).await,
        }
    }
}

/// Connections that are kept: of HTTP/1.1 those without a request, of HTTP/2 one for all.
#[derive(Default)]
pub(super) struct Kept {
    idle: Mutex<Vec<http1::SendRequest<Empty<Bytes>>>>,
    shared: Mutex<Option<http2::SendRequest<Empty<Bytes>>>>,
}

impl Kept {
    /// One that may be used; nothing where there is none, or it was closed meanwhile.
    pub(super) async fn take(&self, protocol: Protocol) -> Option<Connection> {
        let mut connection = match protocol {
            Protocol::Http1 => Connection::Http1(lock(&self.idle).pop()?),
            Protocol::Http2 => Connection::Http2(lock(&self.shared).clone()?),
        };
        connection.is_open().await.then_some(connection)
    }

    /// Keeps one that was just opened, if others may use it at once.
    pub(super) fn share(&self, connection: &Connection) {
        if let Connection::Http2(sender) = connection {
            *lock(&self.shared) = Some(sender.clone());
        }
    }

    /// Keeps one after its answer.
    pub(super) fn put(&self, connection: Connection) {
        if let Connection::Http1(sender) = connection {
            lock(&self.idle).push(sender);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether the server did nothing about a request on a connection that had been kept, so that it may be sent again
/// (RFC 9112, 9.3.1; RFC 9113, 8.7).
pub(super) fn was_not_served(error: &hyper::Error) -> bool {
    let cause = error.source();
    if let Some(error) = cause.and_then(|cause| cause.downcast_ref::<h2::Error>()) {
        // Of the streams of a connection, those fail by its end that it does not come to any more.
        let reason = error.reason();
        return match error.is_go_away() {
            true => reason == Some(h2::Reason::NO_ERROR),
            false => reason == Some(h2::Reason::REFUSED_STREAM),
        };
    }
    let reset = cause
        .and_then(|cause| cause.downcast_ref::<std::io::Error>())
        .is_some_and(|e| matches!(e.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe));
    reset || error.is_canceled() || error.is_closed() || error.is_incomplete_message()
}
