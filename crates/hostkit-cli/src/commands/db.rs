//! `hostkit db`: work on the database of a project, with no password typed.

use hostkit_core::addon::AddonKind;

use super::addon::url;
use super::run::console;
use crate::args::DbCommand;
use crate::session::Session;
use crate::stop::Stop;

pub(crate) async fn run(session: &Session<'_>, command: DbCommand) -> Result<(), Stop> {
    match command {
        DbCommand::Psql { whose, arguments } => {
            let environment = whose.id();
            session.is_about(&environment);
            console(session, &environment, AddonKind::Postgres, arguments).await
        }
        DbCommand::Url { whose, direct } => {
            let variable = if direct { "DIRECT_URL" } else { "DATABASE_URL" };
            url(session, &whose.id(), AddonKind::Postgres, variable).await
        }
    }
}
