//! The process of a storage: one for each project and environment that has one. It listens on this machine alone, reads
//! its settings at its start and at `SIGHUP`, and at `SIGTERM` it answers what was asked and ends.

mod listener;
mod ready;
mod serve;

pub use ready::ready;

use std::fs::{OpenOptions, TryLockError};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval};

use super::error::StorageError;
use super::gate::Gate;
use super::place;
use super::s3::{Storage, now};
use super::settings::Settings;
use listener::Listener;
use serve::Serving;

/// Threads for what waits for the disk.
const DISK_THREADS: usize = 64;
/// How often rules are followed.
const HOUR: Duration = Duration::from_secs(3600);
/// How many hours lie between two searches for files that nobody knows.
const HOURS_TO_SWEEP: u32 = 24;

/// What a server tells whoever started it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// It answers from now on, at these addresses and at sockets with names.
    Serving(Vec<SocketAddr>),
    /// It was told to end, and answers what was asked.
    Stopping,
}

/// Serves by the settings at `path` until it is told to end. With `sockets`, it listens on those (they were opened by
/// who started it, so that nobody is refused while it is started again) and on no other.
pub fn run(path: &Path, sockets: Vec<OwnedFd>, told: impl Fn(Moment)) -> Result<(), Failure> {
    let settings = Settings::load(path)?;
    // Held until the end.
    let _lock = lock(&settings.folder)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(DISK_THREADS)
        .enable_all()
        .build()
        .map_err(|why| cannot("start", &why))?;
    runtime.block_on(async {
        // First of all: a signal that nobody catches would end the process.
        let signals = Signals::catch()?;
        let listeners = Listener::all(sockets, &settings.listen).await?;
        place::Copying::clean_up(&settings.folder).map_err(|why| cannot_open(&why))?;
        let storage = Storage::open(settings).map_err(|why| cannot_open(&why))?;
        storage.ensure_buckets().await.map_err(|why| cannot_open(&why))?;
        serve(path, signals, listeners, storage, told).await;
        Ok(())
    })
}

struct Signals {
    reload: Signal,
    end: Signal,
    interrupt: Signal,
}

impl Signals {
    fn catch() -> Result<Self, Failure> {
        let catch = |kind| signal(kind).map_err(|why| cannot("wait for signals", &why));
        Ok(Signals {
            reload: catch(SignalKind::hangup())?,
            end: catch(SignalKind::terminate())?,
            interrupt: catch(SignalKind::interrupt())?,
        })
    }
}

async fn serve(
    path: &Path,
    mut signals: Signals,
    listeners: Vec<Listener>,
    storage: Storage,
    told: impl Fn(Moment),
) {
    let addresses: Vec<SocketAddr> = listeners.iter().filter_map(Listener::address).collect();
    tracing::info!(?addresses, "listening");
    let serving = Serving::begin(listeners, Gate::new(storage.clone()));
    let tending = tokio::spawn(tend(storage.clone()));
    told(Moment::Serving(addresses));
    loop {
        tokio::select! {
            _ = signals.reload.recv() => read_again(path, &storage).await,
            _ = signals.end.recv() => break,
            _ = signals.interrupt.recv() => break,
        }
    }
    told(Moment::Stopping);
    tending.abort();
    serving.end().await;
}

/// Uses the settings as they are now. Those that cannot be used are not, and the ones of before stay.
async fn read_again(path: &Path, storage: &Storage) {
    let settings = match Settings::load(path) {
        Ok(settings) => settings,
        Err(why) => return tracing::error!("the settings stay as they were: {why}"),
    };
    let before = storage.settings();
    if settings.folder != before.folder || settings.listen != before.listen {
        tracing::warn!("another folder or address is used from the next start on");
    }
    storage.use_settings(settings);
    match storage.ensure_buckets().await {
        Ok(()) => tracing::info!("settings read again"),
        Err(why) => tracing::error!("cannot make the buckets of the settings: {why}"),
    }
}

async fn tend(storage: Storage) {
    let mut hours = interval(HOUR);
    hours.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut hour = 0;
    loop {
        hours.tick().await;
        if hour % HOURS_TO_SWEEP == 0 {
            match storage.sweep().await {
                Ok(0) => {}
                Ok(removed) => tracing::info!(removed, "removed files that nobody knew"),
                Err(why) => tracing::error!("cannot look for files that nobody knows: {why}"),
            }
        }
        hour = (hour + 1) % HOURS_TO_SWEEP;
        match storage.expire(now()).await {
            Ok(tended) if tended == Default::default() => {}
            Ok(tended) => tracing::info!(objects = tended.objects, uploads = tended.uploads, "expired"),
            Err(why) => tracing::error!("cannot follow the life-cycle rules: {why}"),
        }
    }
}

/// One server per folder: two would remove each other's files.
fn lock(folder: &Path) -> Result<std::fs::File, Failure> {
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(folder.join("lock"))
        .map_err(|why| cannot(&format!("open `{}`", folder.display()), &why))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Failure::new(
            Kind::Conflict,
            format!(
                "cannot open `{}`: another storage server uses it",
                folder.display()
            ),
        )
        .hint("stop the other one first")),
        Err(TryLockError::Error(why)) => Err(cannot(&format!("lock `{}`", folder.display()), &why)),
    }
}

fn cannot(act: &str, why: &dyn std::error::Error) -> Failure {
    Failure::new(Kind::Internal, format!("cannot {act}: {why}"))
}

fn cannot_open(why: &StorageError) -> Failure {
    let cause = std::error::Error::source(why).map(|cause| format!(": {cause}"));
    let cause = cause.unwrap_or_default();
    Failure::new(Kind::Internal, format!("cannot open the storage: {why}{cause}"))
        .hint("see whether the disk is full and whose its folder is")
}
