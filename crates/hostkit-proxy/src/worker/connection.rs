//! Serving one client connection until it ends: the protocol is hyper's, the orders come from the connection's pulse.

use std::convert::Infallible;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use http::{HeaderValue, StatusCode, header};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;

use super::accept::Client;
use super::pulse::{Order, Pulse};
use super::stream::ClientStream;
use crate::forward;

/// Serves HTTP/1.
pub(super) async fn http1(client: Client, stream: ClientStream) {
    let client = Rc::new(client);
    let pulse = Arc::clone(&client.pulse);
    let header_bytes = client.worker.shared.limits.header_bytes;
    let unread = Rc::clone(&client);
    let service = service_fn(move |request: Request<Incoming>| {
        let client = Rc::clone(&client);
        async move {
            let worker = Rc::clone(&client.worker);
            let mut answer = forward::serve(client, None, request).await;
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
        .max_header_size(header_bytes)
        .max_buf_size(header_bytes.max(8192))
        .serve_connection(stream, service)
        .with_upgrades();
    let ended = drive(&pulse, pin!(connection), |connection| {
        connection.graceful_shutdown()
    })
    .await;
    // How a connection ended is the client's affair; requests are logged on their own, but for the one that hyper
    // answers itself, which nobody would hear of.
    if let Some(Err(error)) = ended
        && error.is_parse_too_large()
    {
        forward::note_unread(unread);
    }
}

/// Runs a connection to its end, or to the one its pulse orders; then there is nothing to say about it.
pub(super) async fn drive<C: Future>(
    pulse: &Pulse,
    mut connection: Pin<&mut C>,
    wind_up: impl Fn(Pin<&mut C>),
) -> Option<C::Output> {
    let mut winding_up = false;
    let mut waker = None;
    std::future::poll_fn(|context| {
        match pulse.order(context, &mut waker) {
            Order::WindUp if !winding_up => {
                winding_up = true;
                wind_up(connection.as_mut());
            }
            Order::GoOn | Order::WindUp => {}
            Order::End => return Poll::Ready(None),
        }
        connection.as_mut().poll(context).map(Some)
    })
    .await
}
