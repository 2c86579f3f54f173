//! A dump: a database at one moment, in the custom format of `pg_dump`, read as it is written.

use hostkit_core::kind::Failure;
use hostkit_core::traits::Dump;

use super::moment::Moment;
use super::pieces::sent;
use super::tools::Tools;
use crate::postgres::databases::{Errand, May};
use crate::postgres::names::DatabaseName;
use crate::postgres::session::Access;

/// Begins a dump of a database, with compression as gzip has it (none at 0, for whoever compresses it himself; at most 9).
/// It ends without a failure only where it is whole; given up, it leaves nothing.
pub async fn dump(
    access: &Access,
    tools: &Tools,
    place: (&DatabaseName, &str),
    compression: u8,
) -> Result<Dump, Failure> {
    begin(access, tools, place, compression, None).await
}

/// The same of a moment that was counted, which is over when the dump is.
pub(super) async fn dump_at(
    access: &Access,
    tools: &Tools,
    place: (&DatabaseName, &str),
    compression: u8,
    moment: Moment,
) -> Result<Dump, Failure> {
    begin(access, tools, place, compression, Some(moment)).await
}

async fn begin(
    access: &Access,
    tools: &Tools,
    (main, database): (&DatabaseName, &str),
    compression: u8,
    moment: Option<Moment>,
) -> Result<Dump, Failure> {
    let errand = match Errand::begin(access, main, May::ReadAll).await {
        Ok(errand) => errand,
        Err(failure) => return over(access, None, moment).await.and(Err(failure)),
    };
    let compression = format!("--compress={}", compression.min(9));
    let snapshot = moment
        .as_ref()
        .map(|moment| format!("--snapshot={}", moment.snapshot));
    // Who owns and who may what is said anew at a restore.
    let mut arguments = vec![
        "--format=custom",
        &compression,
        "--no-owner",
        "--no-privileges",
        "--no-password",
    ];
    arguments.extend(snapshot.as_deref());
    match tools.start("pg_dump", &arguments, errand.key(), database).await {
        Ok(running) => {
            let access = access.clone();
            let act = format!("dump the database `{database}`");
            sent(
                running,
                act,
                async move { over(&access, Some(errand), moment).await },
            )
        }
        Err(failure) => over(access, Some(errand), moment).await.and(Err(failure)),
    }
}

/// Takes the logins of a dump away.
async fn over(access: &Access, errand: Option<Errand>, moment: Option<Moment>) -> Result<(), Failure> {
    let counted = match moment {
        Some(moment) => moment.end(access).await,
        None => Ok(()),
    };
    let dumped = match errand {
        Some(errand) => errand.end(access).await,
        None => Ok(()),
    };
    dumped.and(counted)
}
