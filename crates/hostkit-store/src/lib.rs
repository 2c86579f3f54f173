//! The state database: SQLite in WAL mode, all SQL of HostKit, one file per noun. A [`Store`] is a handle to one
//! connection behind a lock; every call takes well under a millisecond. Every write is one transaction that also
//! records its events, which are told to one listener when they are safe.

mod addon;
mod backup;
mod cancel;
mod column;
mod deployment;
mod domain;
mod environment;
mod error;
mod event;
mod master_key;
mod open;
mod port;
mod project;
mod release;
mod seal;
mod shared_service;
mod step;
mod token;
mod variable;

pub use addon::Addon;
pub use deployment::Outcome;
pub use domain::AddedDomain;
pub use environment::{Canary, Environment, Live, Standing};
pub use event::EventQuery;
pub use master_key::Rotated;
pub use project::Project;
pub use shared_service::SharedService;
pub use step::StepEnd;
pub use token::TokenInfo;
pub use variable::{VariableChange, VariableInfo};

use std::fs::File;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostkit_core::event::Event;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::traits::Clock;
use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};

use error::Result;
use seal::Sealer;
use seal::key_file::KeyFiles;

/// Told of every event, in order, when its transaction is safe. Must be quick and not call the store.
type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

/// The state database. Clones are handles to the same one; the data folder is free again when the last is dropped.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    connection: Mutex<Connection>,
    listener: Mutex<Option<Listener>>,
    clock: Arc<dyn Clock>,
    sealer: Mutex<Arc<Sealer>>,
    key_files: KeyFiles,
    /// Held by the one rotation of the master key that is under way.
    rotating: Mutex<()>,
    /// Held, never read: whoever else opens the data folder is refused.
    _lock: File,
}

/// A write under way: its transaction, its one moment, and the events it will have made.
struct Write<'a> {
    sql: Transaction<'a>,
    now: Timestamp,
    events: Vec<Event>,
}

impl Store {
    /// Opens the database below the data folder, making it, the master key and their folder at the first start.
    /// Refuses a second opener, a newer schema, a file that is damaged or no HostKit database, and one that is gone.
    pub fn open(layout: &Layout, clock: Arc<dyn Clock>) -> std::result::Result<Store, Failure> {
        Self::open_with(layout, clock, None)
    }

    /// The same, with the folder in which systemd gives credentials: where the master key is among them, that one counts.
    pub fn open_with(
        layout: &Layout,
        clock: Arc<dyn Clock>,
        credentials: Option<&Path>,
    ) -> std::result::Result<Store, Failure> {
        let lock = open::lock(layout.data())?;
        open::refuse_lost(&layout.database(), &layout.projects())?;
        // The key goes first: a start that is cut short between the two leaves a key without data, never the reverse.
        let key_files = KeyFiles::new(layout.key(), credentials);
        let keys = key_files.load(!layout.database().exists())?;
        let Some((newest, older)) = keys.split_first() else {
            return Err(Failure::new(Kind::Internal, "cannot read the key: there is none"));
        };
        let connection = open::database(&layout.database())?;
        let inner = Inner {
            connection: Mutex::new(connection),
            listener: Mutex::new(None),
            clock,
            sealer: Mutex::new(Arc::new(Sealer::new(newest, older))),
            key_files,
            rotating: Mutex::new(()),
            _lock: lock,
        };
        let store = Store {
            inner: Arc::new(inner),
        };
        // A value that cannot be read must not keep the rest from being served: both keys stay, and whoever asks for the
        // value, or for a rotation, is told.
        let _ = store.settle_keys(&keys);
        Ok(store)
    }

    /// Sets who is told of events; the one before is not told any more.
    pub fn listen(&self, listener: impl Fn(&Event) + Send + Sync + 'static) {
        *locked(&self.inner.listener) = Some(Arc::new(listener));
    }

    /// Whether the database answers.
    pub fn ping(&self) -> std::result::Result<(), Failure> {
        self.read("ask the state database", |sql| {
            Ok(sql.query_row("SELECT count(*) FROM project", [], |_| Ok(()))?)
        })
    }

    /// What seals. Asked for within a write, never before one: a rotation that comes between would take its key away.
    fn sealer(&self) -> Arc<Sealer> {
        locked(&self.inner.sealer).clone()
    }

    /// Reads within one look at the database. `act` ends the sentence `cannot …`.
    fn read<T>(
        &self,
        act: &str,
        work: impl FnOnce(&Connection) -> Result<T>,
    ) -> std::result::Result<T, Failure> {
        work(&locked(&self.inner.connection)).map_err(|e| e.told(act))
    }

    /// Writes in one transaction: all of it, with its events, or nothing.
    fn write<T>(
        &self,
        act: &str,
        work: impl FnOnce(&mut Write<'_>) -> Result<T>,
    ) -> std::result::Result<T, Failure> {
        let mut connection = locked(&self.inner.connection);
        let inside = || -> Result<(T, Vec<Event>)> {
            let sql = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut write = Write {
                sql,
                now: self.inner.clock.now(),
                events: Vec::new(),
            };
            let value = work(&mut write)?;
            write.sql.commit()?;
            Ok((value, write.events))
        };
        let (value, events) = inside().map_err(|e| e.told(act))?;
        // Told under the lock, so that events arrive in the order of their numbers.
        if let Some(listener) = locked(&self.inner.listener).clone() {
            events.iter().for_each(|event| listener(event));
        }
        Ok(value)
    }
}

/// A lock that a panic elsewhere does not make unusable: the transaction it broke was rolled back.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
