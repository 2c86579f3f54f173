//! Arguments of the commands that only look.

use clap::{Args, Subcommand};
use hostkit_core::deployment::DeploymentId;
use hostkit_core::names::ProcessName;
use hostkit_core::size::Span;

use super::Target;
use crate::completion;

#[derive(Debug, Args)]
pub(crate) struct ReleasesArgs {
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct PsArgs {
    #[command(flatten)]
    pub(crate) target: Target,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    #[command(flatten)]
    pub(crate) target: Target,
    /// Go on with new lines as they come, until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only lines of this process
    #[arg(long, value_name = "NAME")]
    pub(crate) process: Option<ProcessName>,
    /// Only lines this old or younger, such as 10m or 2h
    #[arg(long, value_name = "SPAN", value_parser = Span::parse)]
    pub(crate) since: Option<Span>,
    /// Only lines with this text in them
    #[arg(long, value_name = "TEXT")]
    pub(crate) grep: Option<String>,
    /// Only the last N lines [default: 100, or all with --since]
    #[arg(long = "lines", short = 'n', value_name = "N")]
    pub(crate) last: Option<usize>,
}

#[derive(Debug, Args)]
pub(crate) struct EventsArgs {
    /// Only of this project's environment
    #[arg(
        long,
        short,
        value_name = "NAME",
        env = "HOSTKIT_PROJECT",
        hide_env_values = true,
        add = completion::projects()
    )]
    pub(crate) project: Option<hostkit_core::names::ProjectName>,
    /// Which environment of the project [default: production]
    #[arg(long = "env", short = 'e', value_name = "ENV", requires = "project")]
    pub(crate) environment: Option<hostkit_core::names::EnvironmentName>,
    /// Go on with new events as they come, until Ctrl-C
    #[arg(long, short)]
    pub(crate) follow: bool,
    /// Only the last N events, at most 1000; the steps of deployments are only shown with `-v`
    #[arg(long = "lines", short = 'n', value_name = "N", default_value_t = 50)]
    pub(crate) last: usize,
}

#[derive(Debug, Args)]
pub(crate) struct DeploymentsArgs {
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(subcommand)]
    pub(crate) command: Option<DeploymentsCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DeploymentsCommand {
    /// List deployments, the newest first (what `hostkit deployments` does)
    List,
    /// Show one deployment with its steps
    Show {
        /// Its number
        #[arg(value_name = "ID")]
        id: DeploymentId,
    },
    /// Read the log of one deployment
    Log {
        /// Its number
        #[arg(value_name = "ID")]
        id: DeploymentId,
        /// Stay until it ends, and end with its outcome
        #[arg(long, short)]
        follow: bool,
    },
}
