//! Proving a backup: it is read back and restored for trial beside what is there, and what came back is counted.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::StreamExt;
use hostkit_core::backup::Backup;
use hostkit_core::backup::manifest;
use hostkit_core::backup::part::{Counts, PartKind, StoredPart, differences};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{Copies, CopyOf};

use super::act::Teller;
use super::own::{self, ProjectPart};
use super::read::{Reader, Trouble};
use super::restore::is_there;
use super::{copies_of, readable, uncopied};
use crate::context::Context;

/// Reads a backup back as it is at the target now, and proves it again.
pub(crate) async fn verify(
    context: &Arc<Context>,
    id: &EnvironmentId,
    number: u64,
    teller: &Teller,
) -> Result<Backup, Failure> {
    let lock = context.lock_of_backups(id);
    let _held = lock.lock().await;
    let backup = readable(context, id, number)?;
    match check(context, &backup, teller).await {
        Ok(_) if !is_there(context, id)? => {
            // There is nothing to restore it beside; what an earlier trial showed stays.
            teller.say(format!("{id} is gone: restored for trial only with it"));
            Ok(backup)
        }
        Ok(_) => prove(context, &backup, teller).await,
        Err(Trouble::Damaged(why)) => {
            let failure = Failure::new(
                Kind::Conflict,
                format!("cannot restore backup {number} of `{id}`: {why}"),
            )
            .hint("make a new one with `hostkit backup now`; others may still be good");
            context.parts.store.damaged_backup(&backup, &failure)
        }
        Err(Trouble::Unknown(failure)) => Err(failure),
    }
}

/// Reads all of a backup, and answers its parts as its manifest has them. Every part that is damaged is named.
pub(super) async fn check(
    context: &Context,
    backup: &Backup,
    teller: &Teller,
) -> Result<Vec<StoredPart>, Trouble> {
    let reader = Reader::of(context, backup).await.map_err(Trouble::Unknown)?;
    let (id, number) = (&backup.environment, backup.number);
    let path = manifest::file(id, number, manifest::FILE).map_err(Trouble::Unknown)?;
    let bytes = reader
        .whole(&path)
        .await
        .map_err(|trouble| named(manifest::FILE, trouble))?;
    let manifest = manifest::BackupManifest::parse(&bytes, id, number)
        .map_err(|failure| Trouble::Damaged(failure.message))?;
    let mut damaged = Vec::new();
    for part in &manifest.parts {
        let path = manifest::file(id, number, &part.name.to_string()).map_err(Trouble::Unknown)?;
        match reader.verify(&path, &part.figures).await {
            Ok(()) => teller.say(format!("{}: read back", part.name)),
            Err(Trouble::Damaged(why)) => damaged.push(format!("`{}` is damaged: {why}", part.name)),
            Err(unknown) => return Err(unknown),
        }
    }
    match damaged.is_empty() {
        true => Ok(manifest.parts),
        false => Err(Trouble::Damaged(damaged.join("; "))),
    }
}

fn named(file: &str, trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::Damaged(why) => Trouble::Damaged(format!("`{file}` is damaged: {why}")),
        unknown => unknown,
    }
}

/// Restores every part of a backup for trial, and notes what that showed. The environment's lock is held.
pub(super) async fn prove(
    context: &Arc<Context>,
    backup: &Backup,
    teller: &Teller,
) -> Result<Backup, Failure> {
    let store = &context.parts.store;
    let mut untried = None;
    for part in &backup.parts {
        match try_part(context, backup, part).await {
            Ok(()) => teller.say(format!("{}: restored for trial, all there", part.name)),
            Err(Trouble::Damaged(why)) => {
                let failure = Failure::new(
                    Kind::Conflict,
                    format!(
                        "cannot restore backup {} of `{}`: `{}`: {why}",
                        backup.number, backup.environment, part.name
                    ),
                )
                .hint("make a new one with `hostkit backup now`; others may still be good");
                return store.damaged_backup(backup, &failure);
            }
            Err(Trouble::Unknown(failure)) => {
                teller.say(format!("{}: could not be tried: {failure}", part.name));
                untried = Some(failure);
            }
        }
    }
    if untried.is_none() {
        untried = uncopied(context, &backup.environment)?;
    }
    store.tried_backup(backup, untried.as_ref())
}

async fn try_part(context: &Context, backup: &Backup, part: &StoredPart) -> Result<(), Trouble> {
    let reader = Reader::of(context, backup).await.map_err(Trouble::Unknown)?;
    let id = &backup.environment;
    let path = manifest::file(id, backup.number, &part.name.to_string()).map_err(Trouble::Unknown)?;
    let unread = |failure: Failure| Trouble::Damaged(failure.message);
    let found = match part.name.kind() {
        PartKind::Project => ProjectPart::parse(&reader.whole(&path).await?)
            .map_err(unread)?
            .counts(),
        PartKind::Variables => {
            let variables = own::parse_variables(&reader.whole(&path).await?).map_err(unread)?;
            own::counts_of(&variables)
        }
        kind => {
            let found = copies_of(context, id, kind).map_err(Trouble::Unknown)?;
            let (copies, of) = found.ok_or_else(|| Trouble::Unknown(no_place(id, kind)))?;
            let found = stage(&reader, backup, copies, &of, part).await?;
            copies.discard(&of, &part.name).await.map_err(Trouble::Unknown)?;
            found
        }
    };
    compare(part, &found)
}

pub(super) fn compare(part: &StoredPart, found: &Counts) -> Result<(), Trouble> {
    let differences = differences(&part.counts, found);
    match differences.is_empty() {
        true => Ok(()),
        false => Err(Trouble::Damaged(differences.join("; "))),
    }
}

fn no_place(id: &EnvironmentId, kind: PartKind) -> Failure {
    Failure::new(
        Kind::Conflict,
        format!(
            "cannot try to restore {} of `{id}`: it has none any more",
            kind.as_str()
        ),
    )
}

/// Brings a part in beside what an environment has, and counts it. What cannot be brought in is not staged.
pub(super) async fn stage(
    reader: &Reader,
    backup: &Backup,
    copies: &Arc<dyn Copies>,
    of: &CopyOf,
    part: &StoredPart,
) -> Result<Counts, Trouble> {
    let name = part.name.to_string();
    let path = manifest::file(&backup.environment, backup.number, &name).map_err(Trouble::Unknown)?;
    let opened = reader.open(&path).await?;
    let damage = Arc::new(AtomicBool::new(false));
    let seen = damage.clone();
    let content = opened.pieces.inspect(move |piece| {
        if piece
            .as_ref()
            .is_err_and(|why| why.kind() == std::io::ErrorKind::InvalidData)
        {
            seen.store(true, Ordering::Relaxed);
        }
    });
    let staged = copies.stage(of, &part.name, Box::pin(content)).await;
    staged.map_err(|failure| match failure.kind {
        _ if damage.load(Ordering::Relaxed) => Trouble::Damaged(failure.message),
        Kind::Failed | Kind::Invalid => {
            let why = [vec![failure.message], failure.details].concat();
            Trouble::Damaged(why.join("; "))
        }
        _ => Trouble::Unknown(failure),
    })
}
