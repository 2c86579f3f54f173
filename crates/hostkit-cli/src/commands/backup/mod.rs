//! `hostkit backup`.

mod act;
mod download;
mod dumps;
mod history;
mod kit;
mod list;
mod moment;
mod new_files;
mod plan;
mod restore;
mod target;

use hostkit_api::backup::{BackupChange, OneBackup, Pruning};
use hostkit_api::endpoints::{
    ChangeBackup, CreateBackup, ListBackups, NoQuery, PruneBackups, SetBackupSchedule, VerifyBackup,
};
use hostkit_core::backup::retention::{Reason, Verdict};
use hostkit_core::backup::schedule::BackupSchedule;
use hostkit_core::backup::{Backup, BackupState};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;

use crate::args::{BackupCommand, Keep, Whose};
use crate::output::{Style, Table};
use crate::session::Session;
use crate::stop::Stop;

pub(crate) async fn run(session: &Session<'_>, command: BackupCommand) -> Result<(), Stop> {
    match command {
        BackupCommand::Now { whose } => now(session, &about(session, &whose)).await,
        BackupCommand::List { whose } => list::list(session, &about(session, &whose)).await,
        BackupCommand::Show { which } => {
            let id = about(session, &which.whose);
            list::show(session, &id, which.number).await
        }
        BackupCommand::Verify { which } => {
            let id = about(session, &which.whose);
            verify(session, &id, which.number).await
        }
        BackupCommand::Restore {
            which,
            to,
            to_time: Some(at),
            no_backup,
            yes,
            kit: _,
        } => {
            let order = moment::Order {
                from: about(session, &which.whose),
                at,
                to,
                backup: (no_backup).then_some(false),
            };
            moment::restore(session, order, yes).await
        }
        BackupCommand::Restore {
            which,
            to,
            to_time: None,
            kit,
            no_backup,
            yes,
        } => {
            let order = restore::Order {
                from: about(session, &which.whose),
                number: which.number,
                to,
                backup: (no_backup).then_some(false),
            };
            if let Some(file) = kit {
                kit::adopt(session, &file).await?;
            }
            restore::restore(session, order, yes).await
        }
        BackupCommand::Download {
            whose,
            part,
            number,
            output,
        } => {
            let id = about(session, &whose);
            let number = numbered(session, &id, number).await?;
            download::download(
                session,
                OneBackup {
                    environment: id,
                    number,
                },
                part,
                &output,
            )
            .await
        }
        BackupCommand::Schedule {
            whose,
            daily,
            off,
            keep,
        } => schedule(session, &about(session, &whose), daily, off, &keep).await,
        BackupCommand::Prune { whose, plan } => prune(session, &about(session, &whose), plan).await,
        BackupCommand::Hold {
            whose,
            number,
            release,
        } => {
            let id = about(session, &whose);
            hold(session, &id, number, !release).await
        }
        BackupCommand::Plan { simulate, keep } => plan::plan(session, simulate, &keep),
        BackupCommand::History { switch, days, yes } => history::history(session, switch, days, yes).await,
        BackupCommand::Target { command } => target::run(session, command).await,
        BackupCommand::Kit { confirm, adopt } => match adopt {
            Some(file) => kit::adopt_and_say(session, &file).await,
            None if confirm => kit::confirm(session).await,
            None => kit::show(session).await,
        },
    }
}

fn about(session: &Session<'_>, whose: &Whose) -> EnvironmentId {
    let id = whose.id();
    session.is_about(&id);
    id
}

/// The backup that is meant: the newest that can be restored where none is named.
async fn numbered(session: &Session<'_>, id: &EnvironmentId, named: Option<u64>) -> Result<u64, Stop> {
    if let Some(number) = named {
        return Ok(number);
    }
    let all = list::standing(session, id).await?.backups;
    let newest = [BackupState::Proven, BackupState::Complete, BackupState::Damaged]
        .into_iter()
        .find_map(|state| all.iter().find(|backup| backup.state == state));
    let newest = newest.ok_or_else(|| {
        Failure::new(
            Kind::NotFound,
            format!("cannot find a backup of `{id}`: there is none"),
        )
        .hint(format!("make one with `hostkit backup now {}`", id.project))
    })?;
    Ok(newest.number)
}

async fn now(session: &Session<'_>, id: &EnvironmentId) -> Result<(), Stop> {
    let client = session.client()?;
    let updates = client.lines::<CreateBackup>(id, &NoQuery {}).await?;
    let (backup, _) = act::follow(session, updates).await?;
    // Asked while the backup counts already: a key is made with the first one.
    let standing = client.call::<ListBackups>(id, &NoQuery {}, &()).await?;
    let printer = session.printer();
    if printer.wants_json() {
        printer.json(&backup)?;
    } else {
        printer.say(&outcome(&backup));
        if !standing.kit_confirmed {
            printer.warn(NOT_SAFE);
            printer.next("`hostkit backup kit`, keep what it prints, then `hostkit backup kit --confirm`");
        }
    }
    good(&backup)
}

/// What is said of every backup as long as nobody has shown to have the recovery kit.
const NOT_SAFE: &str =
    "Not safe yet: without the recovery kit nobody can read this backup on another machine.";

fn outcome(backup: &Backup) -> String {
    let (number, id) = (backup.number, &backup.environment);
    let why = backup
        .failure
        .as_ref()
        .map_or("", |failure| failure.message.as_str());
    match backup.state {
        BackupState::Proven => {
            format!("Backup {number} of `{id}` was restored for trial: all of it came back.")
        }
        BackupState::Complete => {
            format!("Backup {number} of `{id}` was read back, and could not be restored for trial: {why}")
        }
        BackupState::Damaged => format!("Backup {number} of `{id}` is damaged: {why}"),
        BackupState::Running | BackupState::Failed => {
            format!("Backup {number} of `{id}` was not made: {why}")
        }
    }
}

fn good(backup: &Backup) -> Result<(), Stop> {
    match backup.state {
        BackupState::Proven => Ok(()),
        _ => Err(Stop::Code(1)),
    }
}

async fn verify(session: &Session<'_>, id: &EnvironmentId, number: Option<u64>) -> Result<(), Stop> {
    let number = numbered(session, id, number).await?;
    let target = OneBackup {
        environment: id.clone(),
        number,
    };
    let updates = session
        .client()?
        .lines::<VerifyBackup>(&target, &NoQuery {})
        .await?;
    let (backup, _) = act::follow(session, updates).await?;
    let printer = session.printer();
    if printer.wants_json() {
        printer.json(&backup)?;
    } else {
        printer.say(&outcome(&backup));
    }
    good(&backup)
}

async fn schedule(
    session: &Session<'_>,
    id: &EnvironmentId,
    daily: Option<u8>,
    off: bool,
    keep: &Keep,
) -> Result<(), Stop> {
    let client = session.client()?;
    let before = client.call::<ListBackups>(id, &NoQuery {}, &()).await?.schedule;
    let wanted = BackupSchedule {
        daily: !off && (daily.is_some() || before.daily),
        hour: daily.unwrap_or(before.hour),
        keep: keep.over(before.keep),
    };
    if wanted != before {
        client.call::<SetBackupSchedule>(id, &NoQuery {}, &wanted).await?;
    }
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&wanted);
    }
    match wanted.daily {
        true => printer.line(&format!(
            "`{id}` is backed up every day between {:02}:00 and {:02}:30 UTC.",
            wanted.hour, wanted.hour
        ))?,
        false => printer.line(&format!("`{id}` is backed up only when somebody asks for it."))?,
    }
    let rules = [
        ("last", wanted.keep.last),
        ("hourly", wanted.keep.hourly),
        ("daily", wanted.keep.daily),
        ("weekly", wanted.keep.weekly),
        ("monthly", wanted.keep.monthly),
        ("yearly", wanted.keep.yearly),
    ];
    let rules: Vec<String> = rules
        .iter()
        .filter(|(_, count)| *count > 0)
        .map(|(name, count)| format!("{count} {name}"))
        .collect();
    printer.line(&format!(
        "Kept are {}, and always the newest good one.",
        rules.join(", ")
    ))
}

async fn prune(session: &Session<'_>, id: &EnvironmentId, plan: bool) -> Result<(), Stop> {
    let query = Pruning { only_ask: plan };
    let verdict = session.client()?.call::<PruneBackups>(id, &query, &()).await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&verdict);
    }
    kept(session, &verdict)?;
    let numbers: Vec<String> = verdict.remove.iter().map(u64::to_string).collect();
    match (numbers.is_empty(), plan) {
        (true, _) => printer.say("There is no backup that no rule keeps."),
        (false, true) => printer.say(&format!("These would go: {}.", numbers.join(", "))),
        (false, false) => printer.say(&format!("Removed: {}.", numbers.join(", "))),
    }
    Ok(())
}

fn kept(session: &Session<'_>, verdict: &Verdict) -> Result<(), Stop> {
    let mut table = Table::new(&["BACKUP", "STAYS AS"]);
    for kept in &verdict.keep {
        let reasons: Vec<&str> = kept.reasons.iter().map(|reason| word(*reason)).collect();
        table.row(vec![
            (kept.number.to_string(), Style::Name),
            (reasons.join(", "), Style::Plain),
        ]);
    }
    session.printer().table(&table)
}

fn word(reason: Reason) -> &'static str {
    match reason {
        Reason::NewestGood => "newest good one",
        Reason::Newer => "newer than the newest good one",
        Reason::Held => "held",
        Reason::Last => "last",
        Reason::Hourly => "hourly",
        Reason::Daily => "daily",
        Reason::Weekly => "weekly",
        Reason::Monthly => "monthly",
        Reason::Yearly => "yearly",
    }
}

async fn hold(session: &Session<'_>, id: &EnvironmentId, number: u64, held: bool) -> Result<(), Stop> {
    let target = OneBackup {
        environment: id.clone(),
        number,
    };
    let client = session.client()?;
    let backup = client
        .call::<ChangeBackup>(&target, &NoQuery {}, &BackupChange { held })
        .await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&backup);
    }
    printer.say(&match held {
        true => format!("Backup {number} of `{id}` stays until you let go of it."),
        false => format!("Backup {number} of `{id}` stays as long as the rules say."),
    });
    Ok(())
}
