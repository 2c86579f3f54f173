//! What runtimes have in common.

pub(crate) mod instances;
pub(crate) mod lines;
pub mod port_lease;
pub(crate) mod program;
pub(crate) mod service_files;
pub(crate) mod shimmed;
pub(crate) mod task_output;
pub(crate) mod turns;

use hostkit_core::kind::{Failure, Kind};

/// Runs file work where it may wait for the disk.
pub(crate) async fn off_thread<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|e| {
        Err(Failure::new(
            Kind::Internal,
            format!("cannot finish file work: {e}"),
        ))
    })
}
