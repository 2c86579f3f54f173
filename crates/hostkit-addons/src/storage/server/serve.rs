//! Connections: taken as long as there are not too many, and finished when the server ends.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinHandle;

use super::listener::{Connection, Listener};
use crate::storage::gate::Gate;

/// Connections at a time. More wait in the queue of the kernel.
const MOST: u32 = 1024;
/// A connection that asks nothing for so long is closed; so is one that does not finish asking.
const IDLE: Duration = Duration::from_secs(75);
/// What is asked when the server ends has so long to be answered.
const DRAIN: Duration = Duration::from_secs(30);

/// A server at work.
pub(super) struct Serving {
    accepting: Vec<JoinHandle<()>>,
    ending: watch::Sender<bool>,
    places: Arc<Semaphore>,
}

impl Serving {
    /// Begins to take connections.
    pub(super) fn begin(listeners: Vec<Listener>, gate: Gate) -> Self {
        let (ending, ends) = watch::channel(false);
        let places = Arc::new(Semaphore::new(MOST as usize));
        let accepting = listeners
            .into_iter()
            .map(|listener| tokio::spawn(accept(listener, gate.clone(), ends.clone(), Arc::clone(&places))))
            .collect();
        Serving {
            accepting,
            ending,
            places,
        }
    }

    /// Takes no more connections and waits until those that are open have their answers, within limits.
    pub(super) async fn end(self) {
        for one in self.accepting {
            one.abort();
        }
        self.ending.send_replace(true);
        if tokio::time::timeout(DRAIN, self.places.acquire_many(MOST))
            .await
            .is_err()
        {
            tracing::warn!("requests were not finished in time");
        }
    }
}

async fn accept(listener: Listener, gate: Gate, ends: watch::Receiver<bool>, places: Arc<Semaphore>) {
    loop {
        // Never closed.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok(Connection::Tcp(stream)) => {
                drop(tokio::spawn(talk(stream, gate.clone(), ends.clone(), place)))
            }
            Ok(Connection::Unix(stream)) => {
                drop(tokio::spawn(talk(stream, gate.clone(), ends.clone(), place)))
            }
            Err(why) => {
                tracing::warn!("cannot take a connection: {why}");
                // Out of file descriptors, most likely: some are free again when others are finished.
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn talk(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    gate: Gate,
    mut ends: watch::Receiver<bool>,
    _place: OwnedSemaphorePermit,
) {
    let service = service_fn(|request| async { Ok::<_, Infallible>(gate.answer(request).await) });
    let mut connection = std::pin::pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(IDLE)
            .serve_connection(TokioIo::new(stream), service)
    );
    let is_ending = async {
        // An error: the server is gone, which is the same.
        drop(ends.wait_for(|is_ending| *is_ending).await);
    };
    let ended = tokio::select! {
        ended = connection.as_mut() => Some(ended),
        () = is_ending => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(why) = ended {
        tracing::debug!("a connection ended early: {why}");
    }
}
