//! One forwarding thread: a single-threaded runtime with its own listeners, connections, upstream pools and log
//! buffer. Nothing here is locked; other threads speak to it through [`Mail`].

pub(crate) mod accept;
pub(crate) mod bell;
mod connection;
mod gather;
pub(crate) mod http2;
mod listener;
pub(crate) mod multiplexed;
pub(crate) mod plain;
pub(crate) mod pool;
pub(crate) mod pulse;
pub(crate) mod stream;

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::TcpListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::{AbortHandle, LocalSet};

use crate::compress;
use crate::files::cache::FileCache;
use crate::plain::Scratch;
use crate::request_log::LogBuffer;
use crate::shared::Shared;
use accept::{Door, Purpose, accept};
use pool::Pools;
use pulse::Pulses;

/// How long an idle connection may still send a request when the front door stops, and how long tunnels and streams of
/// events go on: waiting longer for what has no end would keep new visitors waiting, and their clients connect again.
const FAREWELL: Duration = Duration::from_secs(1);

/// What other threads ask of a worker.
pub(crate) enum Mail {
    /// Serve a stable loopback port.
    Listen(u16, TcpListener),
    /// Close a stable loopback port; its connections end with the request they are on. Answers when closed.
    Unlisten(u16, oneshot::Sender<()>),
    /// Backends left the table: idle connections to them are closed.
    Prune,
    /// Close everything that is still open on these backends.
    Cut(Vec<u64>),
    /// Accept nothing more, finish what is in flight, at most so long.
    Stop(Duration),
}

/// The thread's state.
pub(crate) struct Worker {
    pub(crate) number: usize,
    pub(crate) shared: Arc<Shared>,
    pub(crate) pools: Pools,
    pub(crate) pulses: Pulses,
    pub(crate) log: RefCell<LogBuffer>,
    pub(crate) files: RefCell<FileCache>,
    pub(crate) scratch: Scratch,
    /// It was told to stop: each answer is the last of its connection.
    pub(crate) leaving: Cell<bool>,
    /// Tells tunnels that their time is over.
    farewell: Farewell,
    turn: Cell<usize>,
}

/// A listener for a worker, and what it is for.
pub(crate) type Listener = (TcpListener, Purpose);

/// Where the worker's mail comes from.
pub(crate) type Mailbox = mpsc::UnboundedReceiver<Mail>;

/// Runs a worker until it is told to stop.
pub(crate) fn run(number: usize, shared: Arc<Shared>, public: Vec<Listener>, mailbox: Mailbox) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!("cannot start forwarding thread {number}: {error}");
            return;
        }
    };
    let log = LogBuffer::new(shared.log.clone());
    let worker = Rc::new(Worker {
        number,
        pools: Pools::new(&shared.limits),
        pulses: Pulses::new(&shared.limits),
        shared,
        log: RefCell::new(log),
        files: RefCell::default(),
        scratch: Scratch::default(),
        leaving: Cell::new(false),
        farewell: Farewell::default(),
        turn: Cell::new(number),
    });
    let local = LocalSet::new();
    local.block_on(&runtime, serve(Rc::clone(&worker), public, mailbox));
    // What is left of connections goes with the local set, and writes its log lines then.
    drop(local);
    worker.log.borrow_mut().flush();
}

async fn serve(worker: Rc<Worker>, public: Vec<Listener>, mut mailbox: Mailbox) {
    let mut doors: Vec<AbortHandle> = Vec::new();
    let mut ports: HashMap<u16, (Arc<Door>, AbortHandle)> = HashMap::new();
    for (listener, purpose) in public {
        let (door, task) = open(&worker, listener, purpose);
        drop(door);
        doors.extend(task);
    }
    let mut tick = tokio::time::interval(worker.pulses.tick());
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let limit = loop {
        let mail = tokio::select! {
            mail = mailbox.recv() => mail,
            _ = tick.tick() => {
                worker.sweep();
                continue;
            }
        };
        match mail {
            Some(Mail::Listen(port, listener)) => {
                if let (door, Some(task)) = open(&worker, listener, Purpose::Port(port)) {
                    ports.insert(port, (door, task));
                }
            }
            Some(Mail::Unlisten(port, closed)) => {
                if let Some((door, task)) = ports.remove(&port) {
                    task.abort();
                    // The listener is closed when the aborted task was dropped: on the next turn of the local set.
                    tokio::task::yield_now().await;
                    worker.pulses.wind_up(Some(&door));
                }
                closed.send(()).ok();
            }
            Some(Mail::Prune) => worker.pools.prune(),
            Some(Mail::Cut(keys)) => worker.cut(&keys),
            Some(Mail::Stop(limit)) => break limit,
            None => break Duration::ZERO,
        }
    };
    for task in doors.into_iter().chain(ports.into_values().map(|(_, task)| task)) {
        task.abort();
    }
    // A connection that is closed while a request is under way on it loses that request. So what is idle may send one
    // more for a moment, and is told with its answer that it was the last; what stays silent is closed then.
    worker.leaving.set(true);
    worker.pulses.wind_up_busy();
    let now = tokio::time::Instant::now;
    let end = now() + limit;
    let farewell = now() + limit.min(FAREWELL);
    while !worker.is_idle() && now() < end {
        if now() >= farewell {
            worker.pulses.wind_up(None);
            worker.pulses.end_endless();
            worker.farewell.say();
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        while let Ok(mail) = mailbox.try_recv() {
            if let Mail::Cut(keys) = mail {
                worker.cut(&keys);
            }
        }
    }
}

fn open(worker: &Rc<Worker>, listener: TcpListener, purpose: Purpose) -> (Arc<Door>, Option<AbortHandle>) {
    let address = listener.local_addr().ok();
    let door = Arc::new(Door::new(purpose, address));
    let task = match listener::Listener::new(listener) {
        Ok(listener) => {
            let task = tokio::task::spawn_local(accept(Rc::clone(worker), listener, Arc::clone(&door)));
            Some(task.abort_handle())
        }
        Err(error) => {
            tracing::error!(?address, "cannot serve a listener: {error}");
            None
        }
    };
    (door, task)
}

impl Worker {
    /// Ends what waited too long, closes idle upstream connections before the backend does, hands over log lines,
    /// lets go of encoders.
    fn sweep(&self) {
        self.pulses.sweep();
        self.pools.expire();
        self.files.borrow_mut().expire(Instant::now());
        self.log.borrow_mut().flush();
        compress::encoder::expire();
    }

    fn is_idle(&self) -> bool {
        self.pulses.is_empty()
    }

    /// A number that differs from call to call, to take turns by.
    pub(crate) fn turn(&self) -> usize {
        let turn = self.turn.get();
        self.turn.set(turn.wrapping_add(1));
        turn
    }

    /// Whether one more client connection is within the limit; counts it if so.
    pub(crate) fn admit(self: &Rc<Self>) -> Option<Admitted> {
        let before = self.shared.connections.fetch_add(1, Ordering::Relaxed);
        let admitted = Admitted(Arc::clone(&self.shared));
        (before < self.shared.limits.connections).then_some(admitted)
    }
}

/// The end of what would not end by itself.
#[derive(Default)]
struct Farewell {
    said: Cell<bool>,
    heard: Notify,
}

impl Farewell {
    fn say(&self) {
        self.said.set(true);
        self.heard.notify_waiters();
    }
}

impl Worker {
    /// Returns when tunnels are to end because the front door stops.
    pub(crate) async fn farewell(&self) {
        let heard = self.farewell.heard.notified();
        if !self.farewell.said.get() {
            heard.await;
        }
    }
}

/// A counted client connection.
pub(crate) struct Admitted(Arc<Shared>);

impl Drop for Admitted {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}
