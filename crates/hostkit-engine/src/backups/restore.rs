//! Restoring a backup: all of it is read first and nothing is changed where a part is damaged; everything is brought in
//! beside what is there; only then it takes the place. A project that is not there is made anew.

use std::sync::Arc;

use hostkit_core::addon::{AddonId, AddonSettings};
use hostkit_core::backup::manifest;
use hostkit_core::backup::part::{PartKind, PartName, StoredPart};
use hostkit_core::backup::{Backup, Cause};
use hostkit_core::event::What;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::VariableName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{Copies, CopyOf};
use hostkit_core::variables::Variables;

use super::act::Teller;
use super::own::{self, ProjectPart};
use super::prove::{check, compare, prove, stage};
use super::read::{Reader, Trouble};
use super::{copies_of, make, readable};
use crate::context::Context;
use crate::{addons, domains, provisioning, variables};

/// What is to be restored, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RestoreOrder {
    /// Whose backup.
    pub from: EnvironmentId,
    /// Its number.
    pub number: u64,
    /// The environment it is restored into.
    pub to: EnvironmentId,
    /// Whether what is there is backed up first.
    pub backup_first: bool,
    /// The token or account that asks.
    pub by: String,
}

/// Restores a backup, and answers it with what is to be known besides.
pub(crate) async fn restore(
    context: &Arc<Context>,
    order: &RestoreOrder,
    teller: &Teller,
) -> Result<(Backup, Vec<String>), Failure> {
    let RestoreOrder {
        from, number, to, by, ..
    } = order;
    let backup = readable(context, from, *number)?;
    let lock = context.lock_of_backups(to);
    let _held = lock.lock().await;
    let parts = match check(context, &backup, teller).await {
        Ok(parts) => parts,
        Err(Trouble::Damaged(why)) => {
            let failure = Failure::new(
                Kind::Conflict,
                format!("cannot restore backup {number} of `{from}`: {why}"),
            )
            .hint(format!(
                "nothing was changed; restore another one: `hostkit backup list {}`",
                from.project
            ));
            context.parts.store.damaged_backup(&backup, &failure)?;
            return Err(failure);
        }
        Err(Trouble::Unknown(failure)) => return Err(failure),
    };
    let reader = Reader::of(context, &backup).await?;
    let project = ProjectPart::parse(&whole(&reader, &backup, PartKind::Project).await?)?;
    let values = own::parse_variables(&whole(&reader, &backup, PartKind::Variables).await?)?;
    let mut notes = Vec::new();
    if is_there(context, to)? {
        if order.backup_first {
            teller.say(format!("{to} as it is now is backed up first"));
            let first = make::make_now(context, to, Cause::Before, teller)
                .await
                .map_err(make::refused)?;
            let first = prove(context, &first, teller).await?;
            notes.push(format!(
                "What was there before is backup {} of `{to}`.",
                first.number
            ));
        }
    } else {
        make_anew(context, to, &project, by, teller, &mut notes).await?;
    }
    bring_addons(context, to, (&project, &parts), by, teller, &mut notes).await?;
    bring_parts(context, &reader, &backup, &parts, to, teller).await?;
    bring_variables(context, to, &values, by, &mut notes)?;
    teller.say(format!("variables: {} as they were", values.len()));
    let what = What::BackupRestored {
        backup: format!("{from} {number}"),
        by: by.clone(),
    };
    context.parts.store.record(Some(to), what)?;
    notes.push(
        "Programs that run have the variables they were started with: `hostkit restart` tells them.".into(),
    );
    Ok((backup, notes))
}

pub(super) fn is_there(context: &Context, id: &EnvironmentId) -> Result<bool, Failure> {
    match context.parts.store.environment(id) {
        Ok(_) => Ok(true),
        Err(failure) if failure.kind == Kind::NotFound => Ok(false),
        Err(failure) => Err(failure),
    }
}

async fn whole(reader: &Reader, backup: &Backup, kind: PartKind) -> Result<Vec<u8>, Failure> {
    let path = manifest::file(&backup.environment, backup.number, kind.as_str())?;
    reader.whole(&path).await.map_err(|trouble| trouble.told(&path))
}

/// Makes the environment, and the project where there is none, as they were: all but what belongs to a machine or to
/// somebody else by now, which is told.
async fn make_anew(
    context: &Arc<Context>,
    to: &EnvironmentId,
    project: &ProjectPart,
    by: &str,
    teller: &Teller,
    notes: &mut Vec<String>,
) -> Result<(), Failure> {
    let store = &context.parts.store;
    match store.project(&to.project) {
        Err(failure) if failure.kind == Kind::NotFound => {
            provisioning::create(context, &to.project).await?;
            teller.say(format!("project {} made anew", to.project));
        }
        found => drop(found?),
    }
    store.ensure_environment(to)?;
    store.set_backup_schedule(to, &project.schedule)?;
    for domain in &project.domains {
        if let Err(failure) = domains::add(context, to, &domain.to_string(), by).await {
            notes.push(format!("Domain {domain} was left out: {}.", failure.message));
        }
    }
    if project.manifest.is_some() {
        notes.push(format!(
            "Releases are in no backup: `hostkit deploy --project {}` brings the app live.",
            to.project
        ));
    }
    Ok(())
}

/// Adds the add-ons that the environment had and has not. An address is in no backup: what somebody else kept is brought
/// into an add-on of HostKit's own, where there is a copy of it.
async fn bring_addons(
    context: &Arc<Context>,
    to: &EnvironmentId,
    (project, parts): (&ProjectPart, &[StoredPart]),
    by: &str,
    teller: &Teller,
    notes: &mut Vec<String>,
) -> Result<(), Failure> {
    for (kind, settings) in &project.addons {
        let id = AddonId::new(to.clone(), *kind);
        match context.parts.store.addon(&id) {
            Err(failure) if failure.kind == Kind::NotFound => {}
            found => {
                drop(found?);
                continue;
            }
        }
        let again = format!(
            "`hostkit addon add {} {kind} --outside -` with its address",
            to.project
        );
        let is_copied = parts
            .iter()
            .any(|part| part.name.kind() == PartKind::Addon(*kind));
        if settings.outside && !is_copied {
            notes.push(format!(
                "{} was kept elsewhere, and is left out: {again}.",
                kind.title()
            ));
            continue;
        }
        if settings.outside {
            let title = kind.title();
            notes.push(format!(
                "{title} was kept elsewhere, and is one of HostKit's own now. To use the other: `hostkit addon remove {} {kind}`, then {again}.",
                to.project
            ));
        }
        let own = AddonSettings {
            outside: false,
            ..settings.clone()
        };
        addons::add(context, &id, addons::New::Own(own), by).await?;
        teller.say(format!("{kind}: added"));
    }
    Ok(())
}

/// Stages every part beside what is there; only when all are as they were they take the places.
async fn bring_parts(
    context: &Arc<Context>,
    reader: &Reader,
    backup: &Backup,
    parts: &[StoredPart],
    to: &EnvironmentId,
    teller: &Teller,
) -> Result<(), Failure> {
    let mut staged = Vec::new();
    let mut all = Ok(());
    for part in parts {
        if matches!(part.name.kind(), PartKind::Project | PartKind::Variables) {
            continue;
        }
        let Some((copies, of)) = copies_of(context, to, part.name.kind())? else {
            all = Err(no_taker(to, &part.name));
            break;
        };
        let found = stage(reader, backup, copies, &of, part).await;
        if found.is_ok() {
            staged.push(Staged {
                copies,
                of,
                name: part.name.clone(),
            });
        }
        if let Err(trouble) = found.and_then(|found| compare(part, &found)) {
            all = Err(untouched(to, &part.name.to_string(), trouble));
            break;
        }
        teller.say(format!(
            "{}: brought in beside what is there, all of it",
            part.name
        ));
    }
    if let Err(failure) = all {
        discard(&staged).await?;
        return Err(failure);
    }
    take_places(context, to, &staged, teller).await
}

pub(super) fn no_taker(to: &EnvironmentId, part: &PartName) -> Failure {
    Failure::new(
        Kind::Conflict,
        format!("cannot restore `{part}` into `{to}`: there is nothing to take it"),
    )
}

/// A part that was brought in beside what is there.
pub(super) struct Staged<'a> {
    pub(super) copies: &'a Arc<dyn Copies>,
    pub(super) of: CopyOf,
    pub(super) name: PartName,
}

/// Takes away what was brought in beside.
pub(super) async fn discard(staged: &[Staged<'_>]) -> Result<(), Failure> {
    for part in staged {
        part.copies.discard(&part.of, &part.name).await?;
    }
    Ok(())
}

/// Puts what was brought in beside into the places of what is there. From the first that cannot be put on all are left out.
pub(super) async fn take_places(
    context: &Arc<Context>,
    to: &EnvironmentId,
    staged: &[Staged<'_>],
    teller: &Teller,
) -> Result<(), Failure> {
    let mut done: Vec<String> = Vec::new();
    for Staged { copies, of, name } in staged {
        let taken = match name.kind() {
            PartKind::Addon(kind) => {
                // Nobody else starts it meanwhile.
                let lock = context.lock_of_addon(&AddonId::new(to.clone(), kind));
                let _held = lock.lock().await;
                copies.take_place(of, name).await
            }
            _ => copies.take_place(of, name).await,
        };
        if let Err(failure) = taken {
            let mut details = failure.details.clone();
            if !done.is_empty() {
                details.push(format!("already restored: {}", done.join(", ")));
            }
            discard(&staged[done.len()..]).await?;
            return Err(failure.details(details));
        }
        done.push(name.to_string());
        teller.say(format!("{name}: restored"));
    }
    Ok(())
}

fn untouched(to: &EnvironmentId, part: &str, trouble: Trouble) -> Failure {
    match trouble {
        Trouble::Damaged(why) => Failure::new(
            Kind::Conflict,
            format!("cannot restore `{part}` into `{to}`: {why}"),
        )
        .hint("what was there is as it was; restore another backup"),
        Trouble::Unknown(failure) => failure,
    }
}

/// Makes the variables what they were: those that were set later go. A name that an add-on gives by now stays its own.
fn bring_variables(
    context: &Context,
    to: &EnvironmentId,
    values: &Variables,
    by: &str,
    notes: &mut Vec<String>,
) -> Result<(), Failure> {
    let mut values = values.clone();
    for (addon, name) in addons::names(context, to)? {
        if values.remove(&name).is_some() {
            notes.push(format!("Variable {name} was left out: {addon} gives it."));
        }
    }
    let now = context.parts.store.variable_names(to)?;
    let gone: Vec<VariableName> = now
        .into_iter()
        .map(|variable| variable.name)
        .filter(|name| !values.contains_key(name))
        .collect();
    variables::set(context, to, &values, &gone, by)
}
