//! How it stands with the backups of an environment, and what somebody should do about it.

use hostkit_core::addon::AddonKind;
use hostkit_core::backup::history::HistoryStanding;
use hostkit_core::backup::schedule::BackupSchedule;
use hostkit_core::backup::{Backup, BackupState};
use hostkit_core::doctor::{Finding, Level};
use hostkit_core::kind::Failure;
use hostkit_core::project::EnvironmentId;

use super::{history, key, left_out, target_settings};
use crate::context::Context;

/// How it stands with the backups of an environment.
#[derive(Debug, Clone, PartialEq)]
pub struct BackupStanding {
    /// The backups, newest first.
    pub backups: Vec<Backup>,
    /// When they are made, and which stay.
    pub schedule: BackupSchedule,
    /// Where they are kept.
    pub place: String,
    /// Whether somebody has shown to have the recovery kit. Without it no backup is safe.
    pub kit_confirmed: bool,
    /// What somebody else keeps for the environment, and no backup has.
    pub left_out: Vec<AddonKind>,
    /// To which moments its databases can be brought back; none where it has none, or nothing keeps a history of them.
    pub history: Option<HistoryStanding>,
}

pub(crate) fn standing(context: &Context, id: &EnvironmentId) -> Result<BackupStanding, Failure> {
    super::parts(context)?;
    let store = &context.parts.store;
    let backups = store.backups_of(id)?;
    if backups.is_empty() {
        // Of one that is gone there may be some; one that never was is NotFound.
        store.environment(id)?;
    }
    Ok(BackupStanding {
        backups,
        schedule: store.backup_schedule(id)?,
        place: target_settings(context)?.place(),
        kit_confirmed: key::is_confirmed(context)?,
        left_out: left_out(context, id)?,
        history: history_of(context, id)?,
    })
}

fn history_of(context: &Context, id: &EnvironmentId) -> Result<Option<HistoryStanding>, Failure> {
    let Some(driver) = &super::parts(context)?.history else {
        return Ok(None);
    };
    let kind = driver.kind();
    let addons = context.parts.store.addons_of(id)?;
    match addons.iter().any(|addon| addon.order.id.kind == kind) {
        true => Ok(Some(HistoryStanding {
            bytes: None,
            ..history::standing(context)?
        })),
        false => Ok(None),
    }
}

/// What is wrong with backups; nothing where none are made.
pub(crate) fn findings(context: &Context) -> Vec<Finding> {
    if context.parts.backups.is_none() {
        return Vec::new();
    }
    look(context).unwrap_or_else(|failure| {
        vec![Finding {
            level: Level::Problem,
            subject: "backups".into(),
            message: failure.message,
            hint: failure.hint,
        }]
    })
}

fn look(context: &Context) -> Result<Vec<Finding>, Failure> {
    let store = &context.parts.store;
    let mut findings = Vec::new();
    let mut has_any = false;
    for environment in store.environments()? {
        let id = &environment.id;
        if store.addons_of(id)?.is_empty() {
            continue;
        }
        let all = store.backups_of(id)?;
        has_any |= !all.is_empty();
        findings.extend(finding(id, &all));
    }
    findings.extend(history_finding(context)?);
    if has_any && !key::is_confirmed(context)? {
        findings.push(
            Finding::warning(
                "backups",
                "not safe yet: nobody has shown to have the recovery kit, without which they cannot be read on another machine",
            )
            .hint("`hostkit backup kit`, keep what it prints, then `hostkit backup kit --confirm`"),
        );
    }
    if has_any && store.backup_target()?.is_none() {
        findings.push(
            Finding::warning("backups", "they are kept on the disk that they are to save")
                .hint("name another disk: `hostkit backup target folder /mnt/backups`"),
        );
    }
    Ok(findings)
}

fn history_finding(context: &Context) -> Result<Option<Finding>, Failure> {
    if super::parts(context)?.history.is_none() {
        return Ok(None);
    }
    let standing = history::standing(context)?;
    Ok(standing
        .trouble
        .filter(|_| standing.settings.on)
        .map(|why| Finding {
            level: Level::Problem,
            subject: "history of databases".into(),
            message: format!("it does not go on: {why}"),
            hint: Some("mend that; what is written waits on the disk meanwhile, and not for ever".into()),
        }))
}

fn finding(id: &EnvironmentId, all: &[Backup]) -> Option<Finding> {
    let subject = format!("backups of {id}");
    let ended = all.iter().find(|backup| backup.state != BackupState::Running);
    let now = format!("`hostkit backup now {}`", id.project);
    let Some(newest) = ended else {
        return Some(Finding::warning(subject, "it has data and no backup").hint(now));
    };
    let why = newest.failure.as_ref().map(|failure| failure.message.as_str());
    let why = why.unwrap_or("nobody knows why");
    let (level, message) = match newest.state {
        BackupState::Proven | BackupState::Running => return None,
        BackupState::Failed => (Level::Problem, format!("the newest one failed: {why}")),
        BackupState::Damaged => (Level::Problem, format!("the newest one is damaged: {why}")),
        BackupState::Complete => (
            Level::Warning,
            format!("the newest one was not restored for trial: {why}"),
        ),
    };
    Some(Finding {
        level,
        subject,
        message,
        hint: Some(format!("mend that, then {now}")),
    })
}
