//! A front door that speaks TLS, and clients that speak it to it.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;

use bytes::Bytes;
use hostkit_proxy::{ProxyConfig, bind_public};
pub(crate) use hostkit_testkit::tls::{client, client_of};
use http::Request;
use http::response::Parts;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use crate::support::{Door, connect};

/// A connection of a client.
pub(crate) type Secure = StreamOwned<ClientConnection, TcpStream>;

impl Door {
    /// One that speaks TLS, too.
    pub(crate) fn secure(change: impl FnOnce(&mut ProxyConfig)) -> Door {
        Door::start_with(|config| {
            config.tls_listeners = bind_public((Ipv4Addr::LOCALHOST, 0).into(), 2).unwrap();
            change(config);
        })
    }

    pub(crate) fn tls_address(&self) -> SocketAddr {
        self.handle.as_ref().unwrap().tls_address().unwrap()
    }

    /// A TLS connection for `host`.
    pub(crate) fn connect_tls(&self, host: &str) -> Secure {
        connect_tls(self.tls_address(), &Arc::new(client(&[])), host)
    }
}

/// A connection to an address, whose handshake is done with the first use.
pub(crate) fn connect_tls(address: SocketAddr, client: &Arc<ClientConfig>, host: &str) -> Secure {
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let session = ClientConnection::new(Arc::clone(client), name).unwrap();
    StreamOwned::new(session, connect(address))
}

/// The sending side of an HTTP/2 connection for `host`.
pub(crate) async fn connect_http2(door: &Door, host: &str) -> SendRequest<Full<Bytes>> {
    connect_http2_to(door.tls_address(), host).await
}

/// The same to an address.
pub(crate) async fn connect_http2_to(address: SocketAddr, host: &str) -> SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(client(&["h2", "http/1.1"])));
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let stream = connector.connect(name, stream).await.unwrap();
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        .initial_stream_window_size(1 << 20)
        .handshake(TokioIo::new(stream))
        .await
        .unwrap();
    tokio::spawn(connection);
    sender
}

/// A request for a path of a host.
pub(crate) fn request(method: &str, host: &str, path: &str) -> Request<Full<Bytes>> {
    Request::builder()
        .method(method)
        .uri(format!("https://{host}{path}"))
        .body(Full::default())
        .unwrap()
}

/// Sends a request and reads the whole answer.
pub(crate) async fn ask(
    sender: &mut SendRequest<Full<Bytes>>,
    request: Request<Full<Bytes>>,
) -> Result<(Parts, Bytes), hyper::Error> {
    sender.ready().await?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    Ok((head, body.collect().await?.to_bytes()))
}
