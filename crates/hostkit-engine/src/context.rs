//! What every verb is given: the parts, and what the engine remembers while it runs. Nothing here must survive it.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostkit_core::addon::AddonId;
use hostkit_core::deployment::DeploymentId;
use hostkit_core::event::Event;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::{ProjectName, ReleaseName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::release::Release;
use hostkit_core::source::ContentHash;
use hostkit_core::traits::Files;
use hostkit_core::workload::Instance;
use tokio::sync::{Notify, RwLock, Semaphore, broadcast, watch};
use tokio::task::{AbortHandle, JoinSet};

use crate::backups::history::Keeping;
use crate::domains::check::AT_ONCE;
use crate::feed::Feeds;
use crate::health::Checks;
use crate::parts::Parts;
use crate::ports::Ports;
use crate::ready::Ready;
use crate::routing::Router;

/// Releases by environment and name; they never change.
type Releases = HashMap<(EnvironmentId, ReleaseName), Arc<Release>>;

pub(crate) struct Context {
    pub(crate) parts: Parts,
    pub(crate) router: Router,
    pub(crate) ports: Ports,
    pub(crate) feeds: Feeds,
    pub(crate) ready: Ready,
    pub(crate) events: broadcast::Sender<Event>,
    /// The instances as the loops last saw them.
    pub(crate) seen: Mutex<Vec<Instance>>,
    /// Environments that the loops are putting right.
    pub(crate) repairs: tokio::sync::Mutex<JoinSet<Result<(), Failure>>>,
    /// Wakes the loops.
    pub(crate) wake: Notify,
    /// How HostKit itself is.
    pub(crate) checks: Checks,
    /// Says that some deployment was cancelled; which one is in the state.
    pub(crate) cancelled: watch::Sender<()>,
    /// Held while it is looked who has which host name, and an environment is switched or gets a domain.
    pub(crate) hosts: Mutex<()>,
    /// How many domains may be checked at once.
    pub(crate) domain_checks: Semaphore,
    /// How many builds may run at once.
    pub(crate) slots: Arc<Semaphore>,
    /// Held by whoever makes or takes away what a project needs on the machine.
    pub(crate) premises: tokio::sync::Mutex<()>,
    /// Held by whoever archives and removes a project: one at a time.
    pub(crate) deletion: tokio::sync::Mutex<()>,
    /// Held while it is looked whether there is a key of backups.
    pub(crate) backup_key: Mutex<()>,
    /// Acts on backups that somebody asked for.
    pub(crate) backup_acts: Mutex<Vec<AbortHandle>>,
    /// What is remembered of the history of databases.
    pub(crate) history: Keeping,
    /// The newest build after which the cache of a project was looked at.
    pub(crate) pruned: Mutex<HashMap<ProjectName, DeploymentId>>,
    /// Contents in which no secret was found, as the last scan of each project's source saw them.
    pub(crate) clean: Mutex<HashMap<ProjectName, HashSet<ContentHash>>>,
    /// One per cache that was used: shared by builds, held alone by who takes something out.
    caches: Mutex<HashMap<ProjectName, Arc<RwLock<()>>>>,
    releases: Mutex<Releases>,
    locks: Mutex<HashMap<EnvironmentId, Arc<tokio::sync::Mutex<()>>>>,
    addon_locks: Mutex<HashMap<AddonId, Arc<tokio::sync::Mutex<()>>>>,
    database_locks: Mutex<HashMap<EnvironmentId, Arc<tokio::sync::Mutex<()>>>>,
    backup_locks: Mutex<HashMap<EnvironmentId, Arc<tokio::sync::Mutex<()>>>>,
}

impl Context {
    pub(crate) fn new(parts: Parts) -> Self {
        let (events, _) = broadcast::channel(1024);
        let slots = Arc::new(Semaphore::new(parts.settings.build_slots.max(1)));
        Context {
            parts,
            router: Router::default(),
            ports: Ports::default(),
            feeds: Feeds::default(),
            ready: Ready::default(),
            events,
            seen: Mutex::default(),
            repairs: tokio::sync::Mutex::default(),
            wake: Notify::new(),
            checks: Checks::default(),
            cancelled: watch::Sender::new(()),
            hosts: Mutex::default(),
            domain_checks: Semaphore::new(AT_ONCE),
            slots,
            premises: tokio::sync::Mutex::default(),
            deletion: tokio::sync::Mutex::default(),
            pruned: Mutex::default(),
            clean: Mutex::default(),
            caches: Mutex::default(),
            releases: Mutex::default(),
            locks: Mutex::default(),
            addon_locks: Mutex::default(),
            database_locks: Mutex::default(),
            backup_locks: Mutex::default(),
            backup_key: Mutex::default(),
            backup_acts: Mutex::default(),
            history: Keeping::default(),
        }
    }

    /// A release, read once.
    pub(crate) fn release(&self, id: &EnvironmentId, name: &ReleaseName) -> Result<Arc<Release>, Failure> {
        let key = (id.clone(), name.clone());
        if let Some(found) = locked(&self.releases).get(&key) {
            return Ok(found.clone());
        }
        let release = Arc::new(self.parts.store.release(id, name)?);
        locked(&self.releases).insert(key, release.clone());
        Ok(release)
    }

    /// Forgets a release that was removed, or frozen anew.
    pub(crate) fn forget_release(&self, id: &EnvironmentId, name: &ReleaseName) {
        locked(&self.releases).remove(&(id.clone(), name.clone()));
    }

    /// How many builds run just now.
    pub(crate) fn builds(&self) -> usize {
        let all = self.parts.settings.build_slots.max(1);
        all.saturating_sub(self.slots.available_permits())
    }

    /// The lock of what the builds of a project keep.
    pub(crate) fn cache_of(&self, project: &ProjectName) -> Arc<RwLock<()>> {
        locked(&self.caches).entry(project.clone()).or_default().clone()
    }

    /// Forgets everything of a project.
    pub(crate) fn forget_project(&self, project: &ProjectName) {
        locked(&self.pruned).remove(project);
        locked(&self.clean).remove(project);
        locked(&self.caches).remove(project);
        self.ready.forget_project(project);
        locked(&self.releases).retain(|(id, _), _| id.project != *project);
        locked(&self.locks).retain(|id, _| id.project != *project);
        locked(&self.addon_locks).retain(|id, _| id.environment.project != *project);
        locked(&self.database_locks).retain(|id, _| id.project != *project);
    }

    /// The lock of an environment: held by whoever starts or stops instances of it, so that a deployment and the
    /// loops never work against each other. Gone with the process.
    pub(crate) fn lock_of(&self, id: &EnvironmentId) -> Arc<tokio::sync::Mutex<()>> {
        locked(&self.locks).entry(id.clone()).or_default().clone()
    }

    /// The lock of an add-on: held by whoever changes it.
    pub(crate) fn lock_of_addon(&self, id: &AddonId) -> Arc<tokio::sync::Mutex<()>> {
        locked(&self.addon_locks).entry(id.clone()).or_default().clone()
    }

    /// The lock of the databases of an environment: held by whoever makes, drops or replaces one, for however long that
    /// takes. The lock of the add-on is taken below it, and only for moments.
    pub(crate) fn lock_of_databases(&self, id: &EnvironmentId) -> Arc<tokio::sync::Mutex<()>> {
        locked(&self.database_locks)
            .entry(id.clone())
            .or_default()
            .clone()
    }

    /// The lock of an environment's backups: held by whoever makes, tries, restores or removes one. It outlives the
    /// environment, as its backups do.
    pub(crate) fn lock_of_backups(&self, id: &EnvironmentId) -> Arc<tokio::sync::Mutex<()>> {
        locked(&self.backup_locks).entry(id.clone()).or_default().clone()
    }

    /// Works on files without holding up anything else.
    pub(crate) async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce(&dyn Files) -> io::Result<T> + Send + 'static,
    ) -> io::Result<T> {
        let files = self.parts.files.clone();
        tokio::task::spawn_blocking(move || work(files.as_ref()))
            .await
            .map_err(io::Error::other)?
    }

    /// Works with no more rights than a project has, where its programs may write to what is worked on.
    pub(crate) async fn aside_as<T: Send + 'static>(
        &self,
        project: &ProjectName,
        work: impl FnOnce(&dyn Files) -> io::Result<T> + Send + 'static,
    ) -> Result<io::Result<T>, Failure> {
        let files = self.parts.premises.files(project).await?;
        let done = tokio::task::spawn_blocking(move || work(files.as_ref())).await;
        Ok(done.unwrap_or_else(|panic| Err(io::Error::other(panic))))
    }

    /// Removes a file or tree, aside. Idempotent.
    pub(crate) async fn remove(&self, path: PathBuf) -> Result<(), Failure> {
        let shown = path.clone();
        self.aside(move |files| files.remove(&path))
            .await
            .map_err(|e| on_disk("remove", &shown, &e))
    }
}

/// A lock that a panic elsewhere does not make unusable.
pub(crate) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The failure of an act on the disk.
pub(crate) fn on_disk(verb: &str, path: &Path, error: &io::Error) -> Failure {
    let failure = Failure::new(
        Kind::Internal,
        format!("cannot {verb} `{}`: {error}", path.display()),
    );
    match error.kind() {
        io::ErrorKind::StorageFull => Failure {
            kind: Kind::Unavailable,
            ..failure
        }
        .hint("free some space, then deploy again"),
        _ => failure,
    }
}
