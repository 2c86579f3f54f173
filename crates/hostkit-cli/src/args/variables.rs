//! Arguments of `env`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};
use hostkit_core::names::VariableName;

use super::Target;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct EnvArgs {
    #[command(subcommand)]
    pub(crate) command: EnvCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EnvCommand {
    /// Set variables: K=V …, or one value from stdin
    Set(SetArgs),
    /// Remove variables
    Unset {
        /// Their names
        #[arg(value_name = "NAME", required = true)]
        names: Vec<VariableName>,
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        apply: Apply,
    },
    /// List the names of variables, without their values
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Show who changed which variable when, without values
    History {
        /// This variable alone
        name: Option<VariableName>,
        #[command(flatten)]
        target: Target,
    },
    /// Print the value of one variable
    Get {
        /// Its name
        name: VariableName,
        #[command(flatten)]
        target: Target,
    },
    /// Set variables from a .env file
    Import {
        /// The file; `-` reads stdin
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: PathBuf,
        /// Remove variables that the file does not name
        #[arg(long)]
        replace: bool,
        #[command(flatten)]
        target: Target,
        #[command(flatten)]
        apply: Apply,
    },
    /// Bring changed variables live at once, without a build
    Apply {
        #[command(flatten)]
        target: Target,
    },
    /// Print all variables with their values as a .env file
    Export {
        /// Write this file (only you can read it) instead of stdout
        #[arg(value_name = "FILE", value_hint = ValueHint::FilePath)]
        file: Option<PathBuf>,
        /// Replace the file if it is there
        #[arg(long, requires = "file")]
        force: bool,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// K=V …; or a name and `-` for a value from stdin
    #[arg(value_name = "K=V", required = true)]
    pub(crate) pairs: Vec<String>,
    /// Take the value of the one name given from stdin (one line end at its end is dropped)
    #[arg(long)]
    pub(crate) stdin: bool,
    #[command(flatten)]
    pub(crate) target: Target,
    #[command(flatten)]
    pub(crate) apply: Apply,
}

/// Whether changed variables come live at once.
#[derive(Debug, Clone, Args)]
pub(crate) struct Apply {
    /// Bring the change live at once, without a build
    #[arg(long)]
    pub(crate) apply: bool,
}
