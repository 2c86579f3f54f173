//! PostgreSQL with PgBouncer: one server for all projects, a database for each environment.

pub mod addon;
pub mod address;
pub mod archiving;
pub mod cluster;
pub mod copies;
pub mod databases;
pub mod extensions;
mod filing;
pub mod local;
pub mod names;
pub mod outside;
pub mod pooler;
pub mod programs;
pub mod quote;
mod requests;
pub mod server;
pub mod session;
mod settled;
pub mod stats;
pub mod system;
pub mod tenants;
pub mod verifier;

use hostkit_core::kind::Failure;

/// Who has described the server and its pooler.
#[async_trait::async_trait]
pub trait Described: Send + Sync {
    /// Both; a failure where the machine has none.
    fn postgres(&self) -> Result<&addon::Postgres, Failure>;

    /// The same where there is a server whose log can be filed away, if that is wanted, or that may have done so; none is
    /// made to find that out.
    async fn filing(&self, wanted: bool) -> Result<Option<&addon::Postgres>, Failure>;
}
