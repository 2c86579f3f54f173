//! Serving one client connection until it ends: what is not plain is hyper's, the orders come from the connection's pulse.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;

use http::{HeaderValue, Response, StatusCode, header};
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1::{self, UpgradeableConnection};
use hyper::service::service_fn;

use super::accept::Client;
use super::plain::{self, Served};
use super::pulse::{Order, Pulse};
use super::stream::ClientStream;
use crate::body::AnswerBody;
use crate::forward;

/// Serves HTTP/1. While a connection is idle for longer than a moment, it is a socket and nothing more: hyper's state
/// machine and its buffers are several times what else there is to a connection.
pub(super) async fn http1(client: Client, mut stream: ClientStream) {
    let client = Rc::new(client);
    let pulse = Arc::clone(&client.pulse);
    // TLS may have read the first request already.
    let mut asleep = !client.is_tls();
    loop {
        if asleep && !until_readable(&pulse, &mut stream).await {
            return;
        }
        asleep = true;
        // In boxes, which go when the connection rests.
        stream = match Box::pin(plain::serve(&client, &pulse, stream)).await {
            Served::Ended => return,
            Served::Idle(idle) => idle,
            Served::Other(busy, answer) => match Box::pin(serve(&client, &pulse, busy, answer)).await {
                Some(idle) => idle,
                None => return,
            },
        };
    }
}

/// Waits until there is something to do. False: the connection is to end now.
async fn until_readable(pulse: &Pulse, stream: &mut ClientStream) -> bool {
    pulse.asleep(true);
    let mut waker = None;
    let goes_on = std::future::poll_fn(|context| match pulse.order(context, &mut waker) {
        Order::End => Poll::Ready(false),
        // How a connection is wound up is known where it is served.
        Order::WindUp => Poll::Ready(true),
        Order::GoOn => stream.poll_readable(context).map(|()| true),
    })
    .await;
    pulse.asleep(false);
    goes_on
}

/// Serves until the connection ends, or was idle for some time: then what is left of it is its stream. The first request
/// may have been answered already.
async fn serve(
    client: &Rc<Client>,
    pulse: &Pulse,
    stream: ClientStream,
    answer: Option<Box<Response<AnswerBody>>>,
) -> Option<ClientStream> {
    let header_bytes = client.worker.shared.limits.header_bytes;
    let asked = Rc::clone(client);
    let is_answered = answer.is_some();
    let answered = Rc::new(Cell::new(answer));
    let service = service_fn(move |request: Request<Incoming>| {
        let client = Rc::clone(&asked);
        let answered = answered.take();
        async move {
            let worker = Rc::clone(&client.worker);
            let mut answer = match answered {
                Some(answer) => *answer,
                None => forward::serve(client, None, request).await,
            };
            if worker.leaving.get() && answer.status() != StatusCode::SWITCHING_PROTOCOLS {
                answer
                    .headers_mut()
                    .insert(header::CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let mut connection = http1::Builder::new()
        // Bodies are not copied behind their heads; the stream does that with short ones.
        .writev(true)
        // The pulse does this without a timer per request.
        .header_read_timeout(None)
        .max_header_size(header_bytes)
        .max_buf_size(header_bytes.max(8192))
        .serve_connection(stream, service)
        .with_upgrades();
    if is_answered {
        // Told to wind up before it has read anything, hyper would give no answer at all.
        let begun = std::future::poll_fn(|context| {
            let polled = Pin::new(&mut connection).poll(context);
            Poll::Ready(polled)
        });
        if begun.await.is_ready() {
            return None;
        }
    }
    let may_sleep = || client.may_rest();
    let wind_up = UpgradeableConnection::graceful_shutdown;
    match drive(pulse, Pin::new(&mut connection), wind_up, may_sleep).await {
        // How a connection ended is the client's affair; requests are logged on their own, but for the one that hyper
        // answers itself, which nobody would hear of.
        Ended::Done(Err(error)) if error.is_parse_too_large() => {
            forward::note_unread(Rc::clone(client));
            None
        }
        Ended::Done(_) | Ended::Ordered => None,
        // What the client sent beyond its last request is part of its next one.
        Ended::Idle => connection.into_parts().map(|mut parts| {
            // An empty piece would keep the memory it was read into.
            if !parts.read_buf.is_empty() {
                parts.io.put_back(parts.read_buf);
            }
            parts.io
        }),
    }
}

/// Why a connection is not driven any further.
pub(super) enum Ended<T> {
    /// It came to its end.
    Done(T),
    /// Its pulse said so; then there is nothing to say about it.
    Ordered,
    /// It was idle for some time.
    Idle,
}

/// Runs a connection to its end, or to the one its pulse orders, or until it is idle.
pub(super) async fn drive<C: Future>(
    pulse: &Pulse,
    mut connection: Pin<&mut C>,
    wind_up: impl Fn(Pin<&mut C>),
    may_sleep: impl Fn() -> bool,
) -> Ended<C::Output> {
    let mut winding_up = false;
    let mut waker = None;
    std::future::poll_fn(|context| {
        match pulse.order(context, &mut waker) {
            Order::WindUp if !winding_up => {
                winding_up = true;
                wind_up(connection.as_mut());
            }
            Order::GoOn | Order::WindUp => {}
            Order::End => return Poll::Ready(Ended::Ordered),
        }
        match connection.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Ended::Done(output)),
            Poll::Pending if !winding_up && may_sleep() => Poll::Ready(Ended::Idle),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}
