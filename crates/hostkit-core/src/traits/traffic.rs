//! The front door, as the engine sees it.

use std::time::Duration;

use crate::kind::Failure;
use crate::route::{Applied, BackendId, Drained, Purge, Purged, RouteTable, TrafficStatus};

/// Hands tables to the front door and waits for it.
#[async_trait::async_trait]
pub trait Traffic: Send + Sync {
    /// Puts a table in force, as a whole; connections of routes that did not change are not touched. Idempotent.
    async fn apply(&self, table: &RouteTable) -> Result<Applied, Failure>;

    /// Waits until no request or upgraded connection is in flight on the backends, at most `grace`; then closes
    /// what is left. The backends must not be in the table any more.
    async fn drain(&self, backends: &[BackendId], grace: Duration) -> Result<Drained, Failure>;

    /// Takes answers out of the cache. What is on its way to be kept is not kept any more. Idempotent.
    async fn purge(&self, purge: &Purge) -> Result<Purged, Failure>;

    /// How the front door is.
    async fn status(&self) -> Result<TrafficStatus, Failure>;

    /// What it has counted, in the text format of Prometheus.
    async fn metrics(&self) -> Result<String, Failure>;
}
