//! `hostkit cache`.

use hostkit_api::cache::CachePurge;
use hostkit_api::endpoints::{NoQuery, PurgeCache};

use crate::args::CacheCommand;
use crate::session::Session;
use crate::stop::Stop;

pub(crate) async fn run(session: &Session<'_>, command: CacheCommand) -> Result<(), Stop> {
    let CacheCommand::Purge { path, target } = command;
    let environment = session.target(&target).await?;
    let purged = session
        .client()?
        .call::<PurgeCache>(&environment, &NoQuery {}, &CachePurge { path })
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&purged);
    }
    let what = match purged.addresses {
        1 => "the answer of 1 address".to_owned(),
        count => format!("the answers of {count} addresses"),
    };
    printer.say(&format!("Took {what} of `{environment}` out of the cache."));
    Ok(())
}
