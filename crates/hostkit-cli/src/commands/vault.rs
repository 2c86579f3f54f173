//! `hostkit vault`: what stored values are encrypted with.

use hostkit_api::endpoints::{NoQuery, RotateMasterKey};
use hostkit_api::target::Installation;

use crate::args::VaultCommand;
use crate::output::plural;
use crate::session::Session;
use crate::stop::Stop;

pub(crate) async fn run(session: &Session<'_>, command: VaultCommand) -> Result<(), Stop> {
    let printer = session.printer();
    match command {
        VaultCommand::RotateKey => {
            let rotated = session
                .client()?
                .call::<RotateMasterKey>(&Installation, &NoQuery {}, &())
                .await?;
            if printer.wants_json() {
                return printer.json(&rotated);
            }
            printer.say(&format!(
                "Encrypted {} with a new master key, `{}`.",
                plural(rotated.values, "value"),
                rotated.key
            ));
            printer.next("a copy of the key that you keep elsewhere is to be made again: the old one opens nothing new");
            Ok(())
        }
    }
}
