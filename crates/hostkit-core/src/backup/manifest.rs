//! The manifest of a backup: what it is made of. Put last: without it there is no backup.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Backup;
use super::part::StoredPart;
use crate::kind::{Failure, Kind};
use crate::names::BackupPath;
use crate::project::EnvironmentId;

/// The name of its file.
pub const FILE: &str = "manifest";
/// The form that this version writes.
const FORMAT: u32 = 1;

/// What a backup is made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupManifest {
    /// The form it is written in.
    format: u32,
    /// The version of HostKit that wrote it.
    pub version: String,
    /// Whose backup it is.
    pub environment: EnvironmentId,
    /// Its number.
    pub number: u64,
    /// How often the clock had been turned back before it.
    pub run: u32,
    /// When it was made.
    pub at: Timestamp,
    /// Its parts.
    pub parts: Vec<StoredPart>,
}

impl BackupManifest {
    /// That of a backup whose parts are these.
    pub fn of(backup: &Backup, version: &str, parts: Vec<StoredPart>) -> Self {
        BackupManifest {
            format: FORMAT,
            version: version.to_owned(),
            environment: backup.environment.clone(),
            number: backup.number,
            run: backup.run,
            at: backup.at,
            parts,
        }
    }

    /// Reads one, which must be that of this backup.
    pub fn parse(bytes: &[u8], environment: &EnvironmentId, number: u64) -> Result<Self, Failure> {
        let refused = |why: &str| {
            Failure::new(
                Kind::Conflict,
                format!("cannot read backup {number} of `{environment}`: its manifest {why}"),
            )
        };
        let read: BackupManifest =
            serde_json::from_slice(bytes).map_err(|why| refused(&format!("is not one: {why}")))?;
        if read.format != FORMAT {
            return Err(refused("has a form that this version does not know").hint("update HostKit here"));
        }
        if read.environment != *environment || read.number != number {
            return Err(refused("is that of another backup"));
        }
        Ok(read)
    }
}

/// The folder of an environment's backups, at a target.
pub fn folder_of(environment: &EnvironmentId) -> Result<BackupPath, Failure> {
    path(&format!("{}/{}", environment.project, environment.environment))
}

/// The folder of a backup.
pub fn folder(environment: &EnvironmentId, number: u64) -> Result<BackupPath, Failure> {
    path(&format!("{}/{number}", folder_of(environment)?))
}

/// A file of a backup.
pub fn file(environment: &EnvironmentId, number: u64, name: &str) -> Result<BackupPath, Failure> {
    path(&format!("{}/{name}", folder(environment, number)?))
}

fn path(text: &str) -> Result<BackupPath, Failure> {
    BackupPath::parse(text).map_err(|why| Failure::new(Kind::Internal, why.to_string()))
}

/// Which backup a file at a target is of, and its name there; none where it is none of a backup.
pub fn read_path(path: &BackupPath) -> Option<(EnvironmentId, u64, &str)> {
    let [project, environment, number, name] = path.as_str().split('/').collect::<Vec<_>>()[..] else {
        return None;
    };
    let id = EnvironmentId::new(project.parse().ok()?, environment.parse().ok()?);
    Some((id, number.parse().ok()?, name))
}
