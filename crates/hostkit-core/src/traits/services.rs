//! Where services run: programs of add-ons, which belong to no release.

use crate::kind::Failure;
use crate::project::EnvironmentId;
use crate::services::{Ensured, Service, ServiceName, ServicePlace, ServiceState, ServiceTask};

/// Keeps services running. They outlive the caller: after a restart of the caller everything is found again.
/// A service that ends by itself is started again with growing pauses, also while the caller is gone.
/// Calls for different services may overlap; those for one wait for each other.
#[async_trait::async_trait]
pub trait Services: Send + Sync {
    /// Where the files of a service lie. Pure.
    fn place(&self, name: &ServiceName) -> ServicePlace;

    /// Makes it so that the service runs as described, started with exactly this: makes its folders, writes its files,
    /// starts it where it does not run, starts it afresh where what it was started with is not what it says now, tells
    /// it to read its files again where only such a file changed. Returns when the program has been started, not when it
    /// answers. Idempotent. Data are never touched.
    async fn ensure(&self, service: &Service) -> Result<Ensured, Failure>;

    /// How it is; nothing where there is no such service.
    async fn observe(&self, name: &ServiceName) -> Result<Option<ServiceState>, Failure>;

    /// Tells the program to read its files again (SIGHUP). A service that does not run is NotFound.
    async fn reload(&self, name: &ServiceName) -> Result<(), Failure>;

    /// Stops the program (signal, grace, kill) and does not start it again until [`Services::ensure`]. Its folders stay.
    /// Idempotent.
    async fn stop(&self, name: &ServiceName) -> Result<(), Failure>;

    /// Stops it, and takes its folders away with all data. Idempotent.
    async fn remove(&self, name: &ServiceName) -> Result<(), Failure>;

    /// The services there are: of one environment, or of all and of none where none is named. Also such that do not run.
    async fn list(&self, environment: Option<&EnvironmentId>) -> Result<Vec<ServiceName>, Failure>;

    /// The last lines the program printed, oldest first: why it does not start. At most `count`.
    async fn last_lines(&self, name: &ServiceName, count: usize) -> Result<Vec<String>, Failure>;

    /// Runs a command as the service would be run, to its end, and answers what it printed to its standard output. Ends
    /// other than exit status 0 are Failed, with the last lines of its standard error as details. Folders and files of
    /// the service are there when the command begins, and stay.
    async fn run(&self, task: &ServiceTask<'_>) -> Result<String, Failure>;
}
