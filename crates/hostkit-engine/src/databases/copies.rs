//! Dumps that leave, and copies that take the place of a database.

use std::sync::Arc;

use futures_util::StreamExt;
use hostkit_core::database::{DatabaseId, Restored};
use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::{Databases, Dump};

use super::loss::{self, Act};
use super::{Provided, alone, find, there};
use crate::context::Context;

/// Begins a dump for somebody.
pub(super) async fn dump(
    context: &Arc<Context>,
    provided: &Provided,
    id: &DatabaseId,
    by: &str,
) -> Result<Dump, Failure> {
    let dump = provided.databases()?.dump(id).await?;
    let database = id.label.clone();
    let what = What::DatabaseDumped {
        database: database.clone(),
        by: by.to_owned(),
    };
    context.parts.store.record(Some(&id.environment), what)?;
    let (context, environment) = (context.clone(), id.environment.clone());
    Ok(Box::pin(dump.inspect(move |piece| {
        let Err(failure) = piece else { return };
        let what = What::DatabaseDumpFailed {
            database: database.clone(),
            reason: failure.message.clone(),
        };
        if let Err(error) = context.parts.store.record(Some(&environment), what) {
            tracing::warn!(%error, "cannot record that a dump failed");
        }
    })))
}

/// Restores a dump, in a task of its own: half done it would leave a database that nobody knows.
pub(super) async fn restore(
    context: &Arc<Context>,
    provided: Provided,
    id: &DatabaseId,
    coming: Coming,
) -> Result<Restored, Failure> {
    let alone = alone(context, id)?;
    let (context, id) = (context.clone(), id.clone());
    let restored = tokio::spawn(async move {
        let _alone = alone;
        replace(&context, &provided, &id, coming).await
    });
    finished(restored.await)
}

/// Copies one database into the place of another.
pub(super) async fn clone(
    context: &Arc<Context>,
    (source, from): (Provided, &DatabaseId),
    (target, to): (Provided, &DatabaseId),
    backup: bool,
    by: &str,
) -> Result<Restored, Failure> {
    if from == to {
        let message = format!(
            "cannot clone the database `{}` of `{}` into itself",
            to.label, to.environment
        );
        return Err(Failure::new(Kind::Invalid, message));
    }
    let alone = alone(context, to)?;
    let (context, from, to, by) = (context.clone(), from.clone(), to.clone(), by.to_owned());
    let cloned = tokio::spawn(async move {
        let _alone = alone;
        let databases = target.databases()?;
        there(&*source.databases()?, &from).await?;
        let is_new = !to.label.is_main() && find(&*databases, &to).await?.is_none();
        if is_new {
            let lock = context.lock_of_addon(&target.addon);
            let _held = lock.lock().await;
            databases.create_database(&to).await?;
        }
        let copied = async {
            let coming = Coming {
                dump: source.databases()?.dump(&from).await?,
                with: format!("a clone of `{}` of `{}`", from.label, from.environment),
                backup: backup && !is_new,
                by,
            };
            replace(&context, &target, &to, coming).await
        };
        let copied = copied.await;
        if copied.is_err() && is_new {
            take_back(&*databases, &to).await;
        }
        copied
    });
    finished(cloned.await)
}

/// What comes into the place of a database.
pub(super) struct Coming {
    /// All of it.
    pub(super) dump: Dump,
    /// What it is, in words.
    pub(super) with: String,
    /// Whether what is there is backed up before.
    pub(super) backup: bool,
    /// The token or account that asked.
    pub(super) by: String,
}

async fn replace(
    context: &Arc<Context>,
    provided: &Provided,
    id: &DatabaseId,
    coming: Coming,
) -> Result<Restored, Failure> {
    let databases = provided.databases()?;
    let name = there(&*databases, id).await?.name;
    let contents = databases.restore_beside(id, coming.dump).await?;
    if let Err(failure) = loss::losing(context, provided, id, Act::Replace, coming.backup).await {
        if let Err(error) = databases.discard(id).await {
            tracing::warn!(%error, database = %id, "what was restored is left beside");
        }
        return Err(failure);
    }
    let what = What::DatabaseReplaced {
        database: id.label.clone(),
        with: coming.with,
        by: coming.by,
    };
    context.parts.store.record(Some(&id.environment), what)?;
    Ok(Restored {
        name,
        tables: contents.tables.len() as u64,
        rows: contents.rows(),
        at: context.parts.clock.now(),
    })
}

/// Takes a database away again that was made for a copy that failed, and has nothing in it.
async fn take_back(databases: &dyn Databases, id: &DatabaseId) {
    if let Err(error) = databases.drop_database(id).await {
        tracing::warn!(%error, database = %id, "an empty database is left");
    }
}

fn finished<T>(outcome: Result<Result<T, Failure>, tokio::task::JoinError>) -> Result<T, Failure> {
    outcome.unwrap_or_else(|why| {
        let message = format!("cannot replace a database: {why}");
        Err(Failure::new(Kind::Internal, message))
    })
}
