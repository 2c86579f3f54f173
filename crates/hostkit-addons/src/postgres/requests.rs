//! What is asked of the databases of environments, done on their server.

use hostkit_core::database::{
    Connection, Contents, Database, DatabaseId, DatabaseStats, Extension, Protection, TenantTable,
};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{DatabaseCopies, Databases, Dump, ProtectMode};

use super::addon::Postgres;
use super::copies::{self, Waiting};
use super::names::DatabaseName;
use super::{databases, extensions, stats, tenants};

/// So many tables, and as many queries, are told of.
pub(super) const MOST: i64 = 50;
/// How dumps are compressed that somebody keeps as they are.
pub(super) const COMPRESSION: u8 = 6;

/// A database with the main one of its environment.
struct Found {
    main: DatabaseName,
    name: DatabaseName,
}

impl Postgres {
    /// A database that is there, and is this environment's.
    async fn found(&self, id: &DatabaseId) -> Result<Found, Failure> {
        let (main, name) = (DatabaseName::main(&id.environment), DatabaseName::of(id)?);
        let access = self.access();
        let known = databases::known(&access.connect(&access.home).await?).await?;
        let is_there = known
            .iter()
            .any(|database| database.name == name.as_str() && database.owner == main.as_str());
        if is_there {
            return Ok(Found { main, name });
        }
        let message = format!(
            "cannot find the database `{}` of `{}`: it has none of that name",
            id.label, id.environment
        );
        Err(Failure::new(Kind::NotFound, message).hint(format!(
            "see what there is with `hostkit db list {}`",
            id.environment.project
        )))
    }
}

#[async_trait::async_trait]
impl Databases for Postgres {
    async fn list(&self, environment: &EnvironmentId) -> Result<Vec<Database>, Failure> {
        stats::databases(&self.access(), environment).await
    }

    async fn create_database(&self, id: &DatabaseId) -> Result<(), Failure> {
        let (main, name) = (DatabaseName::main(&id.environment), DatabaseName::of(id)?);
        databases::ensure_further(&self.access(), &main, &name, self.limits()).await?;
        self.tell_pooler().await
    }

    async fn drop_database(&self, id: &DatabaseId) -> Result<(), Failure> {
        let (main, name) = (DatabaseName::main(&id.environment), DatabaseName::of(id)?);
        databases::drop_further(&self.access(), &main, &name).await?;
        self.tell_pooler().await
    }

    async fn stats(&self, id: &DatabaseId) -> Result<DatabaseStats, Failure> {
        let (access, database) = (self.access(), self.found(id).await?.name);
        let slow = stats::slow_queries(&access, database.as_str(), MOST).await;
        Ok(DatabaseStats {
            tables: stats::tables(&access, database.as_str(), MOST).await?,
            unused_indexes: stats::unused_indexes(&access, database.as_str()).await?,
            slow_queries: match slow {
                // The server does not count them.
                Err(failure) if failure.kind == Kind::Conflict => None,
                slow => Some(slow?),
            },
        })
    }

    async fn connections(&self, id: &DatabaseId) -> Result<Vec<Connection>, Failure> {
        let database = self.found(id).await?.name;
        stats::connections(&self.access(), database.as_str()).await
    }

    async fn extensions(&self, id: &DatabaseId) -> Result<Vec<Extension>, Failure> {
        let database = self.found(id).await?.name;
        extensions::list(&self.access(), database.as_str()).await
    }

    async fn ensure_extension(&self, id: &DatabaseId, name: &str) -> Result<(), Failure> {
        let found = self.found(id).await?;
        extensions::ensure(&self.access(), &found.main, &found.name, name).await
    }

    async fn protect(
        &self,
        id: &DatabaseId,
        table: &TenantTable,
        mode: ProtectMode,
    ) -> Result<Protection, Failure> {
        let (access, found) = (self.access(), self.found(id).await?);
        let place = (&found.main, found.name.as_str());
        if mode == ProtectMode::Protect {
            tenants::protect(table, &access, place).await?;
        }
        let proof = tenants::prove(table, &access, place).await?;
        Ok(Protection {
            statements: tenants::statements(table)?,
            holds: proof.holds(),
            proof,
        })
    }
}

#[async_trait::async_trait]
impl DatabaseCopies for Postgres {
    async fn dump(&self, id: &DatabaseId) -> Result<Dump, Failure> {
        let (tools, found) = (self.tools()?, self.found(id).await?);
        let place = (&found.main, found.name.as_str());
        copies::dump(&self.access(), &tools, place, COMPRESSION).await
    }

    async fn restore_beside(&self, id: &DatabaseId, dump: Dump) -> Result<Contents, Failure> {
        let (tools, found) = (self.tools()?, self.found(id).await?);
        let waiting = Waiting::beside(&found.main, &found.name);
        copies::restore_beside(&self.access(), &tools, &waiting, self.limits(), dump).await
    }

    async fn take_place(&self, id: &DatabaseId) -> Result<(), Failure> {
        let found = self.found(id).await?;
        let waiting = Waiting::beside(&found.main, &found.name);
        copies::take_place(&self.access(), self.pooler(), &waiting).await
    }

    async fn discard(&self, id: &DatabaseId) -> Result<(), Failure> {
        let waiting = Waiting::beside(&DatabaseName::main(&id.environment), &DatabaseName::of(id)?);
        copies::discard(&self.access(), &waiting).await
    }
}
