//! A front door that speaks TLS, and clients that speak it to it.

use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;

use bytes::Bytes;
use hostkit_proxy::{ProxyConfig, bind_public};
use http::Request;
use http::response::Parts;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::ring;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme, StreamOwned,
    SupportedProtocolVersion,
};

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

/// A client that trusts everybody and asks for these protocols.
pub(crate) fn client(protocols: &[&str]) -> ClientConfig {
    client_of(protocols, rustls::ALL_VERSIONS)
}

/// The same with versions of its own.
pub(crate) fn client_of(protocols: &[&str], versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut client = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustsAll))
        .with_no_client_auth();
    client.alpn_protocols = protocols
        .iter()
        .map(|protocol| protocol.as_bytes().to_vec())
        .collect();
    client
}

#[derive(Debug)]
struct TrustsAll;

impl ServerCertVerifier for TrustsAll {
    fn verify_server_cert(
        &self,
        _certificate: &CertificateDer<'_>,
        _above: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _certificate: &CertificateDer<'_>,
        _signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        ring::default_provider()
            .signature_verification_algorithms
            .supported_schemes()
    }
}

/// The sending side of an HTTP/2 connection for `host`.
pub(crate) async fn connect_http2(door: &Door, host: &str) -> SendRequest<Full<Bytes>> {
    let stream = tokio::net::TcpStream::connect(door.tls_address()).await.unwrap();
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
