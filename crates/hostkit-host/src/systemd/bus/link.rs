//! The connection: made when needed, made again when lost, and one task that reads every signal of systemd's and hands
//! them to whoever waits.

use std::num::NonZeroUsize;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures_util::Stream;
use tokio::sync::{Mutex, broadcast};
use tokio::task::JoinHandle;
use zbus::connection::Builder;
use zbus::message::{Message, Type};
use zbus::{Connection, DynamicType, MatchRule, MessageStream};

use super::failure::Refusal;
use super::timeouts::{CALL, COME_BACK, COME_BACK_PAUSE, CONNECT};
use super::{DESTINATION, MANAGER, MANAGER_PATH, unit_path};

/// How many events a slow waiter may be behind before it is told to look for itself.
const EVENTS: usize = 4096;

/// How many signals are kept while nobody reads them yet.
const QUEUE: Option<NonZeroUsize> = NonZeroUsize::new(1024);

/// What systemd says by itself.
#[derive(Debug, Clone)]
pub(super) enum Event {
    /// A job ended: its number and how.
    JobEnded(u32, String),
    /// A unit changed, came or went.
    Unit(String),
    /// Anything may have happened.
    Unknown,
}

/// What may be done when a call was lost on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Again {
    /// It is made again: doing it twice is doing it once.
    Freely,
    /// It is made again only if it cannot have been done.
    IfNotDone,
}

/// One call of a method.
pub(super) struct Call<'a, B> {
    pub(super) path: &'a str,
    pub(super) interface: &'a str,
    pub(super) method: &'a str,
    pub(super) body: &'a B,
    pub(super) again: Again,
    pub(super) patience: Duration,
}

impl<'a, B> Call<'a, B> {
    /// A call of the manager.
    pub(super) fn manager(method: &'a str, body: &'a B) -> Self {
        Call {
            path: MANAGER_PATH,
            interface: MANAGER,
            method,
            body,
            again: Again::Freely,
            patience: CALL,
        }
    }
}

/// The one connection of a bus and everybody who listens to it.
#[derive(Debug)]
pub(super) struct Link {
    /// Where the bus is; where every system has it, if nothing is said.
    address: Option<String>,
    open: Mutex<Option<Open>>,
    /// Whether it was ever there: then it comes back.
    was_open: AtomicBool,
    events: broadcast::Sender<Event>,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    reader: JoinHandle<()>,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

impl Link {
    /// To the bus at an address, or to the system's.
    pub(super) fn new(address: Option<String>) -> Self {
        Link {
            address,
            open: Mutex::new(None),
            was_open: AtomicBool::new(false),
            events: broadcast::channel(EVENTS).0,
        }
    }

    /// Everything systemd says from now on, once the connection stands.
    pub(super) fn events(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// Makes sure that events come.
    pub(super) async fn listen(&self) -> Result<(), Refusal> {
        self.connection().await.map(drop)
    }

    /// Calls a method, and again where systemd or the bus went away and came back.
    pub(super) async fn call<B>(&self, call: Call<'_, B>) -> Result<Message, Refusal>
    where
        B: serde::Serialize + DynamicType,
    {
        let deadline = Instant::now() + COME_BACK;
        loop {
            let refusal = match self.call_once(&call).await {
                Ok(answer) => return Ok(answer),
                Err(refusal) => refusal,
            };
            let may_try = match &refusal {
                Refusal::NobodyThere(_) => true,
                Refusal::Lost(_) => call.again == Again::Freely,
                Refusal::No { .. } => false,
            };
            if !may_try || !self.was_open.load(Ordering::Relaxed) || Instant::now() >= deadline {
                return Err(refusal);
            }
            tracing::debug!(method = call.method, ?refusal, "Calling systemd again");
            tokio::time::sleep(COME_BACK_PAUSE).await;
        }
    }

    async fn call_once<B>(&self, call: &Call<'_, B>) -> Result<Message, Refusal>
    where
        B: serde::Serialize + DynamicType,
    {
        let connection = self.connection().await?;
        let answer = connection.call_method(
            Some(DESTINATION),
            call.path,
            Some(call.interface),
            call.method,
            call.body,
        );
        match tokio::time::timeout(call.patience, answer).await {
            Ok(answer) => answer.map_err(Refusal::from),
            Err(_) => Err(Refusal::timed_out()),
        }
    }

    async fn connection(&self) -> Result<Connection, Refusal> {
        let mut open = self.open.lock().await;
        if let Some(there) = &*open
            && !there.connection.is_closed()
            && !there.reader.is_finished()
        {
            return Ok(there.connection.clone());
        }
        // Also where it could not be opened again the last time.
        drop(open.take());
        let opened = tokio::time::timeout(CONNECT, connect(self.address.as_deref(), self.events.clone()))
            .await
            .map_err(|_| Refusal::NobodyThere("the bus does not answer".to_owned()))??;
        let connection = opened.connection.clone();
        *open = Some(opened);
        if self.was_open.swap(true, Ordering::Relaxed) {
            let _ = self.events.send(Event::Unknown);
        }
        Ok(connection)
    }
}

async fn connect(address: Option<&str>, events: broadcast::Sender<Event>) -> Result<Open, Refusal> {
    let bus = match address {
        Some(address) => Builder::address(address),
        None => Builder::system(),
    };
    let connection = bus.build().await?;
    let signals = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender(DESTINATION)
        .path_namespace(MANAGER_PATH)
        .build()?;
    let owners = MatchRule::builder()
        .msg_type(Type::Signal)
        .sender("org.freedesktop.DBus")
        .interface("org.freedesktop.DBus")
        .member("NameOwnerChanged")
        .add_arg(DESTINATION)
        .build()?;
    let signals = MessageStream::for_match_rule(signals, &connection, QUEUE).await?;
    let owners = MessageStream::for_match_rule(owners, &connection, QUEUE).await?;
    let reader = Reader {
        owner: owner(&connection).await,
        connection: connection.clone(),
        events,
    };
    // Read from here on: a queue that is full would hold up every answer.
    let reader = tokio::spawn(reader.read(signals, owners));
    let open = Open { connection, reader };
    subscribe(&open.connection).await?;
    Ok(open)
}

/// Systemd sends signals only while somebody asked for them.
async fn subscribe(connection: &Connection) -> Result<(), Refusal> {
    let asked = connection
        .call_method(Some(DESTINATION), MANAGER_PATH, Some(MANAGER), "Subscribe", &())
        .await
        .map_err(Refusal::from);
    match asked {
        Err(refusal) if !refusal.is("AlreadySubscribed") => Err(refusal),
        _ => Ok(()),
    }
}

async fn owner(connection: &Connection) -> Option<String> {
    let bus = "org.freedesktop.DBus";
    let answer = connection
        .call_method(
            Some(bus),
            "/org/freedesktop/DBus",
            Some(bus),
            "GetNameOwner",
            &DESTINATION,
        )
        .await
        .ok()?;
    answer.body().deserialize().ok()
}

struct Reader {
    connection: Connection,
    /// Who systemd is on the bus. Any account can send a signal that looks like systemd's to one connection; only the
    /// sender, which the bus itself fills in, tells them apart.
    owner: Option<String>,
    events: broadcast::Sender<Event>,
}

impl Reader {
    async fn read(mut self, mut signals: MessageStream, mut owners: MessageStream) {
        loop {
            let message = tokio::select! {
                message = next(&mut signals) => message,
                message = next(&mut owners) => message,
            };
            let Some(Ok(message)) = message else { break };
            let event = self.event(&message);
            // Nobody may be waiting at the moment.
            let _ = event.map(|event| self.events.send(event));
        }
        let _ = self.events.send(Event::Unknown);
    }

    fn event(&mut self, message: &Message) -> Option<Event> {
        let header = message.header();
        let (sender, member, path) = (header.sender()?, header.member()?, header.path()?);
        if sender.as_str() == "org.freedesktop.DBus" {
            let (_, _, new): (String, String, String) = message.body().deserialize().ok()?;
            self.has_owner(new);
            return None;
        }
        if self.owner.as_deref() != Some(sender.as_str()) {
            tracing::warn!(%sender, %member, "Passing over a signal that is not from systemd");
            return None;
        }
        match member.as_str() {
            "JobRemoved" => {
                let body = message.body();
                let (id, _, _, result): (u32, zbus::ObjectPath<'_>, &str, &str) = body.deserialize().ok()?;
                Some(Event::JobEnded(id, result.to_owned()))
            }
            "UnitNew" | "UnitRemoved" => {
                let body = message.body();
                let (name, _): (&str, zbus::ObjectPath<'_>) = body.deserialize().ok()?;
                Some(Event::Unit(name.to_owned()))
            }
            "PropertiesChanged" => unit_path::name_of(path.as_str()).map(Event::Unit),
            "Reloading" | "UnitFilesChanged" => Some(Event::Unknown),
            _ => None,
        }
    }

    /// Systemd left the bus, or is back on it. It is asked for signals by a task of its own: the answer comes only while
    /// this one goes on reading.
    fn has_owner(&mut self, name: String) {
        let is_back = !name.is_empty();
        self.owner = is_back.then_some(name);
        if !is_back {
            return;
        }
        let (connection, events) = (self.connection.clone(), self.events.clone());
        tokio::spawn(async move {
            match tokio::time::timeout(CALL, subscribe(&connection)).await {
                Ok(Ok(())) => {}
                failed => tracing::warn!(?failed, "Systemd is back and does not tell what changes"),
            }
            let _ = events.send(Event::Unknown);
        });
    }
}

async fn next(stream: &mut MessageStream) -> Option<zbus::Result<Message>> {
    std::future::poll_fn(|context| Pin::new(&mut *stream).poll_next(context)).await
}

/// What a waiter hears next.
pub(super) async fn hear(events: &mut broadcast::Receiver<Event>, link: &Arc<Link>) -> Event {
    match events.recv().await {
        Ok(event) => event,
        // The other side lives as long as `link`, so this is a waiter that is too far behind.
        Err(_) => {
            *events = link.events();
            Event::Unknown
        }
    }
}
