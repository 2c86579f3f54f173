//! Connections to backends, kept per thread: taken and given back without a lock, the last used one first.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::AbortHandle;

use super::Worker;
use crate::body::RequestBody;
use crate::config::Limits;
use crate::table::backend::Backend;

/// The sending end of a connection to a backend.
pub(crate) type Sender = SendRequest<RequestBody>;

/// All connections of a thread to all backends.
pub(crate) struct Pools {
    idle_time: Duration,
    kept: usize,
    connect_time: Duration,
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

struct Pool {
    backend: Arc<Backend>,
    idle: Vec<Idle>,
    /// Every connection and tunnel there is, so that they can be cut.
    tasks: HashMap<u64, AbortHandle>,
}

struct Idle {
    sender: Sender,
    since: Instant,
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

    /// A kept connection that works as far as one can see. `now` may be a little old: reading the clock costs.
    pub(crate) async fn take(&self, backend: &Backend, now: Instant) -> Option<Sender> {
        loop {
            let mut sender = {
                let mut pools = self.pools.borrow_mut();
                let pool = pools.get_mut(&backend.key)?;
                let idle = pool.idle.pop()?;
                if now.saturating_duration_since(idle.since) >= self.idle_time {
                    // The ones below were used even longer ago.
                    pool.idle.clear();
                    return None;
                }
                idle.sender
            };
            if sender.is_ready() || sender.ready().await.is_ok() {
                return Some(sender);
            }
        }
    }

    /// Keeps a connection whose last exchange is complete.
    pub(crate) fn give_back(&self, backend: &Backend, sender: Sender, now: Instant) {
        if sender.is_closed() || backend.is_retired() {
            return;
        }
        if let Some(pool) = self.pools.borrow_mut().get_mut(&backend.key)
            && pool.idle.len() < self.kept
        {
            pool.idle.push(Idle { sender, since: now });
        }
    }

    /// Closes idle connections to backends that left the table.
    pub(crate) fn prune(&self) {
        self.pools.borrow_mut().retain(|_, pool| {
            if pool.backend.is_retired() {
                pool.idle.clear();
            }
            !(pool.tasks.is_empty() && pool.backend.is_retired())
        });
    }

    /// Closes connections that were idle for too long.
    pub(crate) fn expire(&self) {
        for pool in self.pools.borrow_mut().values_mut() {
            let fresh = pool
                .idle
                .iter()
                .position(|idle| idle.since.elapsed() < self.idle_time);
            pool.idle.drain(..fresh.unwrap_or(pool.idle.len()));
        }
        self.prune();
    }

    /// Closes everything that is open to the backends, busy or not.
    pub(crate) fn cut(&self, keys: &[u64]) {
        for key in keys {
            if let Some(pool) = self.pools.borrow_mut().get_mut(key) {
                pool.idle.clear();
                pool.tasks.values().for_each(AbortHandle::abort);
            }
        }
    }
}

impl Worker {
    /// Opens a connection to a backend.
    pub(crate) async fn connect(self: &Rc<Self>, backend: &Arc<Backend>) -> io::Result<Sender> {
        let connecting = TcpStream::connect(backend.address);
        let stream = tokio::time::timeout(self.pools.connect_time, connecting).await??;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::Builder::new()
            .writev(false)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(io::Error::other)?;
        self.spawn_on(backend, async move {
            // What went wrong is told to the request in flight, if there is one.
            drop(connection.with_upgrades().await);
        });
        Ok(sender)
    }

    /// Runs a tunnel on a backend until it ends or is cut.
    pub(crate) fn spawn_tunnel(
        self: &Rc<Self>,
        backend: &Arc<Backend>,
        tunnel: impl Future<Output = ()> + 'static,
    ) {
        self.spawn_on(backend, tunnel);
    }

    fn spawn_on(self: &Rc<Self>, backend: &Arc<Backend>, task: impl Future<Output = ()> + 'static) {
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
        let pool = pools.entry(backend.key).or_insert_with(|| Pool {
            backend: Arc::clone(backend),
            idle: Vec::new(),
            tasks: HashMap::new(),
        });
        pool.tasks.insert(number, handle.abort_handle());
    }
}
