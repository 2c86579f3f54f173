//! The thread that makes and removes everything on the disk, in the order in which it is told.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use super::file;
use super::folder::{self, Root};
use super::index::{FileKey, Form, Forms, ScopeId};
use super::state::State;
use crate::cache::entry::Entry;
use crate::cache::scope::{Key, Scope, Stamp, own_part};

/// How long the disk is left alone after it failed.
const REST: Duration = Duration::from_secs(60);
/// How often it is looked whether another front door is done with the folder.
const TURN: Duration = Duration::from_millis(200);

/// What the keeper is told.
pub(super) enum Job {
    Keep(Keep),
    /// These files are to go; they are not in the index any more.
    Remove(FileKey, Forms),
    /// These files are to go, if there are any.
    Forget(FileKey),
    /// All scopes there are.
    Scopes(Vec<Arc<Scope>>),
    Purge {
        scopes: Vec<ScopeId>,
        path: Option<String>,
        known: HashSet<FileKey>,
        done: oneshot::Sender<io::Result<u64>>,
    },
    /// The disk failed a reader.
    Trouble(String),
}

/// An answer to be written.
pub(super) struct Keep {
    pub(super) scope: Arc<Scope>,
    pub(super) key: Key,
    pub(super) stamp: Stamp,
    pub(super) entry: Arc<Entry>,
    /// What it counts among those that wait.
    pub(super) bytes: usize,
}

/// The thread's state.
pub(super) struct Keeper {
    path: PathBuf,
    pub(super) state: Arc<State>,
    /// Open while the folder is ours.
    pub(super) root: Option<Root>,
    /// When it is tried to get it.
    next_try: Instant,
    /// Those of the table in force; nothing before there was one.
    scopes: Option<HashMap<ScopeId, Arc<Scope>>>,
    /// What could not be removed, and must be before anything of it is used.
    pub(super) owed: HashSet<ScopeId>,
    /// Something was put aside, whose files are still there.
    pub(super) to_sweep: bool,
    /// Scopes whose folder somebody else took away, and when: nothing is written for them for a while, as it may be out
    /// of date by what that one knows.
    taken: HashMap<ScopeId, Instant>,
}

impl Keeper {
    /// Nothing is open yet.
    pub(super) fn new(path: PathBuf, state: Arc<State>) -> Keeper {
        Keeper {
            path,
            state,
            root: None,
            next_try: Instant::now(),
            scopes: None,
            owed: HashSet::new(),
            to_sweep: false,
            taken: HashMap::new(),
        }
    }

    /// Does what it is told until nobody is left who could.
    pub(super) fn run(mut self, jobs: &Receiver<Job>) {
        loop {
            let job = match self.root.is_some() || self.scopes.is_none() {
                true => jobs.recv().map_err(|_| RecvTimeoutError::Disconnected),
                false => jobs.recv_timeout(self.next_try.saturating_duration_since(Instant::now())),
            };
            match job {
                Ok(job) => self.obey(job),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            if self.root.is_none() && self.scopes.is_some() && Instant::now() >= self.next_try {
                self.begin();
            }
            // What was told before it was known what there is comes first.
            while self.root.is_some()
                && !self.state.is_on()
                && let Some(job) = self.state.turn_on_unless(|| jobs.try_recv().ok())
            {
                self.obey(job);
            }
            if self.scopes.is_some() {
                self.state.note_try();
            }
        }
    }

    fn obey(&mut self, job: Job) {
        let outcome = match job {
            Job::Keep(keep) => {
                let outcome = self.keep(&keep);
                self.state.waiting.fetch_sub(keep.bytes, Ordering::Relaxed);
                outcome
            }
            Job::Remove(file, forms) if self.root.is_some() => {
                let outcome = self.remove(&file, &forms);
                self.owe_unless_done(&[file.scope], &outcome);
                outcome
            }
            Job::Forget(file) if self.root.is_some() => {
                let forms = self.state.index.remove(&file);
                let outcome = forms.map_or(Ok(()), |forms| self.remove(&file, &forms));
                self.owe_unless_done(&[file.scope], &outcome);
                outcome
            }
            Job::Remove(file, _) | Job::Forget(file) => match self.owed.contains(&file.scope) {
                true => Ok(()),
                false => self.forget(&[file.scope]),
            },
            Job::Scopes(scopes) => self.take_scopes(scopes),
            Job::Trouble(why) => return self.fail(why),
            Job::Purge {
                scopes,
                path,
                known,
                done,
            } => {
                let purged = self.purge(&scopes, path.as_deref(), known);
                self.owe_unless_done(&scopes, &purged);
                let copy = purged.as_ref().map(|_| ()).map_err(|error| error.to_string());
                drop(done.send(purged));
                copy.map_err(io::Error::other)
            }
        };
        let outcome = outcome.and_then(|()| match std::mem::take(&mut self.to_sweep) {
            true => self.with_root(Root::sweep),
            false => Ok(()),
        });
        if let Err(error) = outcome {
            self.fail(error.to_string());
        }
    }

    /// What could not be removed goes with all of its scope, before anything of that is used again.
    fn owe_unless_done<T>(&mut self, scopes: &[ScopeId], outcome: &io::Result<T>) {
        if outcome.is_err() {
            self.owed.extend(scopes);
        }
    }

    /// The disk is left alone for a while.
    fn fail(&mut self, why: String) {
        let now = Instant::now();
        // What fails while it is left alone does not put the next try off.
        if self.root.take().is_some() || now >= self.next_try {
            self.next_try = now + REST;
        }
        self.state.turn_off(why);
    }

    /// Takes the folder, if nobody has it, and looks what there is.
    fn begin(&mut self) {
        let begun = Root::open(&self.path).and_then(|root| match root.lock()? {
            true => self.look_around(&root).map(|()| Some(root)),
            false => Ok(None),
        });
        match begun {
            Ok(Some(root)) => self.root = Some(root),
            Ok(None) => self.next_try = Instant::now() + TURN,
            Err(error) => self.fail(error.to_string()),
        }
    }

    fn look_around(&mut self, root: &Root) -> io::Result<()> {
        self.state.index.clear();
        self.state.folders().clear();
        let scopes = self.scopes.clone().unwrap_or_default();
        let mut known = Vec::new();
        let mut some_went = false;
        for scope in root.scopes()? {
            if !scopes.contains_key(&scope) || self.owed.contains(&scope) {
                some_went |= root.put_aside(scope)?;
            } else if let Some(folder) = root.scope(scope)? {
                known.append(&mut folder::list(scope, &folder)?);
                self.state.folders().insert(scope, Arc::new(folder));
            }
        }
        if some_went {
            root.sync()?;
        }
        self.owed.clear();
        root.sweep()?;
        // The newest last: what came first makes room, should there be too much.
        known.sort_by_key(|known| known.used);
        for known in known {
            if let Some(scope) = scopes.get(&known.file.scope) {
                scope.learn();
            }
            self.make_room(self.state.index.insert(known.file, known.form))?;
        }
        Ok(())
    }

    fn make_room(&self, gone: Vec<(FileKey, Forms)>) -> io::Result<()> {
        gone.iter().try_for_each(|(file, forms)| self.remove(file, forms))
    }

    fn remove(&self, file: &FileKey, forms: &Forms) -> io::Result<()> {
        match self.state.folder(file.scope) {
            Some(folder) => forms
                .iter()
                .try_for_each(|form| folder::remove(&folder, file, form.id)),
            // It went as a whole.
            None => Ok(()),
        }
    }

    fn take_scopes(&mut self, scopes: Vec<Arc<Scope>>) -> io::Result<()> {
        let now: HashMap<ScopeId, Arc<Scope>> = scopes.into_iter().map(|scope| (scope.id, scope)).collect();
        let before = self.scopes.replace(now);
        let Some(before) = before else { return Ok(()) };
        let now = self.scopes.as_ref();
        let left = before.into_keys();
        let left: Vec<ScopeId> = left
            .filter(|id| now.is_none_or(|now| !now.contains_key(id)))
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        self.forget(&left)
    }

    fn keep(&mut self, keep: &Keep) -> io::Result<()> {
        let Keep {
            scope, key, entry, ..
        } = keep;
        let Some(root) = &self.root else { return Ok(()) };
        self.taken.retain(|_, since| since.elapsed() < REST);
        if scope.stamp(key) != keep.stamp || self.taken.contains_key(&scope.id) {
            return Ok(());
        }
        let file = FileKey::of(scope.id, own_part(key));
        let has_room = root.has_room()?;
        self.state.note_room(has_room);
        let Some(beginning) = file::beginning(own_part(key), entry).filter(|_| has_room) else {
            // What is there is older.
            let older = self.state.index.remove(&file);
            return older.map_or(Ok(()), |forms| self.remove(&file, &forms));
        };
        let folder = match self.state.folder(scope.id) {
            Some(folder) => folder,
            None => {
                let folder = Arc::new(root.make_scope(scope.id)?);
                self.state.folders().insert(scope.id, Arc::clone(&folder));
                folder
            }
        };
        let id = file::form_of(&entry.head);
        match folder::write(&folder, &file, id, [&beginning, &entry.body]) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.state.folders().remove(&scope.id);
                self.state.index.remove_scope(scope.id);
                self.taken.insert(scope.id, Instant::now());
                return Ok(());
            }
            written => written?,
        }
        self.state.counts.written.fetch_add(1, Ordering::Relaxed);
        entry.on_disk.store(true, Ordering::Relaxed);
        let form = Form::new(id, (beginning.len() + entry.body.len()) as u64);
        self.make_room(self.state.index.insert(file, form))?;
        // Purged in this very moment: whoever purged may not have seen it.
        if scope.stamp(key) != keep.stamp
            && let Some(forms) = self.state.index.remove(&file)
        {
            self.remove(&file, &forms)?;
        }
        Ok(())
    }
}

impl Keeper {
    /// The folder as it is now, whoever has it.
    pub(super) fn with_root<T>(&self, work: impl FnOnce(&Root) -> io::Result<T>) -> io::Result<T> {
        match &self.root {
            Some(root) => work(root),
            None => work(&Root::open(&self.path)?),
        }
    }
}
