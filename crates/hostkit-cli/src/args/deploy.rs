//! Arguments of the commands that change what is live.

use std::path::PathBuf;
use std::str::FromStr;

use clap::{Args, ValueHint};
use hostkit_core::canary::Percent;
use hostkit_core::deployment::DeploymentId;
use hostkit_core::names::{ProcessName, ProjectName, ReleaseName};

use super::Target;
use crate::completion;

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The folder
    #[arg(value_name = "PATH", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) path: PathBuf,
    /// The project's name [default: the folder's name]
    #[arg(long, value_name = "NAME")]
    pub(crate) name: Option<ProjectName>,
    /// Replace a hostkit.toml that is there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ScanArgs {
    /// The folder to look through
    #[arg(value_name = "PATH", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct DeployArgs {
    /// The folder to deploy
    #[arg(value_name = "PATH", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) path: PathBuf,
    #[command(flatten)]
    pub(crate) target: Target,
    /// Deploy an archive (tar, tar.gz or tar.zst) instead of a folder; `-` reads it from stdin
    #[arg(long, value_name = "FILE", conflicts_with = "path", value_hint = ValueHint::FilePath)]
    pub(crate) archive: Option<PathBuf>,
    /// Give it to so many of a hundred visitors (1 to 99), and leave the live release to the others
    #[arg(long, value_name = "PERCENT")]
    pub(crate) canary: Option<Percent>,
    /// Return as soon as the deployment is queued
    #[arg(long, short)]
    pub(crate) detach: bool,
}

#[derive(Debug, Args)]
pub(crate) struct PromoteArgs {
    /// The project [default: `name` in ./hostkit.toml, else the caller's own, else the folder's name]
    #[arg(value_name = "PROJECT", add = completion::projects())]
    pub(crate) name: Option<ProjectName>,
    #[command(flatten)]
    pub(crate) target: Target,
    /// Give it to so many of a hundred visitors (1 to 99), and leave it a canary
    #[arg(long, value_name = "PERCENT")]
    pub(crate) percent: Option<Percent>,
    /// Return as soon as the deployment is queued
    #[arg(long, short)]
    pub(crate) detach: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RollbackArgs {
    #[command(flatten)]
    pub(crate) target: Target,
    /// The release to go back to [default: the live one where a canary is beside it, else the one before]
    #[arg(long, value_name = "RELEASE")]
    pub(crate) to: Option<ReleaseName>,
    /// Return as soon as the deployment is queued
    #[arg(long, short)]
    pub(crate) detach: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CancelArgs {
    /// The deployment's number [default: the only one of the environment that waits or runs]
    #[arg(value_name = "DEPLOYMENT")]
    pub(crate) deployment: Option<DeploymentId>,
    #[command(flatten)]
    pub(crate) target: Target,
    /// Return at once, not when it is undone
    #[arg(long, short)]
    pub(crate) detach: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ScaleArgs {
    /// Processes and how many instances of each, such as web=3
    #[arg(value_name = "PROCESS=N", required = true)]
    pub(crate) counts: Vec<Count>,
    #[command(flatten)]
    pub(crate) target: Target,
    /// Return as soon as the change is queued
    #[arg(long, short)]
    pub(crate) detach: bool,
}

/// Arguments of `restart`, `stop` and `start`.
#[derive(Debug, Args)]
pub(crate) struct ChangeArgs {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Return as soon as the change is queued
    #[arg(long, short)]
    pub(crate) detach: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Give the command no terminal, even if there is one
    #[arg(long)]
    pub(crate) no_terminal: bool,
    /// The command and its arguments; no shell reads them
    #[arg(
        value_name = "COMMAND",
        required = true,
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    pub(crate) command: Vec<String>,
}

/// `web=3`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) process: ProcessName,
    pub(crate) count: u16,
}

impl FromStr for Count {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (process, count) = text
            .split_once('=')
            .ok_or("write the process, `=` and a number, as in `web=3`")?;
        let process = ProcessName::parse(process).map_err(|e| e.to_string())?;
        match count.parse::<u16>() {
            Ok(count) if count <= 64 => Ok(Count { process, count }),
            _ => Err(format!("`{count}` is not a number from 0 to 64")),
        }
    }
}
