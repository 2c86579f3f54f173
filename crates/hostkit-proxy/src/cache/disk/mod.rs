//! Answers on the disk: what is put into the memory is written here as well, so that it is there when the memory had to
//! make room for it, and when the front door was started again (`docs/decisions/009-cache-on-disk.md`).
//!
//! A release of a route has a folder, an answer has a [`file`] in it; all names are hashes. What there is is known by an
//! [`index`] in memory. One thread, the [`keeper`], makes and removes everything, in the order in which it was told; it
//! alone may be slow. Files are read by others, see [`read`]. The [`folder`] is one front door's at a time: a second one
//! on it, as in an upgrade, has no answers on the disk until the first one is gone, and whatever it is told to take out
//! meanwhile takes the whole folder of that release along.

mod file;
mod folder;
mod index;
mod keeper;
mod purge;
mod read;
mod state;
#[cfg(test)]
mod tests;

use std::collections::HashSet;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hostkit_core::kind::{Failure, Kind};
use tokio::sync::oneshot;

pub(crate) use index::{FileKey, ScopeId};
pub(crate) use state::Counts;

use super::entry::Entry;
use super::scope::{Key, Scope, Stamp, own_part};
use keeper::{Job, Keep, Keeper};
use state::State;

/// Of all keys: longer ones are not written.
const LONGEST_KEY: usize = 8 << 10;
/// The most bytes of answers that wait to be written: what comes while the disk does not keep up is not.
const MOST_WAITING: usize = 32 << 20;
/// What may be used for less is not worth the writing.
const SHORTEST: Duration = Duration::from_secs(10);
/// The longest that a start of the front door waits until it is known what there is.
const LOOK_TIME: Duration = Duration::from_millis(500);
/// The longest that a purge waits for the disk.
const PURGE_TIME: Duration = Duration::from_secs(8);

/// The disk's part of the cache. The keeper ends, everything written that waits, when this is dropped.
pub(crate) struct Disk {
    state: Arc<State>,
    jobs: Sender<Job>,
}

impl Disk {
    /// Begins to keep answers in `folder`, which is made if need be, as much as `most` bytes.
    pub(crate) fn start(folder: &Path, most: u64) -> io::Result<(Disk, JoinHandle<()>)> {
        let (jobs, told) = mpsc::channel();
        let state = Arc::new(State::new(most));
        let keeper = Keeper::new(folder.to_owned(), Arc::clone(&state));
        let thread = std::thread::Builder::new()
            .name("cache-disk".into())
            .spawn(move || keeper.run(&told))?;
        Ok((Disk { state, jobs }, thread))
    }

    /// These are all there are from now on: what others had goes. What those had that `left` is not found from now on, should
    /// one of them come back at once.
    pub(super) fn scopes_are(&self, scopes: Vec<Arc<Scope>>, left: &[ScopeId]) {
        for scope in left {
            self.state.index.remove_scope(*scope);
        }
        self.tell(Job::Scopes(scopes));
    }

    /// Has an answer written, unless it is not worth it or the disk does not keep up: then what is there of its key goes, as
    /// it is older.
    pub(super) fn offer(&self, scope: &Arc<Scope>, key: &Key, stamp: Stamp, entry: &Arc<Entry>) {
        let state = &self.state;
        let lasts = entry.head.freshness.lasts(Instant::now());
        if !state.is_on() || key.len() > LONGEST_KEY {
            return;
        }
        if lasts < SHORTEST {
            return self.forget(scope.id, own_part(key));
        }
        let bytes = entry.body.len() + key.len();
        if state.waiting.fetch_add(bytes, Ordering::Relaxed) + bytes > MOST_WAITING {
            state.waiting.fetch_sub(bytes, Ordering::Relaxed);
            state.counts.dropped.fetch_add(1, Ordering::Relaxed);
            return self.forget(scope.id, own_part(key));
        }
        self.tell(Job::Keep(Keep {
            scope: Arc::clone(scope),
            key: key.clone(),
            stamp,
            entry: Arc::clone(entry),
            bytes,
        }));
    }

    /// The same for an answer that has to leave the memory and was offered before: only if it is not there. What is there in
    /// its place may be older.
    pub(super) fn offer_again(&self, scope: &Arc<Scope>, key: &Key, stamp: Stamp, entry: &Arc<Entry>) {
        if !self.state.is_on() {
            return;
        }
        let file = FileKey::of(scope.id, own_part(key));
        let form = file::form_of(&entry.head);
        let was_written = entry.on_disk.load(Ordering::Relaxed);
        if !(was_written && self.state.index.has(&file, form)) {
            self.offer(scope, key, stamp, entry);
        }
    }

    /// Has the answers of a key removed. The key is its own part, without the number of its scope.
    pub(super) fn forget(&self, scope: ScopeId, key: &[u8]) {
        let file = FileKey::of(scope, key);
        self.state.while_so(|is_on| match is_on {
            // What waits to be written is found to be out of date then.
            true => {
                if let Some(forms) = self.state.index.remove(&file) {
                    self.tell(Job::Remove(file, forms));
                }
            }
            // Nobody knows yet what there is.
            false => self.tell(Job::Forget(file)),
        });
    }

    /// Has all answers of these scopes removed, or those of a path, and waits until they are gone for good. `known` were
    /// in memory. Returns how many addresses there were in both.
    pub(super) async fn purge(
        &self,
        scopes: Vec<ScopeId>,
        path: Option<&str>,
        known: HashSet<FileKey>,
    ) -> Result<u64, Failure> {
        let (done, outcome) = oneshot::channel();
        self.tell(Job::Purge {
            scopes,
            path: path.map(str::to_owned),
            known,
            done,
        });
        let why = match tokio::time::timeout(PURGE_TIME, outcome).await {
            Ok(Ok(Ok(count))) => return Ok(count),
            Ok(Ok(Err(error))) => error.to_string(),
            Ok(Err(_)) => "the front door stops".to_owned(),
            Err(_) => format!("the disk took longer than {} s", PURGE_TIME.as_secs()),
        };
        let message = format!("cannot take everything out of the cache on disk: {why}");
        Err(Failure::new(Kind::Unavailable, message).hint(
            "nothing of it is answered as long as this front door runs; purge once more before it ends",
        ))
    }

    /// Waits until it is known what there is, unless that takes long or cannot be known now. Only after scopes were told.
    pub(super) fn wait_until_known(&self) {
        self.state.wait_for_try(LOOK_TIME);
    }

    /// What is counted, and how it is.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    fn tell(&self, job: Job) {
        // The keeper ends only after this is gone.
        drop(self.jobs.send(job));
    }
}
