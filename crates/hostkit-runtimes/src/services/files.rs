//! What a service reads: written as one set, compared first.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;

use hostkit_core::services::{Service, ServicePlace, WhenChanged};
use hostkit_host::files;

/// What the most demanding of the files that differ asks for; nothing where all are as they should be. A file that is
/// not there yet, or not wanted any more, asks for a restart.
pub(super) fn difference(service: &Service, place: &ServicePlace) -> io::Result<Option<WhenChanged>> {
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

/// Makes the folders and writes every file that differs.
pub(super) fn write(service: &Service, place: &ServicePlace) -> io::Result<()> {
    files::create_folder(&place.data, 0o700)?;
    files::create_folder(&place.configuration, 0o700)?;
    for file in &service.files {
        let path = file.path.under(&place.configuration);
        if let Some(parent) = path.parent() {
            files::create_folder(parent, 0o700)?;
        }
        let content = file.content.reveal().as_bytes();
        if fs::read(&path).ok().as_deref() != Some(content) {
            files::write_atomic(&path, content, 0o600)?;
        }
    }
    for name in surplus(service, place)? {
        files::remove_tree(&place.configuration.join(name))?;
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
