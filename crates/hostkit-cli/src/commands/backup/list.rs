//! `hostkit backup list` and `show`.

use hostkit_api::backup::Backups;
use hostkit_api::endpoints::{ListBackups, NoQuery};
use hostkit_core::backup::{Backup, BackupState, Cause};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::size::ByteSize;

use super::{NOT_SAFE, history, numbered};
use crate::output::{Style, Table, ago};
use crate::session::Session;
use crate::stop::Stop;

/// The backups of an environment; also of one that is gone, which only who may change the whole installation sees.
pub(super) async fn standing(session: &Session<'_>, id: &EnvironmentId) -> Result<Backups, Stop> {
    let client = session.client()?;
    Ok(client.call::<ListBackups>(id, &NoQuery {}, &()).await?)
}

pub(super) async fn list(session: &Session<'_>, id: &EnvironmentId) -> Result<(), Stop> {
    let standing = standing(session, id).await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&standing);
    }
    if standing.backups.is_empty() {
        printer.say(&format!(
            "`{id}` has no backup. They are kept in {}.",
            standing.place
        ));
        printer.next(&format!("`hostkit backup now {}`", id.project));
        return history::moments(session, standing.history.as_ref());
    }
    let now = jiff::Timestamp::now();
    let mut table = Table::new(&["BACKUP", "MADE", "STATE", "SIZE", "PARTS", "FOR"]);
    for backup in &standing.backups {
        let (state, style) = state(backup, standing.kit_confirmed);
        let parts: Vec<String> = backup.parts.iter().map(|part| part.name.to_string()).collect();
        let cause = match backup.held {
            true => format!("{}, held", cause(backup.cause)),
            false => cause(backup.cause).to_owned(),
        };
        table.row(vec![
            (backup.number.to_string(), Style::Name),
            (ago(now, backup.at), Style::Plain),
            (state, style),
            (ByteSize(backup.bytes()).to_string(), Style::Plain),
            (parts.join(", "), Style::Plain),
            (cause, Style::Plain),
        ]);
    }
    printer.table(&table)?;
    if let Some(words) = left_out(&standing) {
        printer.say(&format!("In none of them: {words}."));
    }
    if !standing.kit_confirmed {
        printer.warn(NOT_SAFE);
        printer.next("`hostkit backup kit`, keep what it prints, then `hostkit backup kit --confirm`");
    }
    history::moments(session, standing.history.as_ref())
}

/// How a backup is, in words. One that cannot be read elsewhere is not called complete.
fn state(backup: &Backup, kit_confirmed: bool) -> (String, Style) {
    match backup.state {
        BackupState::Running => ("being made".into(), Style::Warning),
        BackupState::Failed => ("failed".into(), Style::Bad),
        BackupState::Damaged => ("damaged".into(), Style::Bad),
        BackupState::Proven if !kit_confirmed => ("proven, not safe yet".into(), Style::Warning),
        BackupState::Complete if !kit_confirmed => ("not safe yet".into(), Style::Warning),
        BackupState::Complete => ("complete, not proven".into(), Style::Warning),
        BackupState::Proven => ("proven".into(), Style::Good),
    }
}

fn cause(cause: Cause) -> &'static str {
    match cause {
        Cause::Schedule => "schedule",
        Cause::Asked => "somebody asked",
        Cause::Before => "before a change",
        Cause::Last => "deletion",
        Cause::Found => "another installation",
    }
}

pub(super) async fn show(session: &Session<'_>, id: &EnvironmentId, number: Option<u64>) -> Result<(), Stop> {
    let number = numbered(session, id, number).await?;
    let standing = standing(session, id).await?;
    let backup = standing.backups.iter().find(|backup| backup.number == number);
    let backup = backup.ok_or_else(|| {
        Failure::new(
            Kind::NotFound,
            format!("cannot find backup {number} of `{id}`: there is none of this number"),
        )
        .hint(format!("see all with `hostkit backup list {}`", id.project))
    })?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(backup);
    }
    let (state, style) = state(backup, standing.kit_confirmed);
    let row = |name: &str, value: &str| {
        printer.line(&format!(
            "  {}{value}",
            printer.on_out(&format!("{name:<10}"), Style::Dim)
        ))
    };
    printer.line(&format!(
        "Backup {number} of {id}: {}",
        printer.on_out(&state, style)
    ))?;
    row("made", &format!("{} ({})", backup.at, cause(backup.cause)))?;
    row("in", &backup.place)?;
    if let Some(failure) = &backup.failure {
        row("why", &printer.foreign_on_out(&failure.message))?;
    }
    for part in &backup.parts {
        row(&part.name.to_string(), &ByteSize(part.figures.bytes).to_string())?;
        for (what, count) in &part.counts {
            let what = printer.foreign_on_out(what);
            printer.line(&format!("            {what}: {count}"))?;
        }
        for what in &part.left_out {
            let what = printer.foreign_on_out(what);
            printer.line(&format!("            left out: {what}"))?;
        }
    }
    match left_out(&standing) {
        Some(words) => row("not in it", &words),
        None => Ok(()),
    }
}

/// What the environment has that no backup is made of.
fn left_out(standing: &Backups) -> Option<String> {
    let titles: Vec<&str> = standing.left_out.iter().map(|kind| kind.title()).collect();
    let is_any = !titles.is_empty();
    is_any.then(|| {
        format!(
            "{}, kept elsewhere, where it has to be backed up",
            titles.join(" and ")
        )
    })
}
