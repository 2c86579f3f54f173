//! What is being changed right now, kept on the disk: a run that is killed in the middle of an item leaves word of it,
//! with the files as they were, so that the next run goes on and, where it must, goes back.

use std::collections::BTreeMap;

use hostkit_core::kind::{Failure, Kind};
use hostkit_core::server::{Change, Machine};
use serde::{Deserialize, Serialize};

/// Where words of unfinished items lie.
pub(super) const FOLDER: &str = "/var/lib/hostkit/setup";

/// The files of an item, as they were before it was begun.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Entry {
    files: BTreeMap<String, Option<OldFile>>,
}

#[derive(Debug, Serialize, Deserialize)]
struct OldFile {
    text: String,
    mode: u32,
}

fn path(item: &str) -> String {
    format!("{FOLDER}/{item}.unfinished")
}

/// Whether an earlier run ended in the middle of an item.
pub(super) fn is_unfinished(machine: &dyn Machine, item: &str) -> Result<bool, Failure> {
    Ok(machine.look(&path(item))?.is_some())
}

/// Says that an item is being changed. What an unfinished run before us found is what will be gone back to.
pub(super) fn begin(machine: &dyn Machine, item: &str, changes: &[Change]) -> Result<(), Failure> {
    let mut entry = read(machine, item)?.unwrap_or_default();
    for change in changes {
        if let Change::Write { path, before, .. } = change {
            let old = || {
                before.as_ref().map(|before| OldFile {
                    text: before.text.clone(),
                    mode: before.mode,
                })
            };
            entry.files.entry(path.clone()).or_insert_with(old);
        }
    }
    let text = serde_json::to_string(&entry).map_err(|e| {
        Failure::new(
            Kind::Internal,
            format!("cannot write down what is changed of `{item}`: {e}"),
        )
    })?;
    machine.make_folder("/var/lib/hostkit", 0o711)?;
    machine.make_folder(FOLDER, 0o700)?;
    machine.write(&path(item), &text, 0o600)
}

/// Puts the files of an item back as they were. Whether there were any.
pub(super) fn put_back(machine: &dyn Machine, item: &str) -> Result<bool, Failure> {
    let entry = read(machine, item)?.unwrap_or_default();
    for (path, old) in &entry.files {
        match old {
            Some(file) => machine.write(path, &file.text, file.mode)?,
            None => machine.remove(path)?,
        }
    }
    Ok(!entry.files.is_empty())
}

/// Says that nothing of an item is under way any more.
pub(super) fn end(machine: &dyn Machine, item: &str) -> Result<(), Failure> {
    machine.remove(&path(item))
}

/// A word that cannot be read (the disk was full) was written before anything was changed: there is nothing to go back to.
fn read(machine: &dyn Machine, item: &str) -> Result<Option<Entry>, Failure> {
    let text = machine.read(&path(item))?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}
