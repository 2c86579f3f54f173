//! Everything that is not forwarding: taking tables, draining, status. Runs on a thread of its own and speaks to the
//! workers through their mail.

pub(crate) mod admin;
pub(crate) mod certificates;
mod ports;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::route::{Applied, BackendId, Drained, Purge, Purged, TrafficStatus};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::time::Instant;

use crate::config::KeptPorts;
use crate::metrics::AllSeries;
use crate::metrics::text::Exposition;
use crate::request_log::LogSink;
use crate::shared::Shared;
use crate::table::backend::{Backend, Backends};
use crate::table::compile::{RawTable, compile};
use crate::table::saved::SavedTable;
use crate::table::sticky::Secret;
use crate::worker::Mail;
use ports::Ports;

/// How often a port that could not be bound is tried again.
const PORT_RETRY: Duration = Duration::from_millis(500);
/// How long cut connections may take to go.
const CUT_TIME: Duration = Duration::from_secs(2);

/// The workers' mail boxes.
#[derive(Clone)]
pub(crate) struct Workers(pub(crate) Vec<mpsc::UnboundedSender<Mail>>);

impl Workers {
    /// Sends mail to each. One that is gone needs none.
    pub(crate) fn send(&self, mail: impl Fn() -> Mail) {
        for worker in &self.0 {
            drop(worker.send(mail()));
        }
    }
}

/// Where the public listeners are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Addresses {
    pub(crate) http: Option<SocketAddr>,
    pub(crate) https: Option<SocketAddr>,
}

/// The front door's control side.
pub(crate) struct Control {
    shared: Arc<Shared>,
    workers: Workers,
    backends: Backends,
    series: AllSeries,
    saved: SavedTable,
    public: Addresses,
    /// One table at a time.
    ports: Mutex<Ports>,
    unsynced: Notify,
}

impl Control {
    /// Control over `workers`.
    pub(crate) fn new(
        shared: Arc<Shared>,
        workers: Workers,
        saved: SavedTable,
        secret: Secret,
        public: Addresses,
        kept: KeptPorts,
    ) -> Self {
        let series = AllSeries::new(workers.0.len());
        let ports = Mutex::new(Ports::new(workers.clone(), kept));
        Control {
            backends: Backends::new(shared.limits.backend_requests, secret),
            shared,
            workers,
            series,
            saved,
            public,
            ports,
            unsynced: Notify::new(),
        }
    }

    /// Puts the table of the last run in force.
    pub(crate) async fn restore(&self) {
        if let Some(raw) = self.saved.load() {
            let applied = self.put_in_force(&raw, &mut *self.ports.lock().await).await;
            for aside in applied.put_aside {
                tracing::warn!(route = aside.route, "put aside: {}", aside.reason);
            }
            tracing::info!(version = applied.version, "serving the last good table");
        }
    }

    /// Puts a table in force, every thread uses it when this returns.
    pub(crate) async fn apply(&self, bytes: &[u8]) -> Result<Applied, Failure> {
        let raw = RawTable::parse(bytes)?;
        let mut ports = self.ports.lock().await;
        let current = self.shared.table.load().version;
        if raw.version < current {
            return Err(Failure::new(
                Kind::Conflict,
                format!(
                    "cannot apply route table {}: version {current} is in force",
                    raw.version
                ),
            )
            .hint("read the version in force with `hostkit status`"));
        }
        let applied = self.put_in_force(&raw, &mut ports).await;
        // In force already: a disk that is full or slow must not keep traffic from moving.
        match self.saved.write(bytes) {
            Ok(()) => self.unsynced.notify_one(),
            Err(error) => tracing::error!("cannot save the route table: {error}"),
        }
        Ok(applied)
    }

    async fn put_in_force(&self, raw: &RawTable, ports: &mut Ports) -> Applied {
        let (table, keys) = compile(raw, &self.backends, &self.series);
        let put_aside = table.put_aside.clone();
        let wanted = table
            .ports
            .iter()
            .map(|(port, route)| (*port, route.id.clone()))
            .collect();
        if let Some(certificates) = &self.shared.certificates {
            certificates.want(&table.names);
        }
        self.backends.enlist(&keys);
        self.shared.cache.enlist(table.routes());
        table.inherit(&self.shared.table.load());
        self.shared.table.store(Arc::new(table));
        self.backends.retire_others(&keys);
        self.backends.shares.forget_unused();
        self.workers.send(|| Mail::Prune);
        self.shared.changed.send_modify(|changes| *changes += 1);
        ports.set(wanted).await;
        let mut applied = Applied {
            version: raw.version,
            put_aside,
        };
        applied.put_aside.extend(ports.put_aside());
        applied
    }

    /// Waits until nothing is in flight on backends that left the table; cuts what is left after `grace`.
    pub(crate) async fn drain(&self, ids: &[BackendId], grace: Duration) -> Drained {
        let leaving = self.backends.retired(ids);
        if wait_until_free(&leaving, grace).await {
            return Drained::default();
        }
        let cut = busy(&leaving);
        let keys: Vec<u64> = leaving.iter().map(|backend| backend.key).collect();
        self.workers.send(|| Mail::Cut(keys.clone()));
        if !wait_until_free(&leaving, CUT_TIME).await {
            tracing::warn!("connections to drained backends are still open after they were cut");
        }
        Drained { cut }
    }

    /// Takes answers out of the cache.
    pub(crate) async fn purge(&self, purge: &Purge) -> Result<Purged, Failure> {
        let cache = &self.shared.cache;
        let addresses = cache.purge(&purge.environment, purge.path.as_deref()).await?;
        Ok(Purged { addresses })
    }

    /// How the front door is.
    pub(crate) async fn status(&self) -> TrafficStatus {
        let table = self.shared.table.load_full();
        let mut put_aside = table.put_aside.clone();
        put_aside.extend(self.ports.lock().await.put_aside());
        TrafficStatus {
            version: table.version,
            put_aside,
            in_flight: self.backends.in_flight(),
            ejected: self.backends.ejected(),
            held: self.shared.held.load(Ordering::Relaxed),
            http: self.public.http,
            https: self.public.https,
            failed_handshakes: self.shared.failed_handshakes.load(Ordering::Relaxed),
            requests: self.shared.requests(),
            cache_disk: self.shared.cache.disk_status(),
        }
    }

    /// What is counted, in the text format of Prometheus.
    pub(crate) async fn metrics(&self) -> String {
        let shared = &self.shared;
        let status = self.status().await;
        let mut text = Exposition::default();
        text.routes(&self.series);
        text.of_nobody(&shared.unrouted);
        text.by(
            (
                "hostkit_proxy_in_flight",
                "gauge",
                "Requests and tunnels under way, by instance.",
            ),
            "instance",
            status.in_flight.iter().map(|(id, count)| (id.0.as_str(), *count)),
        );
        let trouble = self.backends.trouble();
        text.by(
            (
                "hostkit_proxy_failures_total",
                "counter",
                "Requests that an instance took no connection for, or did not answer.",
            ),
            "instance",
            trouble.iter().map(|(id, failures, _)| (id.0.as_str(), *failures)),
        );
        text.by(
            (
                "hostkit_proxy_ejections_total",
                "counter",
                "How often an instance was left out for a while, because it failed.",
            ),
            "instance",
            trouble
                .iter()
                .map(|(id, _, ejections)| (id.0.as_str(), *ejections)),
        );
        text.by(
            (
                "hostkit_proxy_ejected",
                "gauge",
                "Instances that are left out now, while others are there.",
            ),
            "instance",
            status.ejected.iter().map(|id| (id.0.as_str(), 1)),
        );
        text.number(
            "hostkit_proxy_held",
            "gauge",
            "Requests that wait for an instance.",
            status.held,
        );
        let shares = self.backends.shares.counts();
        text.by(
            (
                "hostkit_proxy_waiting",
                "gauge",
                "Requests that wait for an instance, room on one, or another request's answer.",
            ),
            "project",
            shares
                .iter()
                .map(|(project, waiting, _)| (project.as_str(), *waiting)),
        );
        text.by(
            (
                "hostkit_proxy_refused_total",
                "counter",
                "Requests that were refused because their project had as many as it may.",
            ),
            "project",
            shares
                .iter()
                .map(|(project, _, refused)| (project.as_str(), *refused)),
        );
        let connections = shared.connections.load(Ordering::Relaxed) as u64;
        text.number(
            "hostkit_proxy_connections",
            "gauge",
            "Connections of clients that are open.",
            connections,
        );
        let handshakes = &shared.handshakes;
        text.by(
            (
                "hostkit_proxy_tls_handshakes_total",
                "counter",
                "TLS handshakes, by how they ended.",
            ),
            "outcome",
            [
                ("full", handshakes.full.load(Ordering::Relaxed)),
                ("resumed", handshakes.resumed.load(Ordering::Relaxed)),
                ("failed", status.failed_handshakes),
            ],
        );
        if let Some((status, counts)) = shared.cache.disk_status().zip(shared.cache.disk_counts()) {
            text.disk_cache(&status, counts);
        }
        let lost = shared.log.as_ref().map_or(0, LogSink::lost);
        text.number(
            "hostkit_proxy_log_lines_dropped_total",
            "counter",
            "Lines of the request log that were not written because the disk did not keep up.",
            lost,
        );
        text.number(
            "hostkit_proxy_table_version",
            "gauge",
            "The version of the table in force.",
            status.version,
        );
        let aside = status.put_aside.len() as u64;
        text.number(
            "hostkit_proxy_routes_put_aside",
            "gauge",
            "Routes of the table that are not served.",
            aside,
        );
        text.finish()
    }

    /// The things that come back: ports that could not be bound, tables that are not on the disk yet, certificates.
    pub(crate) async fn tend(&self) {
        let sync = async {
            loop {
                self.unsynced.notified().await;
                let saved = self.saved.clone();
                if let Ok(Err(error)) = tokio::task::spawn_blocking(move || saved.sync()).await {
                    tracing::error!("cannot bring the route table to the disk: {error}");
                }
            }
        };
        let bind = async {
            loop {
                tokio::time::sleep(PORT_RETRY).await;
                self.ports.lock().await.retry();
            }
        };
        let certify = async {
            if let Some(certificates) = &self.shared.certificates {
                Arc::clone(certificates).tend().await;
            }
        };
        tokio::join!(sync, bind, certify);
    }
}

fn busy(backends: &[Arc<Backend>]) -> u64 {
    backends.iter().map(|backend| backend.in_flight()).sum()
}

async fn wait_until_free(backends: &[Arc<Backend>], at_most: Duration) -> bool {
    let end = Instant::now() + at_most;
    let mut pause = Duration::from_millis(1);
    while busy(backends) > 0 {
        if Instant::now() >= end {
            return false;
        }
        tokio::time::sleep(pause.min(end - Instant::now())).await;
        pause = (pause * 2).min(Duration::from_millis(10));
    }
    true
}
