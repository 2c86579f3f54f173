//! The stable loopback ports. Bound alone, without sharing: another program on such a port must be noticed, not
//! joined. The threads accept from copies of the one socket.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use hostkit_core::route::PutAside;
use tokio::sync::oneshot;

use super::Workers;
use crate::config::KeptPorts;
use crate::worker::Mail;

/// How long threads may take to close a port.
const CLOSE_TIME: Duration = Duration::from_secs(1);

/// The ports that are held, and those that could not be.
pub(crate) struct Ports {
    workers: Workers,
    kept: KeptPorts,
    held: Vec<u16>,
    /// The port, its route and what is wrong.
    missing: BTreeMap<u16, (String, String)>,
}

impl Ports {
    /// None yet.
    pub(super) fn new(workers: Workers, kept: KeptPorts) -> Self {
        Ports {
            workers,
            kept,
            held: Vec::new(),
            missing: BTreeMap::new(),
        }
    }

    /// Holds exactly the `wanted` ports (with their routes' names). What is held already is not touched.
    pub(super) async fn set(&mut self, wanted: HashMap<u16, String>) {
        let gone: Vec<u16> = self
            .held
            .iter()
            .copied()
            .filter(|port| !wanted.contains_key(port))
            .collect();
        let mut closing = Vec::new();
        for port in &gone {
            for worker in &self.workers.0 {
                let (closed, is_closed) = oneshot::channel();
                if worker.send(Mail::Unlisten(*port, closed)).is_ok() {
                    closing.push(is_closed);
                }
            }
        }
        if !closing.is_empty()
            && tokio::time::timeout(CLOSE_TIME, futures_util::future::join_all(closing))
                .await
                .is_err()
        {
            tracing::warn!(ports = ?gone, "stable ports take long to close");
        }
        self.held.retain(|port| wanted.contains_key(port));
        let left: Vec<u16> = self.kept.listeners.keys().copied().collect();
        let left = left.into_iter().filter(|port| !wanted.contains_key(port));
        for port in gone.into_iter().chain(left) {
            self.kept.listeners.remove(&port);
            if let Some(keeper) = &self.kept.keeper {
                keeper.forget(port);
            }
        }
        self.missing.clear();
        for (port, route) in wanted {
            if !self.held.contains(&port) {
                self.missing.insert(port, (route, String::new()));
            }
        }
        self.retry();
    }

    /// Tries the missing ports.
    pub(super) fn retry(&mut self) {
        let Ports {
            workers,
            kept,
            held,
            missing,
        } = self;
        missing.retain(|port, (route, reason)| match hold(workers, kept, *port) {
            Ok(()) => {
                held.push(*port);
                false
            }
            Err(error) => {
                let why = format!("port {port} cannot be held: {error}");
                if *reason != why {
                    tracing::warn!(route, "{why}");
                    *reason = why;
                }
                true
            }
        });
    }

    /// What could not be held.
    pub(super) fn put_aside(&self) -> impl Iterator<Item = PutAside> {
        self.missing.values().map(|(route, reason)| PutAside {
            route: route.clone(),
            reason: reason.clone(),
        })
    }
}

fn hold(workers: &Workers, kept: &mut KeptPorts, port: u16) -> io::Result<()> {
    let (listener, is_new) = match kept.listeners.remove(&port) {
        Some(listener) => (listener, false),
        None => (TcpListener::bind((Ipv4Addr::LOCALHOST, port))?, true),
    };
    let copies: Vec<TcpListener> = workers
        .0
        .iter()
        .map(|_| listener.try_clone())
        .collect::<io::Result<_>>()?;
    if let Some(keeper) = kept.keeper.as_deref().filter(|_| is_new) {
        keeper.keep(port, &listener);
    }
    for (worker, copy) in workers.0.iter().zip(copies) {
        drop(worker.send(Mail::Listen(port, copy)));
    }
    Ok(())
}
