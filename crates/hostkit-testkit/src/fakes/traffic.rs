//! A front door that only remembers.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostkit_core::kind::Failure;
use hostkit_core::route::{Applied, BackendId, Drained, Purge, Purged, PutAside, RouteTable, TrafficStatus};
use hostkit_core::traits::Traffic;

use super::faults::locked;
use super::{Faults, Journal};

#[derive(Default)]
struct State {
    tables: Vec<RouteTable>,
    put_aside: Vec<PutAside>,
    cut: u64,
    status: TrafficStatus,
}

/// Records tables and drains. Faults: `"apply"`, `"drain"`, `"purge"`, `"status"`. Clones share one state.
#[derive(Clone, Default)]
pub struct FakeTraffic {
    state: Arc<Mutex<State>>,
    /// `apply 3`, `drain shop.production.web.1.1 …`.
    pub journal: Journal,
    /// Faults by method.
    pub faults: Faults,
}

impl FakeTraffic {
    /// A front door that writes to `journal`.
    pub fn new(journal: &Journal) -> Self {
        FakeTraffic {
            journal: journal.clone(),
            ..FakeTraffic::default()
        }
    }

    /// The table in force.
    pub fn table(&self) -> RouteTable {
        locked(&self.state).tables.last().cloned().unwrap_or_default()
    }

    /// All tables that were put in force, in order.
    pub fn tables(&self) -> Vec<RouteTable> {
        locked(&self.state).tables.clone()
    }

    /// From now on every table has these entries put aside.
    pub fn put_aside(&self, entries: Vec<PutAside>) {
        locked(&self.state).put_aside = entries;
    }

    /// From now on every drain has to cut so many connections.
    pub fn cut(&self, connections: u64) {
        locked(&self.state).cut = connections;
    }

    /// Sets what the status says; version and entries put aside are the fake's own.
    pub fn set_status(&self, status: TrafficStatus) {
        locked(&self.state).status = status;
    }

    /// Forgets every table, as a front door that lost its disk.
    pub fn lose_everything(&self) {
        locked(&self.state).tables.clear();
    }
}

#[async_trait::async_trait]
impl Traffic for FakeTraffic {
    async fn apply(&self, table: &RouteTable) -> Result<Applied, Failure> {
        self.journal.note(format!("apply {}", table.version));
        self.faults.pass("apply").await?;
        let mut state = locked(&self.state);
        state.tables.push(table.clone());
        Ok(Applied {
            version: table.version,
            put_aside: state.put_aside.clone(),
        })
    }

    async fn drain(&self, backends: &[BackendId], _grace: Duration) -> Result<Drained, Failure> {
        let names: Vec<&str> = backends.iter().map(|b| b.0.as_str()).collect();
        self.journal.note(format!("drain {}", names.join(" ")));
        self.faults.pass("drain").await?;
        Ok(Drained {
            cut: locked(&self.state).cut,
        })
    }

    async fn purge(&self, purge: &Purge) -> Result<Purged, Failure> {
        let path = purge.path.as_deref().unwrap_or("*");
        self.journal.note(format!("purge {} {path}", purge.environment));
        self.faults.pass("purge").await?;
        Ok(Purged { addresses: 1 })
    }

    async fn status(&self) -> Result<TrafficStatus, Failure> {
        self.faults.pass("status").await?;
        let state = locked(&self.state);
        let mut status = state.status.clone();
        status.version = state.tables.last().map_or(0, |t| t.version);
        status.put_aside = state.put_aside.clone();
        Ok(status)
    }

    async fn metrics(&self) -> Result<String, Failure> {
        self.faults.pass("metrics").await?;
        let held = locked(&self.state).status.held;
        Ok(format!(
            "# TYPE hostkit_proxy_held gauge\nhostkit_proxy_held {held}\n"
        ))
    }
}
