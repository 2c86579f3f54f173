//! PostgreSQL with PgBouncer: one server for all projects, a database for each environment.

pub mod addon;
pub mod address;
pub mod archiving;
pub mod cluster;
pub mod copies;
pub mod databases;
pub mod extensions;
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

/// Who has described the server and its pooler.
pub(crate) trait Described: Send + Sync {
    /// Both; a failure where the machine has none.
    fn postgres(&self) -> Result<&addon::Postgres, hostkit_core::kind::Failure>;
}
