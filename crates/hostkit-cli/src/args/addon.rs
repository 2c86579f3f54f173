//! Arguments of `addon` and `redis`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use hostkit_core::addon::AddonKind;
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::size::ByteSize;

use crate::completion;

#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct AddonArgs {
    #[command(subcommand)]
    pub(crate) command: AddonCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AddonCommand {
    /// Add one; programs find its variables once they are started anew
    Add {
        #[command(flatten)]
        which: WhichAddon,
        /// The most memory its data may take, such as 128MB [default for redis: 64MB]
        #[arg(long, value_name = "SIZE", value_parser = ByteSize::parse)]
        memory: Option<ByteSize>,
        /// Refuse writes when that memory is full, and push nothing out; for queues
        #[arg(long)]
        keep_all: bool,
        /// The most bytes its objects may take, such as 10GB; for storage
        #[arg(long, value_name = "SIZE", value_parser = ByteSize::parse)]
        quota: Option<ByteSize>,
        /// Have anybody read objects whose keys begin so; for storage, more than once
        #[arg(long, value_name = "PREFIX")]
        public: Vec<String>,
        /// Use one that somebody else keeps; its address is read from a file, stdin (`-`) or a variable (`env:NAME`)
        #[arg(
            long,
            value_name = "SOURCE",
            conflicts_with_all = ["memory", "keep_all", "quota", "public"]
        )]
        outside: Option<AddressSource>,
    },
    /// Change what was chosen of one; its server may be started anew for it
    Set {
        #[command(flatten)]
        which: WhichAddon,
        /// The most memory its data may take, such as 256MB
        #[arg(long, value_name = "SIZE", value_parser = ByteSize::parse)]
        memory: Option<ByteSize>,
        /// Refuse writes when that memory is full, and push nothing out; for queues
        #[arg(long, conflicts_with = "evict", required_unless_present_any = ["memory", "evict"])]
        keep_all: bool,
        /// Push the least used out when that memory is full; for caches
        #[arg(long)]
        evict: bool,
    },
    /// List the add-ons of a project, and how each is
    List {
        #[command(flatten)]
        whose: Whose,
    },
    /// Give one a new credential, tell programs by a restart, and refuse the old one
    Rotate {
        #[command(flatten)]
        which: WhichAddon,
        /// The new address of one that somebody else keeps, from a file, stdin (`-`) or a variable (`env:NAME`)
        #[arg(long, value_name = "SOURCE")]
        outside: Option<AddressSource>,
    },
    /// Take one away, with all of its data; forget one that somebody else keeps
    Remove {
        #[command(flatten)]
        which: WhichAddon,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
        /// Do not back up its data first
        #[arg(long)]
        no_backup: bool,
    },
}

/// Where the address of something is read that somebody else keeps. It has a password in it, and arguments are read by all
/// accounts of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum AddressSource {
    /// From stdin, or typed without being shown.
    Stdin,
    /// From a variable of the caller's environment.
    Variable(String),
    /// From a file.
    File(PathBuf),
    /// It was written as the argument itself, and is refused. The text is not kept: there is a password in it.
    Argument,
}

impl From<&str> for AddressSource {
    fn from(text: &str) -> Self {
        match (text, text.strip_prefix("env:")) {
            _ if text.contains("://") => AddressSource::Argument,
            ("-", _) => AddressSource::Stdin,
            (_, Some(name)) => AddressSource::Variable(name.to_owned()),
            (file, None) => AddressSource::File(file.into()),
        }
    }
}

/// Whose add-ons are meant.
#[derive(Debug, Clone, Args)]
pub(crate) struct Whose {
    /// The project
    #[arg(add = completion::projects())]
    pub(crate) name: ProjectName,
    /// The environment of the project
    #[arg(
        long = "env",
        short = 'e',
        value_name = "ENV",
        env = "HOSTKIT_ENV",
        hide_env_values = true,
        default_value = "production"
    )]
    pub(crate) environment: EnvironmentName,
}

/// Which add-on is meant.
#[derive(Debug, Clone, Args)]
pub(crate) struct WhichAddon {
    #[command(flatten)]
    pub(crate) whose: Whose,
    /// What it is
    #[arg(value_enum)]
    pub(crate) kind: KindName,
}

/// An add-on, as it is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindName {
    /// A database of PostgreSQL
    Postgres,
    /// A Redis server
    Redis,
    /// A bucket that speaks S3
    Storage,
}

impl From<KindName> for AddonKind {
    fn from(name: KindName) -> AddonKind {
        match name {
            KindName::Postgres => AddonKind::Postgres,
            KindName::Redis => AddonKind::Redis,
            KindName::Storage => AddonKind::Storage,
        }
    }
}

#[derive(Debug, Args)]
#[command(arg_required_else_help = true, disable_help_subcommand = true)]
pub(crate) struct RedisArgs {
    #[command(subcommand)]
    pub(crate) command: RedisCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum RedisCommand {
    /// Open redis-cli as the project, or run one command
    Cli {
        #[command(flatten)]
        whose: Whose,
        /// A command of Redis and its arguments
        #[arg(last = true, value_name = "COMMAND")]
        command: Vec<String>,
    },
    /// Print what the server says of itself
    Info {
        #[command(flatten)]
        whose: Whose,
        /// Only this part, such as memory
        section: Option<String>,
    },
    /// Delete every key
    Flush {
        #[command(flatten)]
        whose: Whose,
        /// Do not ask
        #[arg(long, short)]
        yes: bool,
    },
    /// Print the URL that programs are told, with its password
    Url {
        #[command(flatten)]
        whose: Whose,
    },
}
