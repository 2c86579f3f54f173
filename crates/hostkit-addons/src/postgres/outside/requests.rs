//! What is asked of a database elsewhere. Its login may look and dump; who makes logins and databases there is not HostKit.

use hostkit_core::addon::AddonOrder;
use hostkit_core::database::{
    Connection, Contents, Database, DatabaseId, DatabaseStats, Extension, Protection, TenantTable,
};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::DatabaseLabel;
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{DatabaseCopies, Databases, Dump, ProtectMode};

use super::{Given, OutsidePostgres};
use crate::postgres::names::DatabaseName;
use crate::postgres::quote::identifier;
use crate::postgres::requests::{COMPRESSION, MOST};
use crate::postgres::{extensions, stats, tenants};

/// The database of one order.
pub(super) struct OutsideDatabases {
    pub(super) of: OutsidePostgres,
    pub(super) order: AddonOrder,
}

impl OutsidePostgres {
    pub(super) fn of(&self, order: &AddonOrder) -> OutsideDatabases {
        OutsideDatabases {
            of: self.clone(),
            order: order.clone(),
        }
    }
}

impl OutsideDatabases {
    /// The one that there is, if it is the one that is meant.
    fn found(&self, id: &DatabaseId) -> Result<Given, Failure> {
        if id.label.is_main() {
            return self.of.given(&self.order);
        }
        let message = format!(
            "cannot find the database `{}` of `{}`: it is kept elsewhere, and only the one of its address is known here",
            id.label, id.environment
        );
        Err(Failure::new(Kind::NotFound, message).hint("leave `-d` out"))
    }

    fn made_there(&self, act: &str) -> Failure {
        let environment = &self.order.id.environment;
        let message = format!("cannot {act} of `{environment}`: its PostgreSQL is kept elsewhere");
        Failure::new(Kind::Conflict, message).hint("do it there, with a login that may")
    }
}

#[async_trait::async_trait]
impl Databases for OutsideDatabases {
    async fn list(&self, _: &EnvironmentId) -> Result<Vec<Database>, Failure> {
        let given = self.of.given(&self.order)?;
        let session = given.access.connect(&given.database).await?;
        let question = "SELECT d.datname::text, pg_database_size(d.oid), d.datconnlimit,
                   (SELECT count(*) FROM pg_stat_activity a WHERE a.datid = d.oid),
                   s.xact_commit, s.xact_rollback, s.deadlocks,
                   s.blks_hit::float8 / nullif(s.blks_hit + s.blks_read, 0)
             FROM pg_database d JOIN pg_stat_database s ON s.datid = d.oid WHERE d.datname = current_database()";
        let rows = session.rows("look at the database", question, &[]).await?;
        Ok(rows
            .iter()
            .map(|row| Database {
                label: DatabaseLabel::main(),
                name: row.get(0),
                size: u64::try_from(row.get::<_, i64>(1)).unwrap_or_default(),
                connection_limit: row.get(2),
                connections: row.get(3),
                commits: row.get(4),
                rollbacks: row.get(5),
                deadlocks: row.get(6),
                from_memory: row.get(7),
            })
            .collect())
    }

    async fn create_database(&self, _: &DatabaseId) -> Result<(), Failure> {
        Err(self.made_there("create a database"))
    }

    async fn drop_database(&self, _: &DatabaseId) -> Result<(), Failure> {
        Err(self.made_there("drop the database"))
    }

    async fn stats(&self, id: &DatabaseId) -> Result<DatabaseStats, Failure> {
        let Given { access, database, .. } = self.found(id)?;
        let slow = stats::slow_queries(&access, &database, MOST).await;
        Ok(DatabaseStats {
            tables: stats::tables(&access, &database, MOST).await?,
            unused_indexes: stats::unused_indexes(&access, &database).await?,
            slow_queries: match slow {
                // The server does not count them, or the login may not see what it counted.
                Err(failure) if matches!(failure.kind, Kind::Conflict | Kind::Denied | Kind::Failed) => None,
                slow => Some(slow?),
            },
        })
    }

    async fn connections(&self, id: &DatabaseId) -> Result<Vec<Connection>, Failure> {
        let Given { access, database, .. } = self.found(id)?;
        stats::connections(&access, &database).await
    }

    async fn extensions(&self, id: &DatabaseId) -> Result<Vec<Extension>, Failure> {
        let Given { access, database, .. } = self.found(id)?;
        extensions::list(&access, &database).await
    }

    async fn ensure_extension(&self, id: &DatabaseId, name: &str) -> Result<(), Failure> {
        let Given { access, database, .. } = self.found(id)?;
        let all = extensions::list(&access, &database).await?;
        if all.iter().any(|one| one.name == name && one.installed.is_some()) {
            return Ok(());
        }
        let session = access.connect(&database).await?;
        // Whether the login may is said by the server.
        session
            .run(
                &format!("make the extension `{}`", name.escape_default()),
                &format!("CREATE EXTENSION IF NOT EXISTS {}", identifier(name)?),
            )
            .await
    }

    async fn protect(
        &self,
        id: &DatabaseId,
        table: &TenantTable,
        _: ProtectMode,
    ) -> Result<Protection, Failure> {
        self.found(id)?;
        let statements = tenants::statements(table)?;
        let refused = self.made_there("keep tenants apart in the database");
        Err(refused
            .hint("put these statements into a migration; HostKit tries them only on its own server")
            .details(statements.lines().map(str::to_owned).collect()))
    }
}

#[async_trait::async_trait]
impl DatabaseCopies for OutsideDatabases {
    async fn dump(&self, id: &DatabaseId) -> Result<Dump, Failure> {
        self.of.dump(&self.found(id)?, COMPRESSION, None).await
    }

    async fn restore_beside(&self, id: &DatabaseId, dump: Dump) -> Result<Contents, Failure> {
        self.found(id)?;
        let main = DatabaseName::main(&id.environment);
        self.of.try_copy(&main, BY_HAND, dump).await
    }

    async fn take_place(&self, id: &DatabaseId) -> Result<(), Failure> {
        let main = DatabaseName::main(&id.environment);
        self.of.restore(&self.found(id)?, &main, BY_HAND).await
    }

    async fn discard(&self, id: &DatabaseId) -> Result<(), Failure> {
        let main = DatabaseName::main(&id.environment);
        self.of.forget_copy(&main, BY_HAND).await
    }
}

/// What a copy is called here that is restored by hand.
const BY_HAND: &str = "new";
