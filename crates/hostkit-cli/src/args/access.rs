//! Arguments of `access`.

use clap::{Args, Subcommand};
use hostkit_core::names::ProjectName;

use crate::completion;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct AccessArgs {
    #[command(subcommand)]
    pub(crate) command: AccessCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccessCommand {
    /// Let a key log in as the project's account
    Add {
        /// The project
        #[arg(add = completion::projects())]
        name: ProjectName,
        /// The public key: its file, its text, or `-` for stdin
        // A private key that is pasted begins with hyphens: the parser would repeat it as an unknown option.
        #[arg(value_hint = clap::ValueHint::FilePath, allow_hyphen_values = true)]
        key: String,
    },
    /// List the keys that may log in
    List {
        /// The project [default: `name` in ./hostkit.toml, else the caller's own, else the folder's name]
        #[arg(env = "HOSTKIT_PROJECT", hide_env_values = true, add = completion::projects())]
        name: Option<ProjectName>,
    },
    /// Take a key away: nobody logs in with it any more
    Remove {
        /// The project
        #[arg(add = completion::projects())]
        name: ProjectName,
        /// The key: its fingerprint, its comment, its file (with a `/` or `.pub`), its text, or `-` for stdin
        #[arg(allow_hyphen_values = true)]
        key: String,
    },
}
