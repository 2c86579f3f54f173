//! A clone: a dump that is restored while it is made. The database that is cloned goes on meanwhile, which a clone by
//! PostgreSQL's own `TEMPLATE` would not let it.

use hostkit_core::kind::Failure;

use super::dump::Dump;
use super::restore::{Restored, restore_beside};
use super::tools::Tools;
use crate::postgres::databases::Limits;
use crate::postgres::names::DatabaseName;
use crate::postgres::session::Access;

/// Clones a database of one environment into a new one beside `to`, a database of another or of the same, whose place it
/// can then take ([`super::take_place`]).
pub async fn clone_database(
    access: &Access,
    tools: &Tools,
    from: (&DatabaseName, &DatabaseName),
    to: (&DatabaseName, &DatabaseName),
    limits: &Limits,
) -> Result<Restored, Failure> {
    let mut dump = Dump::begin(access, tools, from.0, from.1.as_str(), 0).await?;
    let restored = restore_beside(access, tools, to, limits, &mut dump.bytes).await;
    match (dump.finish(access).await, restored) {
        (Ok(()), restored) => restored,
        // Which of the two failed first is not known: both tell.
        (Err(dump), Err(restore)) => {
            let details = restore.details.iter().chain(&dump.details).cloned().collect();
            Err(restore.details(details))
        }
        (Err(failure), Ok(restored)) => {
            super::discard(access, &restored).await?;
            Err(failure)
        }
    }
}
