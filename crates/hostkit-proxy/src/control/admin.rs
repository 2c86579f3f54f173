//! The admin API on a unix socket that only its owner can open: `PUT /table`, `POST /drain`, `POST /purge`,
//! `GET /status`, `GET /metrics`, and those of `certificates`.

use std::convert::Infallible;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::route::{BackendId, Purge};
use hostkit_core::size::Span;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::{Deserialize, Serialize};
use tokio::net::UnixListener;

use super::{Control, certificates};
use crate::metrics::text::CONTENT_TYPE;

/// The largest body taken: a table of tens of thousands of routes.
const MOST_BYTES: usize = 64 << 20;

/// What `POST /drain` takes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct DrainOrder {
    pub(crate) backends: Vec<BackendId>,
    pub(crate) grace: Span,
}

/// Opens the socket. One that is left over from a front door that died is replaced.
pub(crate) fn bind(path: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    // Nobody else may connect in the moment between the two calls: the folder is private, too.
    let listener = std::os::unix::net::UnixListener::bind(path)?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    take_over(listener)
}

/// Serves on a socket that is open already.
pub(crate) fn take_over(listener: std::os::unix::net::UnixListener) -> io::Result<UnixListener> {
    listener.set_nonblocking(true)?;
    UnixListener::from_std(listener)
}

/// Answers for ever.
pub(crate) async fn serve(control: Arc<Control>, listener: UnixListener) {
    loop {
        let stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("cannot accept on the admin socket: {error}");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        let control = Arc::clone(&control);
        tokio::spawn(async move {
            let service = service_fn(move |request| {
                let control = Arc::clone(&control);
                async move { Ok::<_, Infallible>(answer(&control, request).await) }
            });
            // A caller that goes away is its own affair.
            let serving = hyper::server::conn::http1::Builder::new()
                .header_read_timeout(None)
                .serve_connection(TokioIo::new(stream), service);
            drop(serving.await);
        });
    }
}

async fn answer(control: &Control, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let mut kind = "application/json";
    let outcome = match (request.method(), request.uri().path()) {
        (&Method::PUT, "/table") => match body(request, MOST_BYTES).await {
            Ok(bytes) => control.apply(&bytes).await.and_then(|applied| json(&applied)),
            Err(failure) => Err(failure),
        },
        (&Method::POST, "/drain") => match body(request, MOST_BYTES).await.and_then(|bytes| order(&bytes)) {
            Ok(order) => json(&control.drain(&order.backends, order.grace.0).await),
            Err(failure) => Err(failure),
        },
        (&Method::POST, "/purge") => match body(request, MOST_BYTES).await.and_then(|bytes| purge(&bytes)) {
            Ok(purge) => control.purge(&purge).await.and_then(|purged| json(&purged)),
            Err(failure) => Err(failure),
        },
        (&Method::GET, "/status") => json(&control.status().await),
        (&Method::GET, "/metrics") => {
            kind = CONTENT_TYPE;
            Ok(control.metrics().await.into_bytes())
        }
        (_, path) if certificates::is_below(path) => {
            certificates::answer(control.shared.certificates.as_ref(), request).await
        }
        (method, path) => Err(no_such_endpoint(method, path)),
    };
    let (status, bytes) = match outcome {
        Ok(bytes) => (200, bytes),
        Err(failure) => (
            failure.kind.http_status(),
            serde_json::to_vec(&failure).unwrap_or_default(),
        ),
    };
    let mut response = Response::new(Full::new(Bytes::from(bytes)));
    *response.status_mut() = http::StatusCode::from_u16(status).unwrap_or_default();
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}

pub(super) fn no_such_endpoint(method: &Method, path: &str) -> Failure {
    let message = format!("cannot answer `{method} {path}`: no such endpoint");
    Failure::new(Kind::NotFound, message).hint(
        "use `PUT /table`, `POST /drain`, `POST /purge`, `GET /status`, `GET /metrics` or `GET /certificates`",
    )
}

pub(super) async fn body(request: Request<Incoming>, most: usize) -> Result<Bytes, Failure> {
    match Limited::new(request.into_body(), most).collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(error) => {
            let kind = match error.is::<LengthLimitError>() {
                true => Kind::TooLarge,
                false => Kind::Invalid,
            };
            Err(Failure::new(
                kind,
                format!("cannot read the request body: {error}"),
            ))
        }
    }
}

fn order(bytes: &[u8]) -> Result<DrainOrder, Failure> {
    serde_json::from_slice(bytes)
        .map_err(|error| Failure::new(Kind::Invalid, format!("cannot read the drain order: {error}")))
}

fn purge(bytes: &[u8]) -> Result<Purge, Failure> {
    let purge: Purge = serde_json::from_slice(bytes)
        .map_err(|error| Failure::new(Kind::Invalid, format!("cannot read what to purge: {error}")))?;
    match &purge.path {
        Some(path) if !path.starts_with('/') => Err(Failure::new(
            Kind::Invalid,
            format!("cannot purge `{path}`: it is not a path"),
        )
        .hint("begin it with `/`")),
        _ => Ok(purge),
    }
}

pub(super) fn json(value: &impl Serialize) -> Result<Vec<u8>, Failure> {
    serde_json::to_vec(value)
        .map_err(|error| Failure::new(Kind::Internal, format!("cannot write an answer: {error}")))
}
