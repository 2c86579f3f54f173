//! Arguments of `server`.

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct ServerArgs {
    #[command(subcommand)]
    pub(crate) command: ServerCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ServerCommand {
    /// Make this machine fit to be a server; safe to run again
    Setup {
        /// Only show each change, as a diff
        #[arg(long)]
        plan: bool,
    },
    /// Say of each item how it is, and what mends it
    Check,
    /// Print the administrator's token, this once
    Token {
        /// Make another one; the one before is worth nothing from then on
        #[arg(long)]
        new: bool,
    },
}
