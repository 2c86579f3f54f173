//! `hostkit backup history`.

use std::io::IsTerminal;

use hostkit_api::endpoints::{GetHistory, NoQuery, SetHistory};
use hostkit_api::target::Installation;
use hostkit_core::backup::history::{HistorySettings, HistoryStanding};
use hostkit_core::size::ByteSize;

use crate::args::Switch;
use crate::commands::project::answers;
use crate::session::Session;
use crate::stop::Stop;

pub(super) async fn history(
    session: &Session<'_>,
    switch: Option<Switch>,
    days: Option<u32>,
    yes: bool,
) -> Result<(), Stop> {
    let client = session.client()?;
    let mut standing = client.call::<GetHistory>(&Installation, &NoQuery {}, &()).await?;
    let before = standing.settings;
    let wanted = HistorySettings {
        on: switch.map_or(before.on, |switch| switch == Switch::On),
        days: days.unwrap_or(before.days),
    };
    // Chosen before there was a server, it may still wait for that one.
    let is_start = switch == Some(Switch::On) && standing.needs_start;
    let is_new = wanted != before || is_start;
    if is_start && !yes {
        confirm(session)?;
    }
    if is_new {
        standing = client
            .call::<SetHistory>(&Installation, &NoQuery {}, &wanted)
            .await?;
    }
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&standing);
    }
    match wanted.on {
        true => printer.line(&format!(
            "Every change of databases is kept for {} days, where backups are: {} so far.",
            wanted.days,
            ByteSize(standing.bytes.unwrap_or_default())
        ))?,
        false => printer.line("No change of databases is kept: what there is are their backups.")?,
    }
    if is_new && !wanted.on && !standing.windows.is_empty() {
        printer.say(&format!(
            "What was kept until now goes when it is {} days old.",
            wanted.days
        ));
    }
    moments(session, Some(&standing))?;
    if !wanted.on && standing.windows.is_empty() {
        printer.next("`hostkit backup history on`");
    }
    Ok(())
}

/// Asks whether PostgreSQL may be started anew.
fn confirm(session: &Session<'_>) -> Result<(), Stop> {
    if !std::io::stdin().is_terminal() {
        return Err(Stop::usage(
            "cannot keep a history: PostgreSQL has to be started anew for it, and nobody can be asked",
            "add `--yes` if programs may do without it for some seconds",
        ));
    }
    let question = "PostgreSQL has to be started anew for this, once. For some seconds nobody gets in: what goes by DATABASE_URL waits, \
        other connections are cut off. Type `on` to go on: ";
    match answers(session, question, "on")? {
        true => Ok(()),
        false => {
            session.printer().say("Nothing was changed.");
            Err(Stop::Code(1))
        }
    }
}

/// Says to which moments databases can be brought back, where any can.
pub(super) fn moments(session: &Session<'_>, standing: Option<&HistoryStanding>) -> Result<(), Stop> {
    let Some(standing) = standing else {
        return Ok(());
    };
    let printer = session.printer();
    for window in &standing.windows {
        printer.line(&format!("Databases can be brought back to any moment {window}."))?;
    }
    if let Some(trouble) = standing.trouble.as_ref().filter(|_| standing.settings.on) {
        printer.warn(&format!(
            "Changes of databases are not taken away just now, and wait on the disk: {}",
            printer.foreign_on_err(trouble)
        ));
    } else if standing.settings.on && standing.windows.is_empty() {
        printer.say(
            "A first copy of all databases is made when there are some; from then on there are moments.",
        );
    }
    Ok(())
}
