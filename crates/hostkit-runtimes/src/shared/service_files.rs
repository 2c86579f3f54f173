//! What a service reads: written as one set, compared first. Its folders are of this account, or of one of its own.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::Path;

use hostkit_core::services::{Service, ServicePlace, WhenChanged};
use hostkit_host::accounts::Account;
use hostkit_host::beneath::Folder;
use hostkit_host::files;

/// What the most demanding of the files that differ asks for; nothing where all are as they should be. A file that is
/// not there yet, or not wanted any more, asks for a restart.
pub(crate) fn difference(service: &Service, place: &ServicePlace) -> io::Result<Option<WhenChanged>> {
    let rank = |changed: &WhenChanged| match changed {
        WhenChanged::Leave => 0,
        WhenChanged::Reload => 1,
        WhenChanged::Restart => 2,
    };
    let mut found = Vec::new();
    for file in &service.files {
        match fs::read(file.path.under(&place.configuration)) {
            Ok(content) if content == file.content.reveal().as_bytes() => {}
            Ok(_) => found.push(file.changed),
            Err(e) if e.kind() == io::ErrorKind::NotFound => found.push(WhenChanged::Restart),
            Err(e) => return Err(e),
        }
    }
    if !surplus(service, place)?.is_empty() {
        found.push(WhenChanged::Restart);
    }
    Ok(found.into_iter().max_by_key(rank))
}

/// Makes the folders and writes every file that differs. With an account, data are its own, and what it reads is root's
/// with its group.
pub(crate) fn write(service: &Service, place: &ServicePlace, account: Option<Account>) -> io::Result<()> {
    match account {
        None => files::create_folder(&place.data, 0o700)?,
        Some(account) => give(&place.data, account)?,
    }
    let folder = |path: &Path| match account {
        None => files::create_folder(path, 0o700),
        Some(account) => show(path, account.gid, 0o750),
    };
    folder(&place.configuration)?;
    for file in &service.files {
        let path = file.path.under(&place.configuration);
        if let Some(below) = path.parent().filter(|parent| *parent != place.configuration) {
            let inside = below.strip_prefix(&place.configuration).unwrap_or(below);
            let mut at = place.configuration.clone();
            for name in inside.components() {
                at.push(name);
                folder(&at)?;
            }
        }
        let content = file.content.reveal().as_bytes();
        match account {
            _ if is_as_wanted(&path, content, account) => {}
            None => files::write_atomic(&path, content, 0o600)?,
            Some(account) => files::write_atomic_for(account.gid, &path, content, 0o640)?,
        }
    }
    for name in surplus(service, place)? {
        files::remove_tree(&place.configuration.join(name))?;
    }
    Ok(())
}

fn is_as_wanted(path: &Path, content: &[u8], account: Option<Account>) -> bool {
    let is_shown = |account: Account| fs::metadata(path).is_ok_and(|found| found.gid() == account.gid);
    fs::read(path).is_ok_and(|there| there == content) && account.is_none_or(is_shown)
}

/// A folder of the account's own, with all that is in it: its number is another one where the account was lost and made
/// again.
pub(crate) fn give(path: &Path, account: Account) -> io::Result<()> {
    files::create_folder(path, 0o700)?;
    let found = fs::metadata(path)?;
    if (found.uid(), found.gid()) == (account.uid, account.gid) {
        return Ok(());
    }
    let (Some(around), Some(name)) = (path.parent(), path.file_name()) else {
        return Ok(());
    };
    Folder::open(around)
        .and_then(|around| around.give(&name.to_string_lossy(), account))
        .map_err(io::Error::other)
}

/// A folder of root's that the group may pass through, or read.
pub(crate) fn show(path: &Path, group: u32, mode: u32) -> io::Result<()> {
    files::create_folder(path, 0o700)?;
    let found = fs::metadata(path)?;
    if found.gid() != group || found.uid() != 0 {
        chown(path, Some(0), Some(group))?;
    }
    if found.mode() & 0o7777 != mode {
        fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    }
    Ok(())
}

/// Names in the folder that no file of the service begins with.
fn surplus(service: &Service, place: &ServicePlace) -> io::Result<Vec<std::ffi::OsString>> {
    let wanted: BTreeSet<_> = service
        .files
        .iter()
        .filter_map(|file| Path::new(file.path.as_str()).iter().next())
        .collect();
    let entries = match fs::read_dir(&place.configuration) {
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut found = Vec::new();
    for entry in entries {
        let name = entry?.file_name();
        if !wanted.contains(name.as_os_str()) {
            found.push(name);
        }
    }
    Ok(found)
}
