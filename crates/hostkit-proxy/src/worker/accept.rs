//! Accepting connections and serving each until it ends.

use std::convert::Infallible;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use tokio::net::{TcpListener, TcpStream};

use super::Worker;
use super::pulse::{Order, Pulse};
use super::stream::ClientStream;
use crate::forward;

/// Sent, as far as it goes, to a client there is no room for.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// A listener: the public one, or a stable loopback port.
pub(crate) struct Door {
    /// The stable port; none for the public listener.
    pub(crate) port: Option<u16>,
    /// The port as text, for X-Forwarded-Port.
    pub(crate) port_text: HeaderValue,
}

impl Door {
    /// A listener at an address.
    pub(crate) fn new(port: Option<u16>, address: Option<SocketAddr>) -> Self {
        Door {
            port,
            port_text: HeaderValue::from(address.map_or(80, |address| address.port())),
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
    number: usize,
    _admitted: super::Admitted,
}

impl Client {
    /// Stands for a client in what the front door asks by itself. Nothing where there is no room.
    pub(crate) fn beside(client: &Client) -> Option<Rc<Client>> {
        let admitted = client.worker.admit()?;
        let (number, pulse) = client.worker.pulses.add(&client.door);
        Some(Rc::new(Client {
            worker: Rc::clone(&client.worker),
            door: Arc::clone(&client.door),
            pulse,
            peer: client.peer.clone(),
            number,
            _admitted: admitted,
        }))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.worker.pulses.remove(self.number);
    }
}

/// Accepts until the task is aborted.
pub(crate) async fn accept(worker: Rc<Worker>, listener: TcpListener, door: Arc<Door>) {
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => match worker.admit() {
                Some(admitted) => begin(&worker, &door, stream, peer, admitted),
                None => drop(stream.try_write(FULL)),
            },
            Err(error) if is_of_one_connection(&error) => {}
            Err(error) => {
                // Out of descriptors or memory: something must end first.
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Whether an error of `accept` says something about the connection that was to be accepted, not about us.
fn is_of_one_connection(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
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
    let peer = text_of(peer.ip().to_canonical());
    let client = Rc::new(Client {
        worker: Rc::clone(worker),
        door: Arc::clone(door),
        pulse: Arc::clone(&pulse),
        peer,
        number,
        _admitted: admitted,
    });
    let limits = &worker.shared.limits;
    let service = service_fn(move |request: Request<Incoming>| {
        let client = Rc::clone(&client);
        async move {
            let worker = Rc::clone(&client.worker);
            let mut answer = forward::serve(client, request).await;
            if worker.leaving.get() && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                answer
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let connection = http1::Builder::new()
        // Head and body in one `send`; measured to be the cheaper way (PERFORMANCE 3).
        .writev(false)
        // The pulse does this without a timer per request.
        .header_read_timeout(None)
        .max_header_size(limits.header_bytes)
        .max_buf_size(limits.header_bytes.max(8192))
        .serve_connection(ClientStream::new(stream, Arc::clone(&pulse)), service)
        .with_upgrades();
    tokio::task::spawn_local(async move {
        let mut connection = std::pin::pin!(connection);
        let mut winding_up = false;
        let mut waker = None;
        std::future::poll_fn(|context| {
            match pulse.order(context, &mut waker) {
                Order::WindUp if !winding_up => {
                    winding_up = true;
                    connection.as_mut().graceful_shutdown();
                }
                Order::GoOn | Order::WindUp => {}
                Order::End => return Poll::Ready(()),
            }
            // How a connection ended is the client's affair; requests are logged on their own.
            connection.as_mut().poll(context).map(drop)
        })
        .await;
    });
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
