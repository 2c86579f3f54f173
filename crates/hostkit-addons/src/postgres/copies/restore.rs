//! A restore: into a new database beside the old one, which it then replaces by two renames. Until then the old one is
//! not touched; a restore that fails, or is cut off, leaves it as it is.

use std::time::Duration;

use hostkit_core::database::Contents;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::traits::Dump;

use super::coming::Coming;
use super::fill::fill;
use super::moment::contents;
use super::tools::Tools;
use crate::postgres::databases::{
    Limits, OWN_DATABASE, create_empty, disconnect, drop_database, drop_role, known, let_nobody_in, mark,
};
use crate::postgres::names::DatabaseName;
use crate::postgres::pooler::Pooler;
use crate::postgres::quote::{identifier, literal};
use crate::postgres::session::{Access, Session};

/// How long transactions that run may take to end while all others wait.
const LONGEST_HOLD: Duration = Duration::from_secs(20);
/// A database that waits to take another's place.
const NEW: &str = "new";
/// The one that was replaced.
const OLD: &str = "old";

/// A database that was restored and waits beside the one it is meant to replace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// The environment's main database, which owns both.
    pub main: DatabaseName,
    /// The database that is to be replaced.
    pub target: DatabaseName,
    /// The one that waits.
    pub name: String,
}

impl Waiting {
    /// The one that waits, or would wait, beside a database.
    pub fn beside(main: &DatabaseName, target: &DatabaseName) -> Self {
        Waiting {
            main: main.clone(),
            target: target.clone(),
            name: target.beside(NEW),
        }
    }
}

/// Restores a dump into a new database beside its target, and counts what is in it. Whatever waited there is removed.
///
/// The dump is run with the rights of the project's own programs. Anything that cannot be restored fails the whole.
pub async fn restore_beside(
    access: &Access,
    tools: &Tools,
    waiting: &Waiting,
    limits: &Limits,
    dump: Dump,
) -> Result<Contents, Failure> {
    let coming = Coming::begin(dump).await?;
    let session = access.connect(OWN_DATABASE).await?;
    discard(access, waiting).await?;
    create_empty(access, &session, &waiting.name, &waiting.main, limits).await?;
    let filled = async {
        fill(access, tools, waiting, coming).await?;
        // What is not analysed yet is slow, and would be so when it is needed most.
        let inside = access.connect(&waiting.name).await?;
        inside.run("look over what was restored", "ANALYZE").await?;
        contents(access, &waiting.main, &waiting.name).await
    };
    let filled = filled.await;
    if filled.is_err() {
        discard(access, waiting).await?;
    }
    filled
}

/// Puts a restored database into the place of the one it is for. Transactions that come by PgBouncer wait meanwhile;
/// direct connections are cut. The one that was replaced is removed. A caller that no longer waits does not stop it half
/// way: programs would be kept out. After a kill half way, [`crate::postgres::addon::Postgres`] lets them in again when it
/// is ensured.
pub async fn take_place(access: &Access, pooler: &Pooler, waiting: &Waiting) -> Result<(), Failure> {
    let (access, pooler, waiting) = (access.clone(), pooler.clone(), waiting.clone());
    let done = tokio::spawn(async move { exchange(&access, &pooler, &waiting).await });
    done.await.unwrap_or_else(|why| {
        Err(Failure::new(
            Kind::Internal,
            format!("cannot put a restored database into its place: {why}"),
        ))
    })
}

async fn exchange(access: &Access, pooler: &Pooler, waiting: &Waiting) -> Result<(), Failure> {
    let target = waiting.target.as_str();
    let session = access.connect(OWN_DATABASE).await?;
    let there = known(&session).await?;
    if !there.iter().any(|database| database.name == waiting.name) {
        return Err(Failure::new(
            Kind::NotFound,
            format!("cannot put a restored database into the place of `{target}`: there is none"),
        ));
    }
    let old = waiting.target.beside(OLD);
    drop_database(&session, &old).await?;
    let held = hold(pooler, target).await;
    let swapped = match held {
        Ok(()) => swap(&session, waiting, &old).await,
        Err(failure) => Err(failure),
    };
    // Whatever happened, those who wait must not wait for ever. On a console of its own: the other may still wait.
    pooler.console().await?.resume(target).await?;
    swapped?;
    let swept = async {
        drop_database(&session, &old).await?;
        drop_role(&session, &waiting.name).await
    };
    if let Err(failure) = swept.await {
        // What was asked for is done; what is left goes with the next restore, or with the database.
        tracing::warn!(%failure, database = old, "what a restored database replaced is left");
    }
    Ok(())
}

/// Holds transactions on a database. One that does not end is not waited for for ever, for all others wait with us.
async fn hold(pooler: &Pooler, database: &str) -> Result<(), Failure> {
    let console = pooler.console().await?;
    let held = tokio::time::timeout(LONGEST_HOLD, console.pause(database)).await;
    held.unwrap_or_else(|_| {
        Err(Failure::new(
            Kind::Conflict,
            format!("cannot put a restored database into the place of `{database}`: a transaction there does not end"),
        )
        .hint("`hostkit db connections` shows it; nothing was changed: end it, then try again"))
    })
}

/// Two renames, in one transaction: at no moment is there none of that name.
async fn swap(session: &Session, waiting: &Waiting, old: &str) -> Result<(), Failure> {
    let target = waiting.target.as_str();
    let_nobody_in(session, target, true).await?;
    let done = async {
        disconnect(session, target).await?;
        disconnect(session, &waiting.name).await?;
        let (name, new, old) = (identifier(target)?, identifier(&waiting.name)?, identifier(old)?);
        let statements = format!(
            "BEGIN;
             ALTER DATABASE {name} RENAME TO {old};
             ALTER DATABASE {new} RENAME TO {name};
             COMMENT ON DATABASE {name} IS {mark};
             COMMIT;",
            mark = literal(&mark(&waiting.main))?,
        );
        session
            .run(
                &format!("put the restored database into the place of `{target}`"),
                &statements,
            )
            .await
    }
    .await;
    if done.is_err() {
        // A failed transaction is still open; what follows is not to be part of it.
        session.run("give up", "ROLLBACK").await?;
    }
    let_nobody_in(session, target, false).await?;
    done
}

/// Removes a database that waits to take another's place. That there is none is no failure.
pub async fn discard(access: &Access, waiting: &Waiting) -> Result<(), Failure> {
    let session = access.connect(OWN_DATABASE).await?;
    drop_database(&session, &waiting.name).await?;
    drop_role(&session, &waiting.name).await
}
