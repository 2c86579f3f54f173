//! The one thread that writes the index. What waits is done in savepoints of one transaction, so that many writes share
//! one wait for the disk, and nobody comes between a condition and what is done when it holds.

use std::cell::RefCell;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::storage::contents::{ContentId, Contents, Written};
use crate::storage::error::{Result, StorageError};

/// Most changes that share a transaction: what one waits for at most, besides its own.
const MOST_TOGETHER: usize = 128;

/// The thread. Dropped, it finishes what it was handed first.
pub(super) struct Writer {
    jobs: Option<Sender<Box<dyn Job>>>,
    contents: Contents,
    thread: Option<JoinHandle<()>>,
}

/// The index, open for one change. What a change needs is added by the file of its noun.
pub struct Change<'a> {
    /// The database, in the savepoint of this change.
    pub(super) connection: &'a Connection,
    freed: RefCell<Vec<ContentId>>,
}

impl Change<'_> {
    /// Takes down a file that nothing consists of any more. It is removed after the commit.
    pub(super) fn free(&self, id: ContentId) {
        self.freed.borrow_mut().push(id);
    }
}

impl Writer {
    pub(super) fn start(connection: Connection, contents: Contents) -> Result<Self> {
        let (jobs, waiting) = channel();
        let thread = std::thread::Builder::new()
            .name("index".to_owned())
            .spawn(move || work(&connection, &waiting))
            .map_err(|why| StorageError::file("start the thread of the index", why))?;
        Ok(Writer {
            jobs: Some(jobs),
            contents,
            thread: Some(thread),
        })
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        written: Vec<Written>,
        act: impl FnOnce(&Change<'_>) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let job = Act {
            act: Some(act),
            outcome: None,
            written,
            freed: Vec::new(),
            contents: self.contents.clone(),
            reply,
        };
        let gone = || StorageError::NotRecorded("the thread of the index is gone".to_owned());
        let jobs = self.jobs.as_ref().ok_or_else(gone)?;
        jobs.send(Box::new(job)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        drop(self.jobs.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the index of the storage panicked");
        }
    }
}

/// One change that waits.
trait Job: Send {
    /// Does it, in a savepoint. What went wrong is kept for the answer.
    fn run(&mut self, connection: &Connection);
    /// Answers. `failed` is why the transaction came to nothing, or may have.
    fn end(self: Box<Self>, failed: Option<&str>);
}

fn work(connection: &Connection, waiting: &Receiver<Box<dyn Job>>) {
    while let Ok(first) = waiting.recv() {
        let mut jobs = vec![first];
        while jobs.len() < MOST_TOGETHER
            && let Ok(next) = waiting.try_recv()
        {
            jobs.push(next);
        }
        let failed = together(connection, &mut jobs).err().map(|why| why.to_string());
        for job in jobs {
            job.end(failed.as_deref());
        }
    }
}

fn together(connection: &Connection, jobs: &mut [Box<dyn Job>]) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")?;
    for job in jobs {
        // A full disk or a failing one can end the whole transaction. Then nothing of it counts.
        if !connection.is_autocommit() {
            job.run(connection);
        }
    }
    // Without a transaction, this fails, and says so to everybody.
    let committed = connection.execute_batch("COMMIT");
    if committed.is_err() && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    committed
}

struct Act<F, T> {
    act: Option<F>,
    outcome: Option<Result<T>>,
    written: Vec<Written>,
    freed: Vec<ContentId>,
    contents: Contents,
    reply: oneshot::Sender<Result<T>>,
}

impl<F, T> Act<F, T>
where
    F: FnOnce(&Change<'_>) -> Result<T>,
{
    fn attempt(&mut self, connection: &Connection) -> Result<T> {
        let Some(act) = self.act.take() else {
            return Err(StorageError::NotRecorded("it was tried before".to_owned()));
        };
        connection.execute_batch("SAVEPOINT act")?;
        let change = Change {
            connection,
            freed: RefCell::default(),
        };
        match act(&change) {
            Ok(value) => {
                connection.execute_batch("RELEASE act")?;
                self.freed = change.freed.into_inner();
                Ok(value)
            }
            Err(why) => {
                if !connection.is_autocommit() {
                    connection.execute_batch("ROLLBACK TO act; RELEASE act")?;
                }
                Err(why)
            }
        }
    }
}

impl<F, T> Job for Act<F, T>
where
    F: FnOnce(&Change<'_>) -> Result<T> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Connection) {
        self.outcome = Some(self.attempt(connection));
    }

    fn end(self: Box<Self>, failed: Option<&str>) {
        let answer = match (self.outcome, failed) {
            (Some(Ok(value)), None) => {
                self.written.into_iter().for_each(Written::keep);
                self.contents.remove(&self.freed);
                Ok(value)
            }
            (Some(Ok(_)), Some(why)) => {
                // Perhaps it is on the disk nevertheless: the next sweep tells.
                self.written.into_iter().for_each(Written::keep);
                Err(StorageError::NotRecorded(why.to_owned()))
            }
            // Undone, so that the files go.
            (Some(Err(why)), _) => Err(why),
            (None, why) => Err(StorageError::NotRecorded(
                why.unwrap_or("it was not tried").to_owned(),
            )),
        };
        // Who asked may be gone.
        let _ = self.reply.send(answer);
    }
}
