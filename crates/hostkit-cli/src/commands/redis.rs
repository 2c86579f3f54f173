//! `hostkit redis`: work on the Redis of a project, with no password typed.

use hostkit_api::endpoints::{NoQuery, RevealAddon};
use hostkit_api::target::OneAddon;
use hostkit_core::addon::{AddonId, AddonKind};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use serde_json::json;

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
                confirm(session, &environment.project, &what)?;
            }
            open(session, &environment, vec!["FLUSHALL".into()]).await
        }
        RedisCommand::Url { whose } => url(session, &whose.id()).await,
    }
}

async fn open(session: &Session<'_>, environment: &EnvironmentId, words: Vec<String>) -> Result<(), Stop> {
    session.is_about(environment);
    console(session, environment, AddonKind::Redis, words).await
}

async fn url(session: &Session<'_>, environment: &EnvironmentId) -> Result<(), Stop> {
    session.is_about(environment);
    let target = OneAddon(AddonId::new(environment.clone(), AddonKind::Redis));
    let told = session
        .client()?
        .call::<RevealAddon>(&target, &NoQuery {}, &())
        .await?;
    let url = told
        .variables
        .iter()
        .find(|(name, _)| name.as_str() == "REDIS_URL");
    let (_, url) = url.ok_or_else(|| Failure::new(Kind::Internal, "cannot tell the URL: there is none"))?;
    let printer = session.printer();
    match printer.wants_json() {
        true => printer.json(&json!({ "url": url })),
        false => printer.line(url),
    }
}
