//! What a project's account may do by `sudo`: `/etc/sudoers.d/hostkit-NAME`.
//!
//! The rule lets `sudo hostkit …`, which scripts and runbooks say, run **as the account itself**. So it gives no right
//! that the account has not without it: what a caller may do is decided by control, which asks the kernel whose process
//! calls. A rule to run `hostkit` as root would make every project an administrator. For the same reason no other
//! program is named: `systemctl status` and `journalctl` open a pager, from which a shell is one key away;
//! `journalctl -u hostkit-NAME*` reads whatever a pattern in an argument matches; even an exact
//! `systemctl restart hostkit-NAME` would pass by the deployments that `hostkit restart` makes, which lose no request.

mod folder;

use async_trait::async_trait;
use hostkit_core::kind::Failure;
use hostkit_core::names::ProjectName;

use crate::change::Change;

pub use folder::SudoersFolder;

/// The program that may be run.
pub const PROGRAM: &str = "/usr/bin/hostkit";

/// What is in place for a project.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Nothing.
    Missing,
    /// Exactly what HostKit writes.
    InPlace,
    /// Something else.
    Drifted,
}

/// The rules of projects. Acts are idempotent. `sudo` refuses everybody where one of its files is broken: none gets
/// into its place that its own check does not pass.
#[async_trait]
pub trait Sudoers: Send + Sync {
    /// What is in place.
    async fn observe(&self, project: &ProjectName) -> Result<Rule, Failure>;

    /// Puts the rule of a project in place.
    async fn ensure(&self, project: &ProjectName) -> Result<Change, Failure>;

    /// Takes it away.
    async fn remove(&self, project: &ProjectName) -> Result<Change, Failure>;
}

/// The rule of a project. A project's name is letters, digits and hyphens: nothing that means something in this file.
pub fn rule(project: &ProjectName) -> String {
    format!(
        "# HostKit writes this file: `sudo hostkit …` runs as {project} itself, with no further right.\n\
         Defaults:{project} env_reset, !setenv, runas_default={project}\n\
         {project} ALL=({project}) NOPASSWD: {PROGRAM}\n"
    )
}

/// The file's name. `sudo` passes over names with a dot or a tilde, which a project's name cannot have.
pub fn file_name(project: &ProjectName) -> String {
    format!("hostkit-{project}")
}

#[cfg(test)]
mod tests;
