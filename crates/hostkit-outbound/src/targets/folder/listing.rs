//! What is in the folder. Blocks.

use std::fs;
use std::io;
use std::path::Path;

use hostkit_core::names::BackupPath;
use hostkit_core::traits::StoredFile;

use super::is_missing;

/// The files below `folder`, or all; in order of their names. Links are not followed, and what has no name of a backup is none.
pub(super) fn files(root: &Path, folder: Option<&BackupPath>) -> io::Result<Vec<StoredFile>> {
    let mut found = Vec::new();
    let mut folders = vec![
        folder
            .map(|folder| folder.as_str().to_owned())
            .unwrap_or_default(),
    ];
    while let Some(folder) = folders.pop() {
        let entries = match fs::read_dir(root.join(&folder)) {
            // Never there, or taken away since it was seen.
            Err(why) if is_missing(&why) => continue,
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            let name = match (folder.as_str(), entry.file_name().to_str()) {
                (_, None) => continue,
                ("", Some(name)) => name.to_owned(),
                (folder, Some(name)) => format!("{folder}/{name}"),
            };
            let Ok(path) = BackupPath::parse(&name) else {
                continue;
            };
            match entry.metadata() {
                Err(why) if is_missing(&why) => {}
                Err(why) => return Err(why),
                Ok(about) if about.is_dir() => folders.push(name),
                Ok(about) if about.is_file() => found.push(StoredFile {
                    path,
                    bytes: about.len(),
                }),
                Ok(_) => {}
            }
        }
    }
    found.sort_unstable();
    Ok(found)
}
