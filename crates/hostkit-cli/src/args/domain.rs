//! Arguments of `domain`, and of `nginx`, its other name.

use clap::{Args, Subcommand};
use hostkit_core::domain::DomainName;
use hostkit_core::names::ProjectName;

use super::Target;
use crate::completion;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct DomainArgs {
    #[command(subcommand)]
    pub(crate) command: DomainCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum DomainCommand {
    /// Let an environment answer a domain, at once and without a deploy
    Add {
        /// The domain, such as shop.example.com or '*.shop.example.com'
        #[arg(value_parser = hostkit_core::domain::parse)]
        domain: DomainName,
        #[command(flatten)]
        target: Target,
    },
    /// List the domains of an environment, and where each comes from
    List {
        #[command(flatten)]
        target: Target,
    },
    /// Take a domain away: nothing answers it any more
    Remove {
        /// The domain
        #[arg(value_parser = hostkit_core::domain::parse)]
        domain: DomainName,
        #[command(flatten)]
        target: Target,
    },
    /// See whether domains lead here, and what to set in the DNS; exit code 1 if one does not
    Check {
        /// The domain [default: every one that was added or is in hostkit.toml]
        #[arg(value_parser = hostkit_core::domain::parse)]
        domain: Option<DomainName>,
        #[command(flatten)]
        target: Target,
    },
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct NginxArgs {
    #[command(subcommand)]
    pub(crate) command: NginxCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum NginxCommand {
    /// Let a project answer a domain: `hostkit domain add`
    Add {
        /// The project
        #[arg(add = completion::projects())]
        name: ProjectName,
        /// The domain, such as shop.example.com or '*.shop.example.com'
        #[arg(value_parser = hostkit_core::domain::parse)]
        domain: DomainName,
    },
}
