//! Connections to backends that speak HTTP/2 without TLS: few of them, each with many requests at once. How many is the
//! backend's to say; where there is no place left another connection is opened.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::Shared;
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http2::{self, SendRequest};
use hyper::rt::Executor;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::sync::oneshot;

use super::Worker;
use super::pool::BUFFER;
use crate::body::RequestBody;
use crate::table::backend::Backend;

/// Requests at once on a connection, also where the backend would take more. All of them together can have no more of
/// their answers wait for clients than the connection may carry unread: one that is not read keeps no other.
const STREAMS: usize = 100;

/// How often it is looked whether the backend said how many requests it takes.
const LOOK: Duration = Duration::from_millis(1);

type Driven = http2::Connection<TokioIo<TcpStream>, RequestBody, Tasks>;

/// A connection that is being opened, for all who wait for it.
pub(super) type Opening = Shared<oneshot::Receiver<Result<Rc<Multiplexed>, io::ErrorKind>>>;

/// A connection with many requests at once.
pub(crate) struct Multiplexed {
    requests: SendRequest<RequestBody>,
    /// It is driven by a task of its own, and only asked here. Gone once it has ended: what still waits to be sent on it
    /// is given back by that.
    connection: Rc<RefCell<Option<Pin<Box<Driven>>>>>,
    under_way: Cell<usize>,
    /// An answer came on it.
    is_proven: Cell<bool>,
    last_used: Cell<Instant>,
}

impl Multiplexed {
    pub(super) fn is_closed(&self) -> bool {
        self.requests.is_closed()
    }

    /// Whether nothing was under way on it for so long.
    pub(super) fn is_idle(&self, longest: Duration) -> bool {
        self.under_way.get() == 0 && self.last_used.get().elapsed() >= longest
    }

    /// How many requests at once the backend takes, as it says; none while it said nothing.
    fn takes(&self) -> usize {
        let connection = self.connection.borrow();
        connection.as_ref().map_or(0, |c| c.current_max_send_streams())
    }

    /// Whether one more request may begin.
    fn has_room(&self) -> bool {
        self.under_way.get() < self.takes().clamp(1, STREAMS)
    }

    /// Waits until the backend spoke, which it does at once: how many requests it takes is not known otherwise, and
    /// what is too much would wait behind requests that may never end.
    async fn greeted(&self) -> io::Result<()> {
        while self.takes() == 0 {
            if self.is_closed() {
                let why = "it does not speak HTTP/2 without TLS";
                return Err(io::Error::new(io::ErrorKind::InvalidData, why));
            }
            tokio::time::sleep(LOOK).await;
        }
        Ok(())
    }

    fn place(self: &Rc<Self>) -> Option<Place> {
        self.has_room().then(|| {
            self.under_way.set(self.under_way.get() + 1);
            Place(Rc::clone(self))
        })
    }
}

/// A request's place on a connection; free again when dropped.
pub(crate) struct Place(Rc<Multiplexed>);

impl Place {
    /// Sends the request it is for. Dropping the future takes the request back.
    pub(crate) fn send(
        &self,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Result<Response<Incoming>, TrySendError<Request<RequestBody>>>> + use<> {
        self.0.requests.clone().try_send_request(request)
    }

    /// An answer began.
    pub(crate) fn prove(&self) {
        self.0.is_proven.set(true);
    }

    /// Whether an answer ever came on the connection.
    pub(super) fn is_proven(&self) -> bool {
        self.0.is_proven.get()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.under_way.set(self.0.under_way.get() - 1);
        self.0.last_used.set(Instant::now());
    }
}

/// Runs hyper's tasks on this thread, among those of the backend: they can be cut. Not an owner of the thread's state,
/// which owns the connection.
#[derive(Clone)]
struct Tasks {
    worker: Weak<Worker>,
    backend: Arc<Backend>,
}

impl<F: Future<Output = ()> + 'static> Executor<F> for Tasks {
    fn execute(&self, task: F) {
        if let Some(worker) = self.worker.upgrade() {
            worker.spawn_on(&self.backend, task);
        }
    }
}

impl Worker {
    /// A place for one more request. Those who need a new connection at the same time wait for the same one.
    pub(super) async fn place(self: &Rc<Self>, backend: &Arc<Backend>) -> io::Result<Place> {
        loop {
            if let Some(place) = self.pools.of(backend, |pool| free_place(&mut pool.multiplexed)) {
                return Ok(place);
            }
            let under_way = self.pools.of(backend, |pool| pool.opening.clone());
            let opening = under_way.unwrap_or_else(|| self.begin_opening(backend));
            let opened = opening.await.unwrap_or(Err(io::ErrorKind::ConnectionAborted));
            // Also where it was closed meanwhile: who sends on it notices, and does so a few times only.
            if let Some(place) = opened?.place() {
                return Ok(place);
            }
        }
    }

    fn begin_opening(self: &Rc<Self>, backend: &Arc<Backend>) -> Opening {
        let (opened, opening) = oneshot::channel();
        let opening = opening.shared();
        self.pools
            .of(backend, |pool| pool.opening = Some(opening.clone()));
        let (worker, to) = (Rc::clone(self), Arc::clone(backend));
        // In a task, which ends with the thread: what the pool keeps must not keep the thread's state. And those who wait
        // may all go away.
        self.spawn_on(backend, async move {
            let result = worker.open_multiplexed(&to).await;
            worker.pools.of(&to, |pool| {
                pool.opening = None;
                pool.multiplexed.extend(result.as_ref().ok().cloned());
            });
            opened.send(result.map_err(|error| error.kind())).ok();
        });
        opening
    }

    async fn open_multiplexed(self: &Rc<Self>, backend: &Arc<Backend>) -> io::Result<Rc<Multiplexed>> {
        let stream = self.open(backend).await?;
        let tasks = Tasks {
            worker: Rc::downgrade(self),
            backend: Arc::clone(backend),
        };
        let (requests, connection) = http2::Builder::new(tasks)
            // Until the backend said how many it takes: what is more would be refused, not kept waiting.
            .initial_max_send_streams(0)
            .initial_stream_window_size(BUFFER as u32)
            .initial_connection_window_size((BUFFER * STREAMS) as u32)
            .max_header_list_size(BUFFER as u32)
            .max_send_buf_size(BUFFER)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        let connection = Rc::new(RefCell::new(Some(Box::pin(connection))));
        self.spawn_on(backend, drive(End(Rc::clone(&connection))));
        let opened = Multiplexed {
            requests,
            connection,
            under_way: Cell::new(0),
            is_proven: Cell::new(false),
            last_used: Cell::new(Instant::now()),
        };
        tokio::time::timeout(self.pools.connect_time, opened.greeted()).await??;
        Ok(Rc::new(opened))
    }
}

/// Ends a connection when its task does, also when it is cut.
struct End(Rc<RefCell<Option<Pin<Box<Driven>>>>>);

impl Drop for End {
    fn drop(&mut self) {
        let ended = self.0.borrow_mut().take();
        drop(ended);
    }
}

/// Runs a connection to its end. What goes wrong is told to the requests under way.
async fn drive(connection: End) {
    poll_fn(|context| match connection.0.borrow_mut().as_mut() {
        Some(driven) => driven.as_mut().poll(context).map(drop),
        None => Poll::Ready(()),
    })
    .await;
}

/// A place on the connection with the most requests: the others get idle, and are closed.
fn free_place(connections: &mut Vec<Rc<Multiplexed>>) -> Option<Place> {
    connections.retain(|connection| !connection.is_closed());
    let with_room = connections.iter().filter(|connection| connection.has_room());
    with_room
        .max_by_key(|connection| connection.under_way.get())
        .and_then(Multiplexed::place)
}
