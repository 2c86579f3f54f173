//! What an add-on can do that has databases: the work on one of them, and copies.

use std::pin::Pin;

use futures_core::Stream;

use crate::database::{
    Connection, Contents, Database, DatabaseId, DatabaseStats, Extension, Protection, TenantTable,
};
use crate::kind::Failure;
use crate::project::EnvironmentId;

/// A dump as it comes, in the custom format of `pg_dump`. It is whole where it ends without a failure.
pub type Dump = Pin<Box<dyn Stream<Item = Result<Vec<u8>, Failure>> + Send>>;

/// What is done with row-level security.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProtectMode {
    /// It is only tried whether tenants are apart.
    Try,
    /// They are kept apart, then it is tried.
    Protect,
}

/// Work on the databases of environments that have the add-on. Calls may overlap, but for those that make, remove or
/// replace one database: of these the caller makes one at a time.
#[async_trait::async_trait]
pub trait Databases: DatabaseCopies {
    /// The databases of an environment, by name; the main one is among them.
    async fn list(&self, environment: &EnvironmentId) -> Result<Vec<Database>, Failure>;

    /// Makes a further database, reached with the credentials of the main one. Idempotent.
    async fn create_database(&self, id: &DatabaseId) -> Result<(), Failure>;

    /// Takes a further database away with all that is in it. The main one is a Conflict: it goes with the add-on.
    /// Idempotent.
    async fn drop_database(&self, id: &DatabaseId) -> Result<(), Failure>;

    /// What is large, what nobody uses, what is slow. Reads no table.
    async fn stats(&self, id: &DatabaseId) -> Result<DatabaseStats, Failure>;

    /// Who is connected: those at work first, of them the longest first.
    async fn connections(&self, id: &DatabaseId) -> Result<Vec<Connection>, Failure>;

    /// Extensions that are there or may be, by name.
    async fn extensions(&self, id: &DatabaseId) -> Result<Vec<Extension>, Failure>;

    /// Makes it so that a database has an extension. One that gives more rights than a project has is Denied.
    async fn ensure_extension(&self, id: &DatabaseId, name: &str) -> Result<(), Failure>;

    /// Keeps the tenants in a table apart by row-level security, and tries whether they are. Nothing of the try stays.
    async fn protect(
        &self,
        id: &DatabaseId,
        table: &TenantTable,
        mode: ProtectMode,
    ) -> Result<Protection, Failure>;
}

/// Copies of databases.
#[async_trait::async_trait]
pub trait DatabaseCopies: Send + Sync {
    /// Begins a dump of a database as it is at this moment. Dropped before its end, it is given up and leaves nothing.
    async fn dump(&self, id: &DatabaseId) -> Result<Dump, Failure>;

    /// Restores a dump into a new database beside the one named, which is not touched, and counts what is in it. Whatever
    /// waited there before is removed; after a failure nothing waits. What the dump says is run with the rights of the
    /// project. To be run to its end.
    async fn restore_beside(&self, id: &DatabaseId, dump: Dump) -> Result<Contents, Failure>;

    /// Puts the database that waits beside this one into its place. Pooled transactions wait meanwhile, direct
    /// connections are cut; the one that was replaced is removed. After a failure the old one is in its place. No
    /// `ensure` of the add-on may overlap.
    async fn take_place(&self, id: &DatabaseId) -> Result<(), Failure>;

    /// Removes a database that waits beside this one. Idempotent.
    async fn discard(&self, id: &DatabaseId) -> Result<(), Failure>;
}
