//! Serving HTTP/2: many requests on one connection, each a stream with a pulse of its own. The connection's pulse knows
//! when nothing is under way, says when to wind up, and ends it; a stream's knows when the backend is late, the client
//! takes nothing, or the answer has no end.

use std::cell::Cell;
use std::convert::Infallible;
use std::future::Future;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use hyper::Request;
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::TokioTimer;

use super::accept::Client;
use super::connection;
use super::gather::Gathered;
use super::pulse::{Order, Pulse};
use super::stream::ClientStream;
use crate::forward;

/// Requests at once on a connection.
const STREAMS: u32 = 256;
/// Streams the client took back before they were looked at; more end the connection.
const TAKEN_BACK: usize = 64;
/// Streams that were ended for what the client did wrong; more end the connection.
const WRONG: usize = 256;
/// What a client may send of one body, and of all, before it was taken: this much memory it can fill.
const STREAM_WINDOW: u32 = 256 << 10;
const WINDOW: u32 = 1 << 20;
/// What waits for the client of one answer.
const WAITING: usize = 128 << 10;
/// How often a client is asked whether it is still there, and how long it may take to say so.
const ASK: Duration = Duration::from_secs(40);
const ASK_TIME: Duration = Duration::from_secs(20);

/// One request of a connection.
pub(crate) struct Stream {
    pub(crate) pulse: Arc<Pulse>,
    client: Rc<Client>,
    number: usize,
}

impl Stream {
    fn begin(client: &Rc<Client>) -> Stream {
        let (number, pulse) = client.worker.pulses.add(&client.door);
        pulse.serving();
        client.streams.set(client.streams.get() + 1);
        client.pulse.serving();
        Stream {
            pulse,
            client: Rc::clone(client),
            number,
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.client.worker.pulses.remove(self.number);
        let left = self.client.streams.get() - 1;
        self.client.streams.set(left);
        if left == 0 {
            self.client.pulse.quiet();
        }
    }
}

/// Runs hyper's tasks on this thread. The one of a stream hears that stream's pulse.
#[derive(Clone, Default)]
struct Tasks {
    /// Of the stream that has just begun: hyper makes its task right after it asked for its answer.
    begun: Rc<Cell<Option<Arc<Pulse>>>>,
}

impl<F: Future<Output = ()> + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        match self.begun.take() {
            Some(pulse) => tokio::task::spawn_local(until_ended(pulse, task)),
            None => tokio::task::spawn_local(task),
        };
    }
}

/// Dropping the task of a stream resets it.
async fn until_ended(pulse: Arc<Pulse>, task: impl Future<Output = ()>) {
    let mut task = pin!(task);
    let mut waker = None;
    std::future::poll_fn(|context| match pulse.order(context, &mut waker) {
        Order::End => Poll::Ready(()),
        Order::GoOn | Order::WindUp => task.as_mut().poll(context),
    })
    .await;
}

/// Serves HTTP/2.
pub(super) async fn serve(client: Client, stream: ClientStream) {
    let client = Rc::new(client);
    let pulse = Arc::clone(&client.pulse);
    let header_bytes = client.worker.shared.limits.header_bytes as u32;
    let stream = Gathered::new(stream);
    let tasks = Tasks::default();
    let begun = Rc::clone(&tasks.begun);
    let service = service_fn(move |request: Request<Incoming>| {
        let client = Rc::clone(&client);
        let stream = Stream::begin(&client);
        begun.set(Some(Arc::clone(&stream.pulse)));
        async move { Ok::<_, Infallible>(forward::serve(client, Some(stream), request).await) }
    });
    let connection = http2::Builder::new(tasks)
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_header_list_size(header_bytes)
        .max_pending_accept_reset_streams(TAKEN_BACK)
        .max_local_error_reset_streams(WRONG)
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_send_buf_size(WAITING)
        .keep_alive_interval(ASK)
        .keep_alive_timeout(ASK_TIME)
        .enable_connect_protocol()
        .serve_connection(stream.clone(), service);
    let connection = pin!(connection);
    let wind_up = http2::Connection::graceful_shutdown;
    let driven = connection::drive(&pulse, connection, wind_up, || false);
    stream.drive(driven).await;
}
