//! `hostkit backup kit`.

use std::io::{BufRead, IsTerminal, Read};
use std::path::Path;

use hostkit_api::backup::{Adopted, KitText};
use hostkit_api::endpoints::{AdoptRecoveryKit, ConfirmRecoveryKit, NoQuery, ShowRecoveryKit};
use hostkit_api::target::Installation;
use hostkit_core::kind::{Failure, Kind};
use serde_json::json;

use crate::session::Session;
use crate::stop::Stop;
use crate::upload::reason;

/// Many times what the longest kit takes.
const LARGEST: u64 = 64 * 1024;

pub(super) async fn show(session: &Session<'_>) -> Result<(), Stop> {
    let client = session.client()?;
    let kit = client
        .call::<ShowRecoveryKit>(&Installation, &NoQuery {}, &())
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&json!({ "kit": kit }));
    }
    printer.line(kit.trim_end())?;
    printer.next("keep this away from this machine, then `hostkit backup kit --confirm`");
    Ok(())
}

pub(super) async fn confirm(session: &Session<'_>) -> Result<(), Stop> {
    let stdin = std::io::stdin();
    let mut text = String::new();
    let read = match stdin.is_terminal() {
        true => {
            session.printer().ask("The key of the kit: ");
            stdin.lock().read_line(&mut text)
        }
        false => stdin.lock().take(LARGEST).read_to_string(&mut text),
    };
    read.map_err(|error| Stop::internal(format!("cannot read the kit: {error}")))?;
    let client = session.client()?;
    client
        .call::<ConfirmRecoveryKit>(&Installation, &NoQuery {}, &KitText { text })
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&json!({ "confirmed": true }));
    }
    printer.say("This is the key of the backups here. With the kit they can be restored on any machine.");
    Ok(())
}

/// Takes over the backups that a kit is for.
pub(super) async fn adopt(session: &Session<'_>, file: &Path) -> Result<Adopted, Stop> {
    let cannot = |error: &std::io::Error| {
        let why = format!("cannot read the kit `{}`: {}", file.display(), reason(error));
        Failure::new(Kind::Invalid, why).hint("name the file of the kit, or `-` for stdin")
    };
    let mut text = String::new();
    let read = match file.as_os_str() == "-" {
        true => std::io::stdin().lock().take(LARGEST).read_to_string(&mut text),
        false => std::fs::File::open(file).and_then(|file| file.take(LARGEST).read_to_string(&mut text)),
    };
    read.map_err(|error| cannot(&error))?;
    let client = session.client()?;
    Ok(client
        .call::<AdoptRecoveryKit>(&Installation, &NoQuery {}, &KitText { text })
        .await?)
}

pub(super) async fn adopt_and_say(session: &Session<'_>, file: &Path) -> Result<(), Stop> {
    let adopted = adopt(session, file).await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&adopted);
    }
    printer.say(&format!(
        "Backups are kept where the kit says from now on. Found there: {} that were not known here.",
        adopted.backups
    ));
    printer.next("`hostkit backup list NAME`, then `hostkit backup restore NAME`");
    Ok(())
}
