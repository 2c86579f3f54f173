//! Starting and stopping: the forwarding threads, the control thread, the log's thread.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use hostkit_certificates::Certificates;
use hostkit_core::kind::{Failure, Kind};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};

use crate::cache::disk::Disk;
use crate::config::ProxyConfig;
use crate::control::{Addresses, Control, Workers, admin};
use crate::request_log;
use crate::shared::Shared;
use crate::table::saved::SavedTable;
use crate::table::sticky::Secret;
use crate::tls;
use crate::worker::accept::Purpose;
use crate::worker::{self, Listener, Mail};

/// The front door.
#[derive(Debug)]
pub struct Proxy;

/// What [`run`] tells about the front door.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It serves, with the last good table.
    Serving,
    /// It was asked to stop and finishes requests.
    Stopping,
}

/// A front door that runs. Dropping it stops it at once; [`ProxyHandle::stop`] lets requests finish.
#[derive(Debug)]
pub struct ProxyHandle {
    public: Addresses,
    stop: Option<oneshot::Sender<Duration>>,
    limit: Duration,
    control: Option<JoinHandle<()>>,
}

/// Runs the front door until SIGTERM or SIGINT, then finishes what is in flight. `tell` hears that it serves, and that
/// it stops.
pub fn run(config: ProxyConfig, tell: impl Fn(Moment)) -> Result<(), Failure> {
    let failed = |error: std::io::Error| cannot_start("it cannot listen for signals", &error);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(failed)?;
    // Before the first thread: a signal that comes early must not kill half a front door.
    let (mut terminate, mut interrupt) = runtime
        .block_on(async { Ok((signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?)) })
        .map_err(failed)?;
    let handle = Proxy::start(config)?;
    tell(Moment::Serving);
    runtime.block_on(async {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    });
    tracing::info!("stopping");
    tell(Moment::Stopping);
    handle.stop();
    Ok(())
}

fn cannot_start(what: &str, error: &dyn std::fmt::Display) -> Failure {
    Failure::new(
        Kind::Unavailable,
        format!("cannot start the front door: {what}: {error}"),
    )
}

impl Proxy {
    /// Starts the front door. It serves, with the last good table, when this returns.
    pub fn start(config: ProxyConfig) -> Result<ProxyHandle, Failure> {
        let threads = config.threads.max(1);
        let folder = config.data.proxy();
        let parent = config.admin.parent().unwrap_or(Path::new("/"));
        let of_admin = config.admin_listener.is_none().then_some(parent);
        for folder in std::iter::once(&*folder).chain(of_admin) {
            fs::DirBuilder::new()
                .recursive(true)
                .mode(0o700)
                .create(folder)
                .map_err(|error| cannot_start(&format!("folder `{}`", folder.display()), &error))?;
        }
        let public = Addresses {
            http: address(&config.listeners),
            https: address(&config.tls_listeners),
        };
        let https_port = public.https.map(|address| address.port());
        let certificates = match public.https {
            Some(_) => Some(Certificates::open(config.certificates)?),
            None => None,
        };
        let tls = certificates.as_ref().map(tls::settings).transpose()?;
        let mut doors = divide(config.listeners, threads, || Purpose::Public { https_port })?;
        if let Some(tls) = tls {
            let others = divide(config.tls_listeners, threads, || {
                Purpose::PublicTls(Arc::clone(&tls))
            })?;
            for (doors, others) in doors.iter_mut().zip(others) {
                doors.extend(others);
            }
        }
        let (log, log_thread) = match config.request_log {
            Some(limits) => {
                let (sink, thread) = request_log::start(&folder, limits)
                    .map_err(|error| cannot_start("the request log cannot be opened", &error))?;
                (Some(sink), Some(thread))
            }
            None => (None, None),
        };
        let (disk, disk_thread) = match config.limits.cache_disk_bytes {
            0 => (None, None),
            most => {
                let (disk, thread) = Disk::start(&folder.join("cache"), most)
                    .map_err(|error| cannot_start("the thread for answers on the disk", &error))?;
                (Some(disk), Some(thread))
            }
        };
        let limit = config.limits.stop;
        let shared = Arc::new(Shared::new(
            threads,
            config.limits,
            log,
            certificates,
            config.images,
            disk,
        ));
        let (senders, mailboxes): (Vec<_>, Vec<_>) = (0..threads).map(|_| mpsc::unbounded_channel()).unzip();
        let workers = Workers(senders);
        let control = Arc::new(Control::new(
            Arc::clone(&shared),
            workers.clone(),
            SavedTable::in_folder(&folder),
            Secret::kept_in(&folder).map_err(|error| cannot_start("sticky sessions", &error))?,
            public,
            config.kept_ports,
        ));

        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| cannot_start("its control thread", &error))?;
        // The table is in force before the first connection is accepted.
        let admin = runtime
            .block_on(async {
                control.restore().await;
                match config.admin_listener {
                    Some(listener) => admin::take_over(listener),
                    None => admin::bind(&config.admin),
                }
            })
            .map_err(|error| cannot_start(&format!("admin socket `{}`", config.admin.display()), &error))?;
        // So is what the disk has, if it is quick: the first visitors are answered from there.
        shared.cache.wait_for_disk();
        let mut threads = Vec::new();
        for (number, (listeners, mailbox)) in doors.into_iter().zip(mailboxes).enumerate() {
            let shared = Arc::clone(&shared);
            let thread = std::thread::Builder::new()
                .name(format!("forward-{number}"))
                .spawn(move || worker::run(number, shared, listeners, mailbox))
                .map_err(|error| cannot_start("a forwarding thread", &error))?;
            threads.push(thread);
        }
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("control".into()).spawn(move || {
            let limit = runtime.block_on(async {
                let serving = admin::serve(Arc::clone(&control), admin);
                tokio::select! {
                    () = serving => Duration::ZERO,
                    () = control.tend() => Duration::ZERO,
                    limit = stopped => limit.unwrap_or(Duration::ZERO),
                }
            });
            workers.send(|| Mail::Stop(limit));
            for thread in threads {
                drop(thread.join());
            }
            // The last senders go here; the threads of the log and of the disk write what they have and end.
            drop((control, shared));
            runtime.shutdown_background();
            for thread in [log_thread, disk_thread].into_iter().flatten() {
                drop(thread.join());
            }
        });
        let thread = thread.map_err(|error| cannot_start("its control thread", &error))?;
        Ok(ProxyHandle {
            public,
            stop: Some(stop),
            limit,
            control: Some(thread),
        })
    }
}

fn address(listeners: &[TcpListener]) -> Option<SocketAddr> {
    listeners.first().and_then(|listener| listener.local_addr().ok())
}

/// The listeners for each thread. With fewer listeners than threads, threads share.
fn divide(
    listeners: Vec<TcpListener>,
    threads: usize,
    purpose: impl Fn() -> Purpose,
) -> Result<Vec<Vec<Listener>>, Failure> {
    let mut divided: Vec<Vec<Listener>> = (0..threads).map(|_| Vec::new()).collect();
    if listeners.is_empty() {
        return Ok(divided);
    }
    for thread in listeners.len()..threads {
        let copy = listeners[thread % listeners.len()]
            .try_clone()
            .map_err(|error| cannot_start("a listener cannot be shared by its threads", &error))?;
        divided[thread].push((copy, purpose()));
    }
    for (at, listener) in listeners.into_iter().enumerate() {
        divided[at % threads].push((listener, purpose()));
    }
    Ok(divided)
}

impl ProxyHandle {
    /// Where the public listener is.
    pub fn address(&self) -> Option<SocketAddr> {
        self.public.http
    }

    /// Where the public listener that speaks TLS is.
    pub fn tls_address(&self) -> Option<SocketAddr> {
        self.public.https
    }

    /// Accepts nothing more, finishes what is in flight within the limit, and returns when all is closed.
    pub fn stop(mut self) {
        let limit = self.limit;
        self.end(limit);
    }

    fn end(&mut self, limit: Duration) {
        if let Some(stop) = self.stop.take() {
            stop.send(limit).ok();
        }
        if let Some(control) = self.control.take() {
            drop(control.join());
        }
    }
}

impl Drop for ProxyHandle {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}
