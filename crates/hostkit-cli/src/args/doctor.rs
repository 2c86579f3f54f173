//! Arguments of `doctor`.

use clap::{Args, Subcommand};
use hostkit_core::names::{EnvironmentName, ProjectName};

use crate::completion;

#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    disable_help_subcommand = true,
    subcommand_negates_reqs = true
)]
pub(crate) struct DoctorArgs {
    /// The project to go through the production checklist of [default: the installation itself is checked]
    #[arg(value_name = "PROJECT", add = completion::projects())]
    pub(crate) project: Option<ProjectName>,
    /// Which environment of the project [default: production]
    #[arg(long = "env", short = 'e', value_name = "ENV", requires = "project")]
    pub(crate) environment: Option<EnvironmentName>,
    #[command(subcommand)]
    pub(crate) command: Option<DoctorCommand>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DoctorCommand {
    /// Try everything as one project that it must not be able to do to another; as root, on the server
    Isolation {
        /// The project whose account tries
        #[arg(add = completion::projects())]
        from: ProjectName,
        /// The project it is tried at
        #[arg(add = completion::projects())]
        to: ProjectName,
    },
}
