//! The rules in the folder that `sudo` reads.

use std::path::PathBuf;

use async_trait::async_trait;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::ProjectName;

use super::{Rule, Sudoers, file_name, rule};
use crate::accounts::Account;
use crate::beneath::{Folder, Rights};
use crate::change::Change;
use crate::system_program::SystemProgram;

const VISUDO: SystemProgram = SystemProgram::new("visudo", "sudo");

/// Many times what a rule takes.
const LARGEST: u64 = 64 * 1024;

/// A folder of rules, `/etc/sudoers.d`.
#[derive(Debug, Clone)]
pub struct SudoersFolder {
    path: PathBuf,
    root: Account,
    check: SystemProgram,
}

impl Default for SudoersFolder {
    fn default() -> Self {
        SudoersFolder::below("/etc/sudoers.d", Account { uid: 0, gid: 0 }, VISUDO)
    }
}

impl SudoersFolder {
    /// Another folder, where `root` takes the part of root and `check` that of `visudo`.
    pub fn below(path: impl Into<PathBuf>, root: Account, check: SystemProgram) -> Self {
        SudoersFolder {
            path: path.into(),
            root,
            check,
        }
    }

    fn folder(&self) -> Result<Folder, Failure> {
        Folder::open(&self.path).map_err(|failure| match failure.kind {
            Kind::NotFound => failure.hint("apt install sudo"),
            _ => failure,
        })
    }

    fn rights(&self) -> Rights {
        Rights::new(self.root.uid, self.root.gid, 0o440)
    }
}

#[async_trait]
impl Sudoers for SudoersFolder {
    async fn observe(&self, project: &ProjectName) -> Result<Rule, Failure> {
        let folder = self.folder()?;
        let name = file_name(project);
        Ok(match folder.read_file(&name, LARGEST) {
            Ok(None) => Rule::Missing,
            Ok(Some(text)) if text == rule(project).as_bytes() => {
                match folder.file_differences(&name, &self.rights())?.is_empty() {
                    true => Rule::InPlace,
                    false => Rule::Drifted,
                }
            }
            Ok(Some(_)) => Rule::Drifted,
            // A link or a folder of that name.
            Err(failure) if failure.kind == Kind::Conflict => Rule::Drifted,
            Err(failure) => return Err(failure),
        })
    }

    async fn ensure(&self, project: &ProjectName) -> Result<Change, Failure> {
        if self.observe(project).await? == Rule::InPlace {
            return Ok(Change::Unneeded);
        }
        let folder = self.folder()?;
        let staged = folder.stage_file(&file_name(project), rule(project).as_bytes(), &self.rights())?;
        let path = staged.path();
        let checked = self
            .check
            .run(&["-c", "-s", "-f", &path.to_string_lossy()], b"")
            .await?;
        if !checked.is_success() {
            return Err(Failure::new(
                Kind::Internal,
                format!(
                    "cannot set the sudo rule of `{project}`: visudo says: {}",
                    checked.why()
                ),
            )
            .hint("visudo -c"));
        }
        staged.commit()?;
        Ok(Change::Made)
    }

    async fn remove(&self, project: &ProjectName) -> Result<Change, Failure> {
        match Folder::open(&self.path) {
            Ok(folder) => folder.remove_file(&file_name(project)),
            Err(failure) if failure.kind == Kind::NotFound => Ok(Change::Unneeded),
            Err(failure) => Err(failure),
        }
    }
}
