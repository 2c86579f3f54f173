//! Connections to backends, kept per thread: taken and given back without a lock, the last used one first.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{self, SendRequest};
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use super::Worker;
use super::bell::Bell;
use super::multiplexed::{Multiplexed, Opening, Place};
use crate::body::RequestBody;
use crate::config::Limits;
use crate::plain::Plain;
use crate::plain::replay::Replay;
use crate::table::backend::Backend;

/// The most of an answer that is read before the client took it, and the most its head may be.
pub(super) const BUFFER: usize = 128 * 1024;

/// The sending end of a connection to a backend.
pub(crate) struct Sender {
    pub(crate) requests: SendRequest<RequestBody>,
    pub(crate) bell: Arc<Bell>,
    task: AbortHandle,
}

impl Sender {
    /// Ends the connection at once, whatever is under way on it.
    pub(crate) fn cut(self) {
        self.task.abort();
    }
}

/// All connections of a thread to all backends.
pub(crate) struct Pools {
    idle_time: Duration,
    kept: usize,
    pub(super) connect_time: Duration,
    pools: RefCell<HashMap<u64, Pool, BuildHasherDefault<KeyHasher>>>,
    next_task: Cell<u64>,
}

/// Backends are numbered one after the other: one multiplication spreads them enough.
#[derive(Default)]
struct KeyHasher(u64);

impl Hasher for KeyHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(self.0 << 8 | u64::from(*byte));
        }
    }

    fn write_u64(&mut self, key: u64) {
        self.0 = key.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}

pub(super) struct Pool {
    backend: Arc<Backend>,
    idle: Vec<Idle<Sender>>,
    plain: Vec<Idle<Plain>>,
    pub(super) multiplexed: Vec<Rc<Multiplexed>>,
    pub(super) opening: Option<Opening>,
    /// Shared with the plain connections, idle or not.
    cut: Rc<Cell<bool>>,
    /// Every connection and tunnel there is, so that they can be cut.
    tasks: HashMap<u64, AbortHandle>,
}

impl Pool {
    fn new(backend: &Arc<Backend>) -> Pool {
        Pool {
            backend: Arc::clone(backend),
            idle: Vec::new(),
            plain: Vec::new(),
            multiplexed: Vec::new(),
            opening: None,
            cut: Rc::default(),
            tasks: HashMap::new(),
        }
    }

    fn is_unused(&self) -> bool {
        self.tasks.is_empty() && Rc::strong_count(&self.cut) == 1
    }
}

struct Idle<T> {
    connection: T,
    since: Instant,
}

/// The last used connection, unless it was idle for too long: then the ones below were even longer.
fn last<T>(idle: &mut Vec<Idle<T>>, now: Instant, longest: Duration) -> Option<T> {
    let last = idle.pop()?;
    if now.saturating_duration_since(last.since) < longest {
        return Some(last.connection);
    }
    idle.clear();
    None
}

/// Drops the connections that were idle for too long.
fn expire<T>(idle: &mut Vec<Idle<T>>, longest: Duration) {
    let fresh = idle.iter().position(|idle| idle.since.elapsed() < longest);
    idle.drain(..fresh.unwrap_or(idle.len()));
}

/// A way to ask a backend.
pub(crate) enum Connection {
    Sender(Sender),
    Plain(Plain),
    Place(Place),
}

/// A connection, and whether it was just opened: one that was kept may have been closed by the backend meanwhile.
pub(crate) struct Way {
    pub(crate) connection: Connection,
    pub(crate) is_new: bool,
}

impl Way {
    fn kept(connection: Connection) -> io::Result<Way> {
        Ok(Way {
            connection,
            is_new: false,
        })
    }

    fn new(connection: Connection) -> io::Result<Way> {
        Ok(Way {
            connection,
            is_new: true,
        })
    }
}

impl Pools {
    /// No connections yet.
    pub(crate) fn new(limits: &Limits) -> Self {
        Pools {
            idle_time: limits.upstream_idle,
            kept: limits.upstream_kept,
            connect_time: limits.connect,
            pools: RefCell::default(),
            next_task: Cell::new(0),
        }
    }

    /// Looks at, or changes, what there is to a backend.
    pub(super) fn of<T>(&self, backend: &Arc<Backend>, look: impl FnOnce(&mut Pool) -> T) -> T {
        let mut pools = self.pools.borrow_mut();
        look(pools.entry(backend.key).or_insert_with(|| Pool::new(backend)))
    }

    /// A kept connection that works as far as one can see. `now` may be a little old: reading the clock costs.
    async fn take(&self, backend: &Backend, now: Instant) -> Option<Sender> {
        loop {
            let mut sender = {
                let mut pools = self.pools.borrow_mut();
                last(&mut pools.get_mut(&backend.key)?.idle, now, self.idle_time)?
            };
            if sender.requests.is_ready() || sender.requests.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    /// The same for a plain connection.
    fn take_plain(&self, backend: &Backend, now: Instant) -> Option<Plain> {
        let mut pools = self.pools.borrow_mut();
        let pool = pools.get_mut(&backend.key)?;
        loop {
            let plain = last(&mut pool.plain, now, self.idle_time)?;
            if plain.is_fresh() {
                return Some(plain);
            }
        }
    }

    /// Keeps a plain connection whose last exchange is complete.
    pub(crate) fn give_back_plain(&self, backend: &Backend, plain: Plain, now: Instant) {
        if let Some(pool) = self.pools.borrow_mut().get_mut(&backend.key)
            && pool.plain.len() < self.kept
            && !backend.is_retired()
        {
            pool.plain.push(Idle {
                connection: plain,
                since: now,
            });
        }
    }

    /// Keeps a connection whose last exchange is complete.
    pub(crate) fn give_back(&self, backend: &Backend, sender: Sender, now: Instant) {
        if sender.requests.is_closed() || backend.is_retired() {
            return;
        }
        if let Some(pool) = self.pools.borrow_mut().get_mut(&backend.key)
            && pool.idle.len() < self.kept
        {
            pool.idle.push(Idle {
                connection: sender,
                since: now,
            });
        }
    }

    /// Closes idle connections to a backend: one of them turned out to be closed from the other side, and so may all
    /// be that it had when it was started again.
    pub(crate) fn let_go(&self, backend: &Backend) {
        if let Some(pool) = self.pools.borrow_mut().get_mut(&backend.key) {
            pool.idle.clear();
            pool.plain.clear();
            pool.multiplexed.retain(|connection| !connection.is_closed());
        }
    }

    /// Closes idle connections to backends that left the table.
    pub(crate) fn prune(&self) {
        self.pools.borrow_mut().retain(|_, pool| {
            if pool.backend.is_retired() {
                pool.idle.clear();
                pool.plain.clear();
                // What is under way on them goes on.
                pool.multiplexed.clear();
            }
            !(pool.is_unused() && pool.backend.is_retired())
        });
    }

    /// Closes connections that were idle for too long.
    pub(crate) fn expire(&self) {
        for pool in self.pools.borrow_mut().values_mut() {
            expire(&mut pool.idle, self.idle_time);
            expire(&mut pool.plain, self.idle_time);
            pool.multiplexed
                .retain(|connection| !connection.is_closed() && !connection.is_idle(self.idle_time));
            // Nobody waits on them: what the backend closed is noticed here.
            pool.plain.retain(|idle| idle.connection.is_fresh());
        }
        self.prune();
    }

    /// Closes everything that is open to the backends, busy or not; plain connections as soon as they are looked at.
    fn cut(&self, keys: &[u64]) {
        for key in keys {
            if let Some(pool) = self.pools.borrow_mut().get_mut(key) {
                pool.idle.clear();
                pool.plain.clear();
                pool.multiplexed.clear();
                pool.opening = None;
                // A backend that comes back begins anew.
                std::mem::take(&mut pool.cut).set(true);
                pool.tasks.values().for_each(AbortHandle::abort);
            }
        }
    }
}

impl Worker {
    /// Closes everything that is open to the backends.
    pub(crate) fn cut(&self, keys: &[u64]) {
        self.pools.cut(keys);
        self.pulses.wake();
    }

    /// A connection to a backend, an idle one if there is any. `short`: the request may go the short way.
    pub(crate) async fn connection(
        self: &Rc<Self>,
        backend: &Arc<Backend>,
        now: Instant,
        short: bool,
    ) -> io::Result<Way> {
        if short && let Some(plain) = self.pools.take_plain(backend, now) {
            return Way::kept(Connection::Plain(plain));
        }
        if let Some(sender) = self.pools.take(backend, now).await {
            return Way::kept(Connection::Sender(sender));
        }
        if let Some(plain) = self.pools.take_plain(backend, now) {
            let sender = self.adopt(backend, Replay::new(plain.into_stream())).await?;
            return Way::kept(Connection::Sender(sender));
        }
        let stream = self.open(backend).await?;
        if short {
            let mut pools = self.pools.pools.borrow_mut();
            let pool = pools.entry(backend.key).or_insert_with(|| Pool::new(backend));
            return Way::new(Connection::Plain(Plain::new(stream, Rc::clone(&pool.cut))));
        }
        let sender = self.adopt(backend, Replay::new(stream)).await?;
        Way::new(Connection::Sender(sender))
    }

    /// The same to a backend that speaks HTTP/2 without TLS.
    pub(crate) async fn multiplexed(self: &Rc<Self>, backend: &Arc<Backend>) -> io::Result<Way> {
        let place = self.place(backend).await?;
        Ok(Way {
            is_new: !place.is_proven(),
            connection: Connection::Place(place),
        })
    }

    pub(super) async fn open(&self, backend: &Backend) -> io::Result<TcpStream> {
        let connecting = TcpStream::connect(backend.address);
        let stream = tokio::time::timeout(self.pools.connect_time, connecting).await??;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Gives a connection to hyper.
    pub(crate) async fn adopt(self: &Rc<Self>, backend: &Arc<Backend>, stream: Replay) -> io::Result<Sender> {
        let (requests, connection) = http1::Builder::new()
            .writev(false)
            // A client may have hundreds of answers under way on one connection, and take none of them.
            .max_buf_size(BUFFER)
            .handshake(stream)
            .await
            .map_err(io::Error::other)?;
        let bell = Arc::new(Bell::default());
        // What goes wrong is told to the request in flight, if there is one.
        let task = self.spawn_on(backend, Arc::clone(&bell).drive(connection.with_upgrades()));
        Ok(Sender { requests, bell, task })
    }

    /// Runs a tunnel on a backend until it ends or is cut.
    pub(crate) fn spawn_tunnel(
        self: &Rc<Self>,
        backend: &Arc<Backend>,
        tunnel: impl Future<Output = ()> + 'static,
    ) {
        self.spawn_on(backend, tunnel);
    }

    pub(super) fn spawn_on(
        self: &Rc<Self>,
        backend: &Arc<Backend>,
        task: impl Future<Output = ()> + 'static,
    ) -> AbortHandle {
        /// Takes the task from the list when it ends, also when it is cut.
        struct Listed(Rc<Worker>, u64, u64);
        impl Drop for Listed {
            fn drop(&mut self) {
                if let Ok(mut pools) = self.0.pools.pools.try_borrow_mut()
                    && let Some(pool) = pools.get_mut(&self.1)
                {
                    pool.tasks.remove(&self.2);
                }
            }
        }
        let number = self.pools.next_task.get();
        self.pools.next_task.set(number + 1);
        let listed = Listed(Rc::clone(self), backend.key, number);
        let handle = tokio::task::spawn_local(async move {
            task.await;
            drop(listed);
        });
        let mut pools = self.pools.pools.borrow_mut();
        let pool = pools.entry(backend.key).or_insert_with(|| Pool::new(backend));
        pool.tasks.insert(number, handle.abort_handle());
        handle.abort_handle()
    }
}
