//! Accepting connections, and what is known of each before its first request.

use std::cell::Cell;
use std::future::Future;
use std::io::{self, Write};
use std::net::{self, IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use hyper_util::rt::TokioIo;
use rustls::{HandshakeKind, ServerConfig};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::listener::Listener;
use super::pulse::{Order, Pulse};
use super::stream::ClientStream;
use super::{Worker, connection, http2};
use crate::tls;

/// Sent, as far as it goes, to a client there is no room for.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// What a connection begins with that is HTTP/2 at once (RFC 9113, 3.4): no request of HTTP/1.1 can begin like that.
const HTTP2: &[u8] = b"PRI * HTTP/2.0";

/// What a listener is for.
pub(crate) enum Purpose {
    /// Anybody's requests, by their host; with the port of the other kind, where there is one.
    Public { https_port: Option<u16> },
    /// The same, over TLS.
    PublicTls(Arc<ServerConfig>),
    /// One route's requests: a stable loopback port.
    Port(u16),
}

/// A listener.
pub(crate) struct Door {
    /// The stable port; none for a public listener.
    pub(crate) port: Option<u16>,
    /// Where requests are sent that should come over TLS and came without.
    pub(crate) https_port: Option<u16>,
    /// What its connections begin with, where they are encrypted.
    pub(crate) tls: Option<TlsAcceptor>,
    /// For X-Forwarded-Proto.
    pub(crate) scheme: HeaderValue,
    /// The port as text, for X-Forwarded-Port.
    pub(crate) port_text: HeaderValue,
    /// Both as lines of a head.
    pub(crate) signature: Vec<u8>,
}

impl Door {
    /// A listener at an address.
    pub(crate) fn new(purpose: Purpose, address: Option<SocketAddr>) -> Self {
        let (port, https_port, tls) = match purpose {
            Purpose::Public { https_port } => (None, https_port, None),
            Purpose::PublicTls(settings) => (None, None, Some(TlsAcceptor::from(settings))),
            Purpose::Port(port) => (Some(port), None, None),
        };
        let (scheme, usual) = if tls.is_some() {
            ("https", 443)
        } else {
            ("http", 80)
        };
        let number = address.map_or(usual, |address| address.port());
        Door {
            port,
            https_port,
            tls,
            scheme: HeaderValue::from_static(scheme),
            port_text: HeaderValue::from(number),
            signature: format!("x-forwarded-proto: {scheme}\r\nx-forwarded-port: {number}\r\n").into_bytes(),
        }
    }
}

/// A client connection: what is the same for all its requests.
pub(crate) struct Client {
    pub(crate) worker: Rc<Worker>,
    pub(crate) door: Arc<Door>,
    pub(crate) pulse: Arc<Pulse>,
    /// The client's address as text.
    pub(crate) peer: HeaderValue,
    /// The host it asked for when TLS began.
    server_name: Option<Box<str>>,
    /// Requests under way, where there may be many at once.
    pub(super) streams: Cell<usize>,
    _place: Place,
}

impl Client {
    /// Whether its connection is encrypted.
    pub(crate) fn is_tls(&self) -> bool {
        self.door.tls.is_some()
    }

    /// Whether it comes from this machine.
    pub(crate) fn is_local(&self) -> bool {
        let peer = self.peer.as_bytes();
        peer.starts_with(b"127.") || peer == b"::1"
    }

    /// Whether its connection may give back what it does not need while it is idle.
    pub(super) fn may_rest(&self) -> bool {
        self.pulse.is_idle() && (self.pulse.is_tired() || self.worker.pulses.is_crowded())
    }

    /// Whether a request for `host` belongs on this connection: over TLS, the host must be the one the connection was
    /// opened for. A client that sends requests for another host because one certificate covers both is told to open
    /// a connection of its own.
    pub(crate) fn may_ask_for(&self, host: &[u8]) -> bool {
        self.server_name.as_deref().is_none_or(|name| {
            let host = host.strip_suffix(b".").unwrap_or(host);
            host.eq_ignore_ascii_case(name.as_bytes())
        })
    }
}

/// A connection's place among those of its thread.
struct Place {
    worker: Rc<Worker>,
    number: usize,
    _admitted: super::Admitted,
}

impl Client {
    /// Stands for a client in what the front door asks by itself. Nothing where there is no room.
    pub(crate) fn beside(client: &Client) -> Option<Rc<Client>> {
        let worker = &client.worker;
        let admitted = worker.admit()?;
        let (number, pulse) = worker.pulses.add(&client.door);
        Some(Rc::new(Client {
            worker: Rc::clone(worker),
            door: Arc::clone(&client.door),
            pulse,
            peer: client.peer.clone(),
            server_name: None,
            streams: Cell::new(0),
            _place: Place {
                worker: Rc::clone(worker),
                number,
                _admitted: admitted,
            },
        }))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.worker.pulses.remove(self.number);
    }
}

/// Accepts until the task is aborted.
pub(super) async fn accept(worker: Rc<Worker>, listener: Listener, door: Arc<Door>) {
    loop {
        let accepted = listener.accept().await;
        let begun = accepted.and_then(|(stream, peer)| admit(&worker, &door, stream, peer));
        match begun {
            Ok(()) => {}
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Out of descriptors or memory: something must end first.
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Begins to serve a connection, where there is room for it.
fn admit(
    worker: &Rc<Worker>,
    door: &Arc<Door>,
    mut stream: net::TcpStream,
    peer: SocketAddr,
) -> io::Result<()> {
    match worker.admit() {
        Some(admitted) => begin(worker, door, TcpStream::from_std(stream)?, peer, admitted),
        None if door.tls.is_none() => drop(stream.write(FULL)),
        None => {}
    }
    Ok(())
}

/// Whether an error of `accept` says something about the connection that was to be accepted, not about us.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    matches!(
        error.kind(),
        ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted
    )
}

/// An address as text.
fn text_of(address: IpAddr) -> HeaderValue {
    let text = match address {
        IpAddr::V4(address) => {
            // By hand, because it is done for every connection and formatting costs ten times as much.
            let mut text = Vec::with_capacity(15);
            for octet in address.octets() {
                if octet >= 100 {
                    text.push(b'0' + octet / 100);
                }
                if octet >= 10 {
                    text.push(b'0' + octet / 10 % 10);
                }
                text.extend_from_slice(&[b'0' + octet % 10, b'.']);
            }
            text.pop();
            text
        }
        IpAddr::V6(address) => address.to_string().into_bytes(),
    };
    // Digits, dots, colons and letters: always a header's value.
    HeaderValue::from_maybe_shared(Bytes::from(text)).unwrap_or(HeaderValue::from_static("unknown"))
}

fn begin(
    worker: &Rc<Worker>,
    door: &Arc<Door>,
    stream: TcpStream,
    peer: SocketAddr,
    admitted: super::Admitted,
) {
    if door.port.is_some() {
        // The public listener passes this on to its connections; a stable port's does not.
        drop(stream.set_nodelay(true));
    }
    let (number, pulse) = worker.pulses.add(door);
    let client = Client {
        worker: Rc::clone(worker),
        door: Arc::clone(door),
        pulse: Arc::clone(&pulse),
        peer: text_of(peer.ip().to_canonical()),
        server_name: None,
        streams: Cell::new(0),
        _place: Place {
            worker: Rc::clone(worker),
            number,
            _admitted: admitted,
        },
    };
    match &door.tls {
        None if worker.shared.table.load().knows_h2c => {
            tokio::task::spawn_local(begin_plain(client, stream));
        }
        None => {
            let stream = ClientStream::plain(stream, pulse);
            tokio::task::spawn_local(connection::http1(client, stream));
        }
        Some(tls) => {
            tokio::task::spawn_local(begin_tls(client, tls.clone(), stream));
        }
    }
}

/// Serves what the client begins to speak. Clients of gRPC speak HTTP/2 without asking first.
async fn begin_plain(client: Client, stream: TcpStream) {
    let pulse = Arc::clone(&client.pulse);
    let mut start = [0; HTTP2.len()];
    // Where the connection is to end instead, its end is seen to as that of any other.
    let peeked = until_ended(&pulse, stream.peek(&mut start)).await;
    let stream = ClientStream::plain(stream, pulse);
    match peeked {
        Ok(count) if start[..count] == *HTTP2 => Box::pin(http2::serve(client, stream)).await,
        _ => Box::pin(connection::http1(client, stream)).await,
    }
}

/// Agrees on keys and a protocol, then serves.
async fn begin_tls(mut client: Client, tls: TlsAcceptor, stream: TcpStream) {
    let pulse = Arc::clone(&client.pulse);
    // Each step in a box of its own: a task is as large as the largest of them, and for as long as the connection lasts.
    let mut stream = match Box::pin(until_ended(&pulse, tls.accept(stream))).await {
        Ok(stream) => Box::new(TokioIo::new(stream)),
        Err(error) => {
            let failed = &client.worker.shared.failed_handshakes;
            failed.fetch_add(1, Ordering::Relaxed);
            tracing::debug!(peer = ?client.peer, "cannot agree on TLS: {error}");
            return;
        }
    };
    let (_, session) = stream.inner().get_ref();
    let handshakes = &client.worker.shared.handshakes;
    let kind = match session.handshake_kind() {
        Some(HandshakeKind::Resumed) => &handshakes.resumed,
        _ => &handshakes.full,
    };
    kind.fetch_add(1, Ordering::Relaxed);
    client.server_name = session.server_name().map(Into::into);
    match session.alpn_protocol() {
        // The certificate was the answer.
        Some(tls::CHALLENGE) => drop(until_ended(&pulse, stream.inner_mut().shutdown()).await),
        Some(tls::HTTP2) => Box::pin(http2::serve(client, ClientStream::tls(stream, pulse))).await,
        _ => Box::pin(connection::http1(client, ClientStream::tls(stream, pulse))).await,
    }
}

/// What comes before the first request, as long as the connection may be there.
async fn until_ended<T>(pulse: &Pulse, work: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let mut work = std::pin::pin!(work);
    let mut waker = None;
    std::future::poll_fn(|context| match pulse.order(context, &mut waker) {
        Order::GoOn => work.as_mut().poll(context),
        Order::WindUp | Order::End => Poll::Ready(Err(io::ErrorKind::TimedOut.into())),
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_read_as_the_standard_library_writes_them() {
        for address in [
            "0.0.0.0",
            "127.0.0.1",
            "10.20.30.99",
            "255.100.9.200",
            "::1",
            "2001:db8::17",
        ] {
            let parsed: IpAddr = address.parse().unwrap();
            assert_eq!(text_of(parsed), address);
        }
    }
}
