//! `hostkit backup restore`.

use std::io::IsTerminal;

use hostkit_api::backup::{OneBackup, Restoration, RestorationElsewhere};
use hostkit_api::endpoints::{GetEnvironment, NoQuery, RestoreBackup, RestoreBackupElsewhere};
use hostkit_api::target::Installation;
use hostkit_core::kind::Kind;
use hostkit_core::project::EnvironmentId;
use serde_json::json;

use super::{act, numbered};
use crate::args::Elsewhere;
use crate::commands::project::answers;
use crate::session::Session;
use crate::stop::Stop;

/// What is to be restored.
pub(super) struct Order {
    pub(super) from: EnvironmentId,
    pub(super) number: Option<u64>,
    pub(super) to: Option<Elsewhere>,
    pub(super) backup: Option<bool>,
}

pub(super) async fn restore(session: &Session<'_>, order: Order, yes: bool) -> Result<(), Stop> {
    let Order {
        from,
        number,
        to,
        backup,
    } = order;
    let number = numbered(session, &from, number).await?;
    let to = target(&from, to);
    let client = session.client()?;
    let is_there = is_there(session, &to).await?;
    if is_there && !yes {
        confirm(
            session,
            &format!("backup {number} of `{from}`"),
            "the data and the variables",
            &to,
        )?;
    }
    let updates = match is_there && to == from {
        true => {
            let target = OneBackup {
                environment: from.clone(),
                number,
            };
            client
                .lines::<RestoreBackup>(&target, &Restoration { backup })
                .await?
        }
        false => {
            let query = RestorationElsewhere {
                project: Some(from.project.clone()),
                environment: Some(from.environment.clone()),
                number: Some(number),
                at: None,
                to_project: Some(to.project.clone()),
                to_environment: Some(to.environment.clone()),
                backup,
            };
            client
                .lines::<RestoreBackupElsewhere>(&Installation, &query)
                .await?
        }
    };
    let (backup, notes) = act::follow(session, updates).await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&json!({ "restored": backup, "into": to.to_string(), "notes": notes }));
    }
    printer.say(&format!("Restored backup {number} of `{from}` into `{to}`."));
    for note in &notes {
        printer.say(note);
    }
    Ok(())
}

/// Where it is restored into.
pub(super) fn target(from: &EnvironmentId, to: Option<Elsewhere>) -> EnvironmentId {
    to.map_or_else(
        || from.clone(),
        |to| {
            EnvironmentId::new(
                to.project,
                to.environment.unwrap_or_else(|| from.environment.clone()),
            )
        },
    )
}

pub(super) async fn is_there(session: &Session<'_>, id: &EnvironmentId) -> Result<bool, Stop> {
    match session
        .client()?
        .call::<GetEnvironment>(id, &NoQuery {}, &())
        .await
    {
        Ok(_) => Ok(true),
        Err(failure) if failure.kind == Kind::NotFound => Ok(false),
        Err(failure) => Err(failure.into()),
    }
}

/// Asks whether what is there may be replaced.
pub(super) fn confirm(session: &Session<'_>, with: &str, what: &str, to: &EnvironmentId) -> Result<(), Stop> {
    if !std::io::stdin().is_terminal() {
        return Err(Stop::usage(
            format!("cannot restore {with}: it replaces what is in `{to}`, and nobody can be asked"),
            "add `--yes` if you mean it",
        ));
    }
    let name = to.project.as_str();
    let question = format!("This replaces {what} of `{to}` with those of {with}. Type `{name}` to go on: ");
    if answers(session, &question, name)? {
        return Ok(());
    }
    session.printer().say("Nothing was changed.");
    Err(Stop::Code(1))
}
