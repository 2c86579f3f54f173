//! Arguments of `cache`.

use clap::{Args, Subcommand};

use super::Target;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct CacheArgs {
    #[command(subcommand)]
    pub(crate) command: CacheCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum CacheCommand {
    /// Take answers out: the next request for each goes to the app
    Purge {
        /// Only of this path; with `*` at its end of all that begin so [default: all]
        path: Option<String>,
        #[command(flatten)]
        target: Target,
    },
}
