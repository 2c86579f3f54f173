//! `hostkit redis`: work on the Redis of a project, with no password typed.

use hostkit_core::addon::AddonKind;
use hostkit_core::project::EnvironmentId;

use super::addon::url;
use super::project::confirm;
use super::run::console;
use crate::args::RedisCommand;
use crate::session::Session;
use crate::stop::Stop;

pub(crate) async fn run(session: &Session<'_>, command: RedisCommand) -> Result<(), Stop> {
    match command {
        RedisCommand::Cli { whose, command } => open(session, &whose.id(), command).await,
        RedisCommand::Info { whose, section } => {
            let words = std::iter::once("INFO".to_owned()).chain(section);
            open(session, &whose.id(), words.collect()).await
        }
        RedisCommand::Flush { whose, yes } => {
            let environment = whose.id();
            if !yes {
                let what = format!("every key in the Redis of `{environment}`");
                confirm(session, &environment.project, "delete", &what)?;
            }
            open(session, &environment, vec!["FLUSHALL".into()]).await
        }
        RedisCommand::Url { whose } => url(session, &whose.id(), AddonKind::Redis, "REDIS_URL").await,
    }
}

async fn open(session: &Session<'_>, environment: &EnvironmentId, words: Vec<String>) -> Result<(), Stop> {
    session.is_about(environment);
    console(session, environment, AddonKind::Redis, words).await
}
