//! Accepting connections, bounded in number, in the time a request's head may take, and in the time they have left
//! when the server stops.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// The most connections at once on one listener.
const CONNECTIONS: usize = 1024;
/// The longest the head of a request may take, also the longest a connection stays without one.
const HEAD: Duration = Duration::from_secs(30);
/// The same while more than half of the places are taken: whoever takes places and says nothing loses them soon.
const HEAD_IN_NEED: Duration = Duration::from_secs(2);
/// The most bytes of a request's head that are read; a little more may come with the last piece, and is refused by
/// the router.
pub(crate) const MOST_HEAD: usize = 64 << 10;
/// How long connections go on as if nothing were when the server was stopped: what was sent before the client could
/// know of it is still answered.
const LATE: Duration = Duration::from_millis(300);
/// How long requests in flight may go on after the server was stopped.
const FAREWELL: Duration = Duration::from_secs(5);
/// The pause after an accept that failed: it fails again at once while file descriptors are short.
const BREATH: Duration = Duration::from_millis(50);

/// Who is at the other end of a unix socket, as the kernel says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Peer {
    /// The user number of the process that connected.
    pub(crate) uid: u32,
}

/// What accepts connections.
pub(crate) trait Accept {
    /// What it accepts.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// Waits for the next one.
    fn accept(&self) -> impl Future<Output = io::Result<(Self::Stream, Option<Peer>)>> + Send;
}

impl Accept for UnixListener {
    type Stream = UnixStream;
    async fn accept(&self) -> io::Result<(UnixStream, Option<Peer>)> {
        let (stream, _) = UnixListener::accept(self).await?;
        let uid = stream.peer_cred()?.uid();
        Ok((stream, Some(Peer { uid })))
    }
}

impl Accept for TcpListener {
    type Stream = TcpStream;
    async fn accept(&self) -> io::Result<(TcpStream, Option<Peer>)> {
        let (stream, _) = TcpListener::accept(self).await?;
        stream.set_nodelay(true)?;
        Ok((stream, None))
    }
}

/// Serves until `stop` is cancelled, and returns when the last connection ended.
pub(crate) async fn serve(listener: impl Accept, router: Router, stop: CancellationToken) {
    let places = Arc::new(Semaphore::new(CONNECTIONS));
    let connections = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = async {
                // Never closed, so there is always a place in the end.
                let place = places.clone().acquire_owned().await.ok();
                (listener.accept().await, place)
            } => accepted,
        };
        match accepted {
            (Ok((stream, peer)), place) => {
                let (router, stop) = (router.clone(), stop.clone());
                let head = match places.available_permits() {
                    free if free < CONNECTIONS / 2 => HEAD_IN_NEED,
                    _ => HEAD,
                };
                connections.spawn(async move {
                    connection(stream, peer, router, head, stop).await;
                    drop(place);
                });
            }
            (Err(why), _) => {
                tracing::warn!(%why, "Cannot accept a connection to the API");
                tokio::time::sleep(BREATH).await;
            }
        }
    }
    connections.close();
    connections.wait().await;
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Option<Peer>,
    router: Router,
    head: Duration,
    stop: CancellationToken,
) {
    // The choke point finds it with each request.
    let router = router.map_request(move |mut request: Request<Incoming>| {
        if let Some(peer) = peer {
            request.extensions_mut().insert(peer);
        }
        request
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head)
            .max_buf_size(MOST_HEAD)
            .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router))
            .with_upgrades()
    );
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            match tokio::time::timeout(LATE, connection.as_mut()).await {
                Ok(ended) => ended,
                Err(_) => {
                    connection.as_mut().graceful_shutdown();
                    match tokio::time::timeout(FAREWELL, connection).await {
                        Ok(ended) => ended,
                        Err(_) => return,
                    }
                }
            }
        }
    };
    if let Err(why) = ended {
        tracing::debug!(%why, "A connection to the API broke off");
    }
}
