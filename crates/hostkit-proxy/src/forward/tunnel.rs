//! Upgraded connections (WebSocket and others): after the 101, bytes both ways until one side is done or the
//! backend's drain is over, or the front door stops.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Response, header};
use hyper::body::Incoming;
use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::AsyncWriteExt;

use super::{head, http2, keep_here};
use crate::body::AnswerBody;
use crate::exchange::Exchange;
use crate::table::LiveRoute;

/// How long a client that takes nothing may delay the end of the front door.
const CLOSING: Duration = Duration::from_millis(500);

/// Passes a 101 on and starts the tunnel, which carries the exchange from here.
pub(super) fn begin(
    mut exchange: Box<Exchange>,
    mut answer: Response<Incoming>,
    client_side: OnUpgrade,
    route: &LiveRoute,
) -> Response<AnswerBody> {
    let backend_side = hyper::upgrade::on(&mut answer);
    exchange.status = answer.status().as_u16();
    exchange.upstream = Some(exchange.began.elapsed());
    exchange.is_tunnel = true;
    let (mut parts, _) = answer.into_parts();
    if exchange.stream.is_some() {
        http2::accept(&mut parts);
    } else {
        parts
            .headers
            .insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    }
    head::unsign_answer(&mut parts.headers);
    if exchange.strays {
        keep_here(&exchange, route, &mut parts.headers);
    }
    head::sign_answer(&mut parts.headers, route.release.as_ref(), &exchange.id);
    if let Some(lease) = &exchange.lease {
        let backend = Arc::clone(lease.in_flight.backend());
        let worker = std::rc::Rc::clone(&exchange.client.worker);
        worker.spawn_tunnel(&backend, run(exchange, client_side, backend_side));
    }
    Response::from_parts(parts, AnswerBody::detached())
}

async fn run(mut exchange: Box<Exchange>, client_side: OnUpgrade, backend_side: OnUpgrade) {
    let (Ok(client), Ok(backend)) = (client_side.await, backend_side.await) else {
        exchange.broken = true;
        return;
    };
    let (mut client, mut backend) = (TokioIo::new(client), TokioIo::new(backend));
    let worker = std::rc::Rc::clone(&exchange.client.worker);
    let copied = tokio::select! {
        copied = tokio::io::copy_bidirectional(&mut client, &mut backend) => copied.ok(),
        () = worker.farewell() => {
            // Over TLS this says that the end is meant: a connection that just breaks off could have been cut by anybody.
            tokio::time::timeout(CLOSING, client.shutdown()).await.ok();
            None
        }
    };
    match copied {
        Some((from_client, to_client)) => {
            exchange.tunnelled = from_client;
            exchange.sent = to_client;
        }
        None => exchange.broken = true,
    }
}
