//! Databases of environments that have PostgreSQL: made, dropped, looked into, copied. What loses data goes through
//! [`loss`], and through nothing else.

mod copies;
mod loss;

use std::sync::Arc;

use hostkit_core::addon::{AddonId, AddonKind, AddonOrder};
use hostkit_core::database::{
    Connection, Database, DatabaseId, DatabaseStats, Extension, Protection, Restored, TenantTable,
};
use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::DatabaseLabel;
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{Addon, Databases, Dump, ProtectMode};

use crate::Engine;
use crate::addons;
use crate::context::Context;

/// What provides the databases of an environment that has some.
struct Provided {
    addon: AddonId,
    order: AddonOrder,
    driver: Arc<dyn Addon>,
}

impl Provided {
    fn of(context: &Context, verb: &str, environment: &EnvironmentId) -> Result<Self, Failure> {
        let id = AddonId::new(environment.clone(), AddonKind::Postgres);
        let found = context.parts.store.addon(&id)?;
        if found.removing {
            let message =
                format!("cannot {verb} databases of `{environment}`: its PostgreSQL is being removed");
            return Err(Failure::new(Kind::Conflict, message));
        }
        let driver = addons::provided(context, verb, &id, &found.order.settings)?.clone();
        Ok(Provided {
            addon: id,
            order: found.order,
            driver,
        })
    }

    fn databases(&self) -> Result<Arc<dyn Databases>, Failure> {
        self.driver.databases(&self.order).ok_or_else(|| {
            let message = format!(
                "cannot work on databases of `{}`: there are none",
                self.addon.environment
            );
            Failure::new(Kind::Unavailable, message).hint("`hostkit doctor` says what does not work")
        })
    }
}

/// Work on the databases of environments.
impl Engine {
    /// The databases of an environment, by name.
    pub async fn databases(&self, environment: &EnvironmentId) -> Result<Vec<Database>, Failure> {
        self.provided("list", environment)?
            .databases()?
            .list(environment)
            .await
    }

    /// Makes a further database. One that is there is a Conflict.
    pub async fn create_database(&self, id: &DatabaseId, by: &str) -> Result<Database, Failure> {
        let provided = self.provided("create", &id.environment)?;
        let _alone = alone(&self.context, id)?;
        let lock = self.context.lock_of_addon(&provided.addon);
        let _held = lock.lock().await;
        let databases = provided.databases()?;
        if find(&*databases, id).await?.is_some() {
            let message = format!(
                "cannot create the database `{}` of `{}`: it is there",
                id.label, id.environment
            );
            let project = &id.environment.project;
            return Err(Failure::new(Kind::Conflict, message)
                .hint(format!("see it with `hostkit db list {project}`")));
        }
        databases.create_database(id).await?;
        let what = What::DatabaseCreated {
            database: id.label.clone(),
            by: by.to_owned(),
        };
        self.store().record(Some(&id.environment), what)?;
        there(&*databases, id).await
    }

    /// Takes a further database away with all that is in it; with `backup`, the environment is backed up first.
    pub async fn drop_database(&self, id: &DatabaseId, backup: bool, by: &str) -> Result<(), Failure> {
        let provided = self.provided("drop", &id.environment)?;
        let _alone = alone(&self.context, id)?;
        there(&*provided.databases()?, id).await?;
        // The main one is refused, and nothing is lost.
        let backup = backup && !id.label.is_main();
        loss::losing(&self.context, &provided, id, loss::Act::Drop, backup).await?;
        let what = What::DatabaseDropped {
            database: id.label.clone(),
            by: by.to_owned(),
        };
        self.store().record(Some(&id.environment), what).map(drop)
    }

    /// What of a database is large, unused, slow.
    pub async fn database_stats(&self, id: &DatabaseId) -> Result<DatabaseStats, Failure> {
        self.provided("look into", &id.environment)?
            .databases()?
            .stats(id)
            .await
    }

    /// Who is connected to a database.
    pub async fn database_connections(&self, id: &DatabaseId) -> Result<Vec<Connection>, Failure> {
        let provided = self.provided("look into", &id.environment)?;
        provided.databases()?.connections(id).await
    }

    /// Extensions that a database has or may have.
    pub async fn database_extensions(&self, id: &DatabaseId) -> Result<Vec<Extension>, Failure> {
        let provided = self.provided("look into", &id.environment)?;
        provided.databases()?.extensions(id).await
    }

    /// Makes it so that a database has an extension.
    pub async fn ensure_database_extension(&self, id: &DatabaseId, name: &str) -> Result<(), Failure> {
        let provided = self.provided("change", &id.environment)?;
        provided.databases()?.ensure_extension(id, name).await
    }

    /// Keeps the tenants in a table apart, or only tries whether they are.
    pub async fn protect_database(
        &self,
        id: &DatabaseId,
        table: &TenantTable,
        mode: ProtectMode,
    ) -> Result<Protection, Failure> {
        let provided = self.provided("change", &id.environment)?;
        provided.databases()?.protect(id, table, mode).await
    }

    /// Begins a dump of a database. That it was asked for is recorded first, and so is how it failed, if it does.
    pub async fn dump_database(&self, id: &DatabaseId, by: &str) -> Result<Dump, Failure> {
        let provided = self.provided("dump", &id.environment)?;
        copies::dump(&self.context, &provided, id, by).await
    }

    /// Puts what a dump says into the place of a database. Until all of it is restored the old one is not touched. Goes on
    /// when the caller stops waiting; a dump that breaks off is given up. With `backup`, the environment is backed up
    /// before.
    pub async fn restore_database(
        &self,
        id: &DatabaseId,
        dump: Dump,
        backup: bool,
        by: &str,
    ) -> Result<Restored, Failure> {
        let provided = self.provided("restore", &id.environment)?;
        let coming = copies::Coming {
            dump,
            with: "a dump".to_owned(),
            backup,
            by: by.to_owned(),
        };
        copies::restore(&self.context, provided, id, coming).await
    }

    /// Puts a copy of one database into the place of another of the same project, which is made where it is a further one
    /// that is not there. With `backup`, the environment of one that is there is backed up before.
    pub async fn clone_database(
        &self,
        from: &DatabaseId,
        to: &DatabaseId,
        backup: bool,
        by: &str,
    ) -> Result<Restored, Failure> {
        let source = self.provided("clone", &from.environment)?;
        let target = self.provided("clone", &to.environment)?;
        copies::clone(&self.context, (source, from), (target, to), backup, by).await
    }

    fn provided(&self, verb: &str, environment: &EnvironmentId) -> Result<Provided, Failure> {
        Provided::of(&self.context, verb, environment)
    }
}

/// Of what makes, drops or replaces databases of an environment there is one at a time. Whoever comes second is told so:
/// the first may take hours.
fn alone(context: &Context, id: &DatabaseId) -> Result<tokio::sync::OwnedMutexGuard<()>, Failure> {
    let environment = &id.environment;
    context
        .lock_of_databases(environment)
        .try_lock_owned()
        .map_err(|_| {
            let message = format!(
                "cannot change the databases of `{environment}`: another change, or a restore, is under way"
            );
            Failure::new(Kind::Conflict, message).hint("try again when that is over; `hostkit events` tells")
        })
}

async fn find(databases: &dyn Databases, id: &DatabaseId) -> Result<Option<Database>, Failure> {
    let all = databases.list(&id.environment).await?;
    Ok(all.into_iter().find(|database| database.label == id.label))
}

/// A database that must be there.
async fn there(databases: &dyn Databases, id: &DatabaseId) -> Result<Database, Failure> {
    find(databases, id).await?.ok_or_else(|| {
        let DatabaseId { environment, label } = id;
        let message =
            format!("cannot find the database `{label}` of `{environment}`: it has none of that name");
        let project = &environment.project;
        let hint = match label == &DatabaseLabel::main() {
            true => format!("`hostkit addon list {project}` says how its PostgreSQL is"),
            false => format!(
                "`hostkit db list {project}` lists them, `hostkit db create {project} {label}` makes it"
            ),
        };
        Failure::new(Kind::NotFound, message).hint(hint)
    })
}
