//! The key of an installation's backups, and its recovery kit: shown until somebody has shown to have it.

use std::path::PathBuf;

use hostkit_core::backup::BackupState;
use hostkit_core::backup::kit::RecoveryKit;
use hostkit_core::backup::manifest;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::secret::Secret;

use super::read::Reader;
use super::{parts, target_settings};
use crate::context::{Context, locked, on_disk};

/// A key has fewer bytes than that, however it is written.
const LONGEST: usize = 256;

fn file(context: &Context) -> PathBuf {
    context.parts.layout.backup_key()
}

fn known(context: &Context) -> Result<Option<Secret>, Failure> {
    let file = file(context);
    let bytes = context
        .parts
        .files
        .read_at(&file, 0, LONGEST)
        .map_err(|why| on_disk("read", &file, &why))?;
    let text = String::from_utf8(bytes).unwrap_or_default();
    Ok((!text.trim().is_empty()).then(|| Secret::new(text.trim())))
}

fn keep(context: &Context, key: &Secret) -> Result<(), Failure> {
    let file = file(context);
    let text = format!("{}\n", key.reveal());
    let kept = context.parts.files.write_private(&file, text.as_bytes());
    kept.map_err(|why| on_disk("write", &file, &why))
}

/// The key, made when it is asked for first. One that is gone is not replaced while there are backups of it.
pub(super) fn ours(context: &Context) -> Result<Secret, Failure> {
    let _one_at_a_time = locked(&context.backup_key);
    if let Some(key) = known(context)? {
        return Ok(key);
    }
    if has_backups(context)? {
        return Err(Failure::new(
            Kind::Conflict,
            format!(
                "cannot work on backups: their key `{}` is gone",
                file(context).display()
            ),
        )
        .hint("bring it back with the recovery kit: `hostkit backup kit --adopt FILE`"));
    }
    let key = parts(context)?.cipher.new_key()?;
    keep(context, &key)?;
    Ok(key)
}

fn has_backups(context: &Context) -> Result<bool, Failure> {
    let all = context.parts.store.backups()?;
    Ok(all
        .iter()
        .any(|backup| !matches!(backup.state, BackupState::Running | BackupState::Failed)))
}

/// Whether somebody has shown to have the key that is in use.
pub(super) fn is_confirmed(context: &Context) -> Result<bool, Failure> {
    let Some(confirmed) = context.parts.store.confirmed_kit()? else {
        return Ok(false);
    };
    match known(context)? {
        Some(key) => Ok(parts(context)?.cipher.key_id(&key)? == confirmed),
        None => Ok(false),
    }
}

/// The recovery kit, for somebody who is to keep it. Nobody is shown it any more once it was confirmed.
pub(crate) fn kit(context: &Context, by: &str) -> Result<Secret, Failure> {
    let key = ours(context)?;
    if is_confirmed(context)? {
        return Err(Failure::new(
            Kind::Conflict,
            "cannot show the recovery kit: it was shown, and somebody has confirmed to have it",
        )
        .hint(format!(
            "who lost it finds the key in `{}`, for the account of HostKit alone",
            file(context).display()
        )));
    }
    let kit = RecoveryKit {
        key,
        target: Some(target_settings(context)?),
    };
    context.parts.store.note_kit("shown", None, by)?;
    kit.written()
}

/// Somebody shows to have the recovery kit. Only then backups call themselves complete.
pub(crate) fn confirm(context: &Context, text: &Secret, by: &str) -> Result<(), Failure> {
    let cipher = &parts(context)?.cipher;
    let typed = RecoveryKit::parse(text)?.key;
    let id = cipher.key_id(&typed)?;
    let key = ours(context)?;
    if plain(&typed) != plain(&key) {
        return Err(Failure::new(
            Kind::Invalid,
            "cannot confirm the recovery kit: this is the key of other backups",
        )
        .hint("show the kit of these with `hostkit backup kit`"));
    }
    context.parts.store.note_kit("confirmed", Some(&id), by)
}

/// A key without what people put between its groups.
fn plain(key: &Secret) -> Secret {
    let letters = key.reveal().chars().filter(|c| c.is_ascii_alphanumeric());
    Secret::new(letters.map(|c| c.to_ascii_uppercase()).collect::<String>())
}

/// Takes over the backups of another installation (or of this one, before it was lost): its key and its target, and notes
/// which backups there are. Answers how many are new here.
pub(crate) async fn adopt(context: &Context, text: &Secret, by: &str) -> Result<usize, Failure> {
    let parts = parts(context)?;
    let kit = RecoveryKit::parse(text)?;
    let id = parts.cipher.key_id(&kit.key)?;
    let is_ours = known(context)?.is_some_and(|key| plain(&key) == plain(&kit.key));
    if !is_ours && has_backups(context)? {
        return Err(Failure::new(
            Kind::Conflict,
            "cannot adopt this recovery kit: this installation has backups under another key",
        )
        .hint("restore on a machine of its own, or with another `--data` folder"));
    }
    let settings = match kit.target {
        Some(settings) => settings,
        None => target_settings(context)?,
    };
    // Looked into before anything is changed: what cannot be reached or read is none of ours.
    let target = parts.targets.open(&settings)?;
    let reader = Reader::new(context, target.clone(), kit.key.clone())?;
    let mut found = Vec::new();
    let mut unread = None;
    for stored in target.list(None).await? {
        let Some((environment, number, manifest::FILE)) = manifest::read_path(&stored.path) else {
            continue;
        };
        match reader.manifest(&environment, number).await {
            Ok(manifest) => found.push(manifest),
            Err(failure) => unread = Some(failure),
        }
    }
    if let (true, Some(failure)) = (found.is_empty(), unread) {
        return Err(failure);
    }
    {
        let _one_at_a_time = locked(&context.backup_key);
        keep(context, &kit.key)?;
    }
    let store = &context.parts.store;
    store.set_backup_target(&settings)?;
    store.note_kit("adopted", Some(&id), by)?;
    super::history::look_again(context).await;
    let mut new = 0;
    for manifest in &found {
        new += usize::from(store.find_backup(manifest, &settings.place())?);
    }
    Ok(new)
}
