//! Arguments of `project`, `token` and `vault`.

use clap::{Args, Subcommand, ValueEnum};
use hostkit_core::access::Role;
use hostkit_core::names::{ProjectName, TokenName};

use super::CreateArgs;
use crate::completion;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct ProjectArgs {
    #[command(subcommand)]
    pub(crate) command: ProjectCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ProjectCommand {
    /// Create a project (`hostkit deploy` does it at the first deploy)
    Create(CreateArgs),
    /// List all projects
    List,
    /// Show one project with its environments
    Show {
        /// The project [default: `name` in ./hostkit.toml, else the caller's own, else the folder's name]
        #[arg(env = "HOSTKIT_PROJECT", hide_env_values = true, add = completion::projects())]
        name: Option<ProjectName>,
    },
    /// Delete a project: its releases, variables, logs and files
    Delete {
        /// The project
        #[arg(add = completion::projects())]
        name: ProjectName,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// Keep no last archive of its home (on a server)
        #[arg(long)]
        no_archive: bool,
        /// Make no last backup
        #[arg(long)]
        no_backup: bool,
    },
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    pub(crate) command: TokenCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Create a token and print it, this once
    Create {
        /// A name to know it by, such as `ci`
        name: TokenName,
        /// What it may do
        #[arg(long, value_enum, default_value_t = RoleName::Developer)]
        role: RoleName,
        /// Only on this project [default: on all]
        #[arg(long, short, value_name = "NAME", add = completion::projects())]
        project: Option<ProjectName>,
    },
    /// List tokens (never their text)
    List,
    /// Make a token worthless, at once
    Revoke {
        /// Its name
        name: TokenName,
    },
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct VaultArgs {
    #[command(subcommand)]
    pub(crate) command: VaultCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum VaultCommand {
    /// Make a new master key and encrypt every stored value with it
    RotateKey,
}

/// A role, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum RoleName {
    /// Everything
    Admin,
    /// Deploy and configure, not create or delete
    Developer,
    /// Look, but not at values of variables
    Viewer,
}

impl From<RoleName> for Role {
    fn from(name: RoleName) -> Role {
        match name {
            RoleName::Admin => Role::Admin,
            RoleName::Developer => Role::Developer,
            RoleName::Viewer => Role::Viewer,
        }
    }
}
