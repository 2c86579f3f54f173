//! What loses the data of a database: a drop, and a copy that takes its place. Every such act goes through [`losing`],
//! which has the environment backed up before.

use std::sync::Arc;

use hostkit_core::addon::AddonKind;
use hostkit_core::database::DatabaseId;
use hostkit_core::kind::Failure;

use super::Provided;
use crate::backups;
use crate::context::Context;

/// How a database loses what is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    /// It is taken away.
    Drop,
    /// The one that waits beside it takes its place.
    Replace,
}

/// Does what loses the data of a database. Where `backup` says so they are backed up first, and nothing is lost where that
/// fails. The loop that keeps the add-on waits meanwhile: it would let programs in again that an exchange keeps out.
pub(super) async fn losing(
    context: &Arc<Context>,
    provided: &Provided,
    id: &DatabaseId,
    act: Act,
    backup: bool,
) -> Result<(), Failure> {
    let databases = provided.databases()?;
    // Before the lock is taken: a backup may have to start the server.
    if backup {
        backups::before(context, &id.environment, Some(AddonKind::Postgres)).await?;
    }
    let lock = context.lock_of_addon(&provided.addon);
    let _held = lock.lock().await;
    match act {
        Act::Drop => databases.drop_database(id).await,
        Act::Replace => databases.take_place(id).await,
    }
}
