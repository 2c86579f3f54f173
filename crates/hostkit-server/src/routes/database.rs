//! Databases of environments.

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use hostkit_api::database::{DatabaseClone, NewDatabase, NewExtension, NewProtection};
use hostkit_api::endpoints::{
    CloneDatabase, CreateDatabase, CreateExtension, DropDatabase, DumpDatabase, GetDatabaseStats,
    ListConnections, ListDatabases, ListExtensions, ProtectTable, RestoreDatabase,
};
use hostkit_core::database::{
    Connection, Database, DatabaseId, DatabaseStats, Extension, Protection, Restored,
};
use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::ProtectMode;

use crate::auth::Admitted;
use crate::incoming::Incoming;

pub(crate) async fn list(call: Admitted<ListDatabases>, (): ()) -> Result<Vec<Database>, Failure> {
    call.shared().engine.databases(call.target()).await
}

pub(crate) async fn create(call: Admitted<CreateDatabase>, new: NewDatabase) -> Result<Database, Failure> {
    let id = DatabaseId::new(call.target().clone(), new.label);
    call.shared().engine.create_database(&id, call.by()).await
}

pub(crate) async fn delete(call: Admitted<DropDatabase>, (): ()) -> Result<(), Failure> {
    let backup = call.query().is_backed_up();
    call.shared()
        .engine
        .drop_database(call.target(), backup, call.by())
        .await
}

pub(crate) async fn stats(call: Admitted<GetDatabaseStats>, (): ()) -> Result<DatabaseStats, Failure> {
    call.shared().engine.database_stats(call.target()).await
}

pub(crate) async fn connections(call: Admitted<ListConnections>, (): ()) -> Result<Vec<Connection>, Failure> {
    call.shared().engine.database_connections(call.target()).await
}

pub(crate) async fn extensions(call: Admitted<ListExtensions>, (): ()) -> Result<Vec<Extension>, Failure> {
    call.shared().engine.database_extensions(call.target()).await
}

pub(crate) async fn extend(call: Admitted<CreateExtension>, new: NewExtension) -> Result<(), Failure> {
    let engine = &call.shared().engine;
    engine.ensure_database_extension(call.target(), &new.name).await
}

pub(crate) async fn protect(call: Admitted<ProtectTable>, new: NewProtection) -> Result<Protection, Failure> {
    let mode = match new.only_try {
        true => ProtectMode::Try,
        false => ProtectMode::Protect,
    };
    let engine = &call.shared().engine;
    engine.protect_database(call.target(), &new.table, mode).await
}

pub(crate) async fn dump(
    call: Admitted<DumpDatabase>,
) -> Result<impl Stream<Item = Result<Bytes, Failure>>, Failure> {
    let dump = call
        .shared()
        .engine
        .dump_database(call.target(), call.by())
        .await?;
    Ok(dump.map(|piece| piece.map(Bytes::from)))
}

pub(crate) async fn restore(call: Admitted<RestoreDatabase>, body: Incoming) -> Result<Restored, Failure> {
    let dump = futures_util::stream::unfold(body, |mut body| async move {
        let piece = body.piece().await.transpose()?;
        Some((piece.map(|bytes| bytes.to_vec()), body))
    });
    let engine = &call.shared().engine;
    engine
        .restore_database(
            call.target(),
            Box::pin(dump),
            call.query().is_backed_up(),
            call.by(),
        )
        .await
}

pub(crate) async fn clone(call: Admitted<CloneDatabase>, of: DatabaseClone) -> Result<Restored, Failure> {
    let to = call.target();
    let environment = of
        .environment
        .unwrap_or_else(|| to.environment.environment.clone());
    // Of the same project: whoever may change the one may read the other.
    let environment = EnvironmentId::new(to.environment.project.clone(), environment);
    let from = DatabaseId::new(environment, of.from);
    let backup = call.query().is_backed_up();
    call.shared()
        .engine
        .clone_database(&from, to, backup, call.by())
        .await
}
