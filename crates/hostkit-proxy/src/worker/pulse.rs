//! Time-outs of client connections without a timer per request: each connection notes which phase it is in, and a
//! sweep about once a second ages all of them and ends the ones that are too old for their phase.

use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::config::Limits;
use crate::worker::accept::Door;

/// Waiting for a further request.
const IDLE: u8 = 0;
/// Bytes of a request's head came, not yet all.
const HEAD: u8 = 1;
/// A request is being answered.
const SERVING: u8 = 2;
/// Our side is closed; the rest of what the client sends is read and dropped, so that it gets to see the answer.
const LINGERING: u8 = 3;
/// Connected, and nothing came yet, or keys are still being agreed on.
const NEW: u8 = 4;
/// A backend has the request, and its answer did not begin yet.
const ASKING: u8 = 5;
/// Nothing is under way on a connection that carries many requests at once.
const QUIET: u8 = 6;

/// Nothing to do.
const GO_ON: u8 = 0;
/// End after the request in flight, at once if there is none.
const WIND_UP: u8 = 1;
/// End now.
const END: u8 = 2;

/// Buffers are there, or none are needed.
const AWAKE: u8 = 0;
/// It was idle for some time: its buffers are to be given back.
const TIRED: u8 = 1;
/// They are.
const ASLEEP: u8 = 2;
/// It is being closed.
const SLEEPLESS: u8 = 3;

/// Sweeps after which an idle connection gives its buffers back.
const TIRED_SWEEPS: u32 = 2;
/// More connections of a thread than these do so at once. Taking new ones for each request costs a tenth of what a short
/// request costs.
const CROWD: usize = 512;

/// The longest a closed connection is read from, in sweeps.
const LINGER_SWEEPS: u32 = 3;

/// What a connection's task is asked to do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    GoOn,
    WindUp,
    End,
}

/// The state of one client connection, or of one of many requests on it. Shared with the socket, which must be `Send`;
/// never used by two threads.
pub(crate) struct Pulse {
    door: Arc<Door>,
    phase: AtomicU8,
    /// Sweeps since the phase began.
    age: AtomicU32,
    /// The backend took too long to begin its answer.
    late: AtomicBool,
    /// The answer under way is a stream of events, which has no end of its own.
    endless: AtomicBool,
    /// Sweeps, and one, since the client took the last bytes of what waits for it; zero if nothing waits.
    stalled: AtomicU32,
    /// What becomes of the buffers while nothing is under way.
    sleep: AtomicU8,
    order: AtomicU8,
    waker: Mutex<Option<Waker>>,
}

impl Pulse {
    fn enter(&self, phase: u8) {
        self.phase.store(phase, Ordering::Relaxed);
        self.age.store(0, Ordering::Relaxed);
    }

    /// Bytes came in.
    pub(crate) fn received(&self) {
        if matches!(self.phase.load(Ordering::Relaxed), IDLE | NEW) {
            self.enter(HEAD);
        }
    }

    /// A whole head is there.
    pub(crate) fn serving(&self) {
        self.enter(SERVING);
    }

    /// A backend is asked.
    pub(crate) fn asking(&self) {
        self.late.store(false, Ordering::Relaxed);
        self.enter(ASKING);
    }

    /// The answer that begins is a stream of events.
    pub(crate) fn endless(&self) {
        self.endless.store(true, Ordering::Relaxed);
    }

    /// Part of a request's body came: until all of it is there, no answer is due.
    pub(crate) fn uploading(&self) {
        self.age.store(0, Ordering::Relaxed);
    }

    /// Whether the backend took too long; the connection's task is woken when that is so.
    pub(crate) fn is_late(&self) -> bool {
        self.late.load(Ordering::Relaxed)
    }

    /// Whether bytes wait for the client to take some.
    pub(crate) fn stalled(&self, stalled: bool) {
        if stalled != (self.stalled.load(Ordering::Relaxed) != 0) {
            self.stalled.store(u32::from(stalled), Ordering::Relaxed);
        }
    }

    /// The answer is done. `clean`: the request was read to its end.
    pub(crate) fn answered(&self, clean: bool) {
        self.endless.store(false, Ordering::Relaxed);
        // A request that was not read to its end leaves bytes behind, as half a head does.
        self.enter(if clean { IDLE } else { HEAD });
    }

    /// The last of the requests under way is answered. What comes next need not be a request, so that bytes alone change
    /// nothing.
    pub(crate) fn quiet(&self) {
        self.enter(QUIET);
    }

    /// Whether nothing is under way, and nothing waits for the client or is being closed.
    pub(crate) fn is_idle(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == IDLE
            && self.stalled.load(Ordering::Relaxed) == 0
            && self.sleep.load(Ordering::Relaxed) != SLEEPLESS
    }

    /// Whether that is so for longer than a moment.
    pub(crate) fn is_tired(&self) -> bool {
        self.sleep.load(Ordering::Relaxed) == TIRED
    }

    /// Buffers are given back, or taken again.
    pub(crate) fn asleep(&self, asleep: bool) {
        self.sleep
            .store(if asleep { ASLEEP } else { AWAKE }, Ordering::Relaxed);
    }

    /// The connection is being closed, which goes on until it is done.
    pub(crate) fn closing(&self) {
        self.sleep.store(SLEEPLESS, Ordering::Relaxed);
    }

    /// Whether bytes may lie unread in the socket: closing it now would reset the connection, and the client might
    /// lose the answer.
    pub(crate) fn must_linger(&self) -> bool {
        !matches!(self.phase.load(Ordering::Relaxed), IDLE | NEW)
    }

    /// Our side is closed.
    pub(crate) fn lingering(&self) {
        if self.phase.load(Ordering::Relaxed) != LINGERING {
            self.enter(LINGERING);
        }
    }

    /// What the connection's task is to do; the task is woken when that changes.
    /// `known` is the task's own copy of the waker that was noted, so that most calls need no lock.
    pub(crate) fn order(&self, context: &Context<'_>, known: &mut Option<Waker>) -> Order {
        let waker = context.waker();
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
            *self.waker.lock().unwrap_or_else(PoisonError::into_inner) = known.clone();
        }
        match self.order.load(Ordering::Relaxed) {
            GO_ON => Order::GoOn,
            WIND_UP => Order::WindUp,
            _ => Order::End,
        }
    }

    fn command(&self, order: u8) {
        if self.order.load(Ordering::Relaxed) < order {
            self.order.store(order, Ordering::Relaxed);
            self.wake();
        }
    }

    fn wake(&self) {
        let waker = self.waker.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// All client connections of a thread.
pub(crate) struct Pulses {
    tick: Duration,
    idle: u32,
    head: u32,
    answer: u32,
    stall: u32,
    all: RefCell<Connections>,
}

/// A list with holes: the number of a connection that ended is the next one's.
#[derive(Default)]
struct Connections {
    places: Vec<Option<Arc<Pulse>>>,
    free: Vec<usize>,
}

impl Connections {
    fn iter(&self) -> impl Iterator<Item = &Arc<Pulse>> {
        self.places.iter().flatten()
    }
}

impl Pulses {
    /// None yet.
    pub(crate) fn new(limits: &Limits) -> Self {
        let shortest = limits
            .headers
            .min(limits.idle)
            .min(limits.upstream_idle)
            .min(limits.answer)
            .min(limits.stall);
        let tick = (shortest / 4).clamp(Duration::from_millis(20), Duration::from_secs(1));
        let sweeps = |time: Duration| time.as_millis().div_ceil(tick.as_millis()).max(1) as u32;
        Pulses {
            tick,
            idle: sweeps(limits.idle),
            head: sweeps(limits.headers),
            answer: sweeps(limits.answer),
            stall: sweeps(limits.stall),
            all: RefCell::default(),
        }
    }

    /// How often [`Pulses::sweep`] is to be called.
    pub(crate) fn tick(&self) -> Duration {
        self.tick
    }

    /// A new connection.
    pub(crate) fn add(&self, door: &Arc<Door>) -> (usize, Arc<Pulse>) {
        let pulse = Arc::new(Pulse {
            door: Arc::clone(door),
            phase: AtomicU8::new(NEW),
            age: AtomicU32::new(0),
            late: AtomicBool::new(false),
            endless: AtomicBool::new(false),
            stalled: AtomicU32::new(0),
            sleep: AtomicU8::new(AWAKE),
            order: AtomicU8::new(GO_ON),
            waker: Mutex::new(None),
        });
        let mut all = self.all.borrow_mut();
        let number = all.free.pop().unwrap_or_else(|| {
            all.places.push(None);
            all.places.len() - 1
        });
        all.places[number] = Some(Arc::clone(&pulse));
        (number, pulse)
    }

    /// A connection ended.
    pub(crate) fn remove(&self, number: usize) {
        let mut all = self.all.borrow_mut();
        if all.places[number].take().is_some() {
            all.free.push(number);
        }
        if all.free.len() == all.places.len() {
            *all = Connections::default();
        }
    }

    /// Whether there are so many connections that each gives its buffers back as soon as it is idle: memory that was in
    /// use once is not easily given back to the system.
    pub(crate) fn is_crowded(&self) -> bool {
        let all = self.all.borrow();
        all.places.len() - all.free.len() > CROWD
    }

    /// Whether there is no connection.
    pub(crate) fn is_empty(&self) -> bool {
        self.all.borrow().places.is_empty()
    }

    /// Has every connection look around.
    pub(crate) fn wake(&self) {
        for pulse in self.all.borrow().iter() {
            pulse.wake();
        }
    }

    /// Lets the connections of one door (or all) end after the request they are on.
    pub(crate) fn wind_up(&self, door: Option<&Arc<Door>>) {
        for pulse in self.all.borrow().iter() {
            if door.is_none_or(|door| Arc::ptr_eq(door, &pulse.door)) {
                pulse.command(WIND_UP);
            }
        }
    }

    /// Lets the connections that are busy end after the request they are on, and those that can be told in time to send
    /// nothing more.
    pub(crate) fn wind_up_busy(&self) {
        for pulse in self.all.borrow().iter() {
            if matches!(
                pulse.phase.load(Ordering::Relaxed),
                SERVING | ASKING | LINGERING | QUIET
            ) {
                pulse.command(WIND_UP);
            }
        }
    }

    /// Ends the connections whose answers would not end by themselves.
    pub(crate) fn end_endless(&self) {
        for pulse in self.all.borrow().iter() {
            if pulse.endless.load(Ordering::Relaxed) {
                pulse.command(END);
            }
        }
    }

    /// Ages all connections and ends the ones that are too old for what they do.
    pub(crate) fn sweep(&self) {
        for pulse in self.all.borrow().iter() {
            let age = pulse.age.fetch_add(1, Ordering::Relaxed) + 1;
            let too_old = match pulse.phase.load(Ordering::Relaxed) {
                IDLE => {
                    if age >= TIRED_SWEEPS && pulse.sleep.load(Ordering::Relaxed) == AWAKE {
                        pulse.sleep.store(TIRED, Ordering::Relaxed);
                        pulse.wake();
                    }
                    age > self.idle
                }
                // A client that connects and says nothing is given the time for a head, not the idle time.
                HEAD | NEW => age > self.head,
                LINGERING => age > LINGER_SWEEPS,
                QUIET => {
                    if age > self.idle {
                        // The client hears of it; what is still on its way to it arrives.
                        pulse.command(WIND_UP);
                    }
                    age > self.idle + self.stall
                }
                ASKING => {
                    if age > self.answer {
                        pulse.late.store(true, Ordering::Relaxed);
                        pulse.wake();
                    }
                    false
                }
                _ => false,
            };
            let stalled = pulse.stalled.load(Ordering::Relaxed);
            if stalled > 0 {
                pulse.stalled.store(stalled + 1, Ordering::Relaxed);
            }
            if too_old || stalled > self.stall {
                pulse.command(END);
            }
        }
    }
}
