//! What can be typed: every command, option and help text. Behaviour lives in [`crate::commands`].

mod access;
mod addon;
mod backup;
mod cache;
mod certificate;
mod daemon;
mod database;
mod deploy;
mod doctor;
mod domain;
mod examples;
mod groups;
mod look;
mod manage;
mod provision;
mod server;
mod storage;
mod trust;
mod variables;

use std::path::PathBuf;

use clap::builder::styling::{AnsiColor, Styles};
use clap::{Args, Parser, Subcommand};
use hostkit_core::names::{EnvironmentName, ProjectName};

use crate::completion;

pub(crate) use access::{AccessArgs, AccessCommand};
pub(crate) use addon::{AddonArgs, AddonCommand, AddressSource, RedisArgs, RedisCommand, WhichAddon, Whose};
pub(crate) use backup::{BackupArgs, BackupCommand, Elsewhere, Keep, Switch, TargetCommand};
pub(crate) use cache::{CacheArgs, CacheCommand};
pub(crate) use certificate::{CertificateArgs, CertificateCommand};
pub(crate) use daemon::{CompletionsArgs, ControlArgs, OpenArgs, ProxyArgs, UpArgs};
pub(crate) use database::{DbArgs, DbCommand, Losing, WhichDatabase};
pub(crate) use deploy::{
    CancelArgs, ChangeArgs, DeployArgs, InitArgs, PromoteArgs, RollbackArgs, RunArgs, ScaleArgs, ScanArgs,
};
pub(crate) use doctor::{DoctorArgs, DoctorCommand};
pub(crate) use domain::{DomainArgs, DomainCommand, NginxArgs, NginxCommand};
pub(crate) use groups::{GROUPS, command};
pub(crate) use look::{DeploymentsArgs, DeploymentsCommand, EventsArgs, LogsArgs, PsArgs, ReleasesArgs};
pub(crate) use manage::{ProjectArgs, ProjectCommand, TokenArgs, TokenCommand, VaultArgs, VaultCommand};
pub(crate) use provision::{CreateArgs, Extras, ProvisionArgs};
pub(crate) use server::{ServerArgs, ServerCommand};
pub(crate) use storage::{End, OfEnvironment, Place, PolicyChange, StorageArgs, StorageCommand};
pub(crate) use trust::TrustArgs;
pub(crate) use variables::{EnvArgs, EnvCommand, SetArgs};

const STYLES: Styles = Styles::styled()
    .header(AnsiColor::Green.on_default().bold())
    .usage(AnsiColor::Green.on_default().bold())
    .literal(AnsiColor::Cyan.on_default().bold())
    .placeholder(AnsiColor::Cyan.on_default())
    .error(AnsiColor::Red.on_default().bold())
    .valid(AnsiColor::Cyan.on_default().bold())
    .invalid(AnsiColor::Yellow.on_default().bold());

/// The command line as a whole.
#[derive(Debug, Parser)]
#[command(
    name = "hostkit",
    version,
    about = "Put apps live from a folder, without losing a request",
    styles = STYLES,
    disable_help_subcommand = true,
    subcommand_required = true,
    arg_required_else_help = true,
    after_help = examples::ROOT
)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Options that every command takes.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Global options")]
pub(crate) struct Globals {
    /// The installation: its data folder [default: the server this is, else ~/.local/share/hostkit]
    #[arg(
        long,
        global = true,
        value_name = "DIR",
        env = "HOSTKIT_DATA",
        hide_env_values = true
    )]
    pub(crate) data: Option<PathBuf>,
    /// The API of an installation elsewhere, such as http://127.0.0.1:9000
    #[arg(
        long,
        global = true,
        value_name = "URL",
        env = "HOSTKIT_URL",
        hide_env_values = true
    )]
    pub(crate) url: Option<String>,
    /// The token to use instead of the one in the data folder (better given by its variable)
    #[arg(
        long,
        global = true,
        value_name = "TOKEN",
        env = "HOSTKIT_TOKEN",
        hide_env_values = true
    )]
    pub(crate) token: Option<String>,
    /// Print one JSON document on stdout instead of text
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say nothing but the result and errors
    #[arg(long, short, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
    /// Say more about what is done
    #[arg(long, short, global = true)]
    pub(crate) verbose: bool,
}

/// Which project and environment a command is about.
#[derive(Debug, Clone, Args)]
pub(crate) struct Target {
    /// The project [default: `name` in ./hostkit.toml, else the caller's own, else the folder's name]
    #[arg(
        long,
        short,
        value_name = "NAME",
        env = "HOSTKIT_PROJECT",
        hide_env_values = true,
        add = completion::projects()
    )]
    pub(crate) project: Option<ProjectName>,
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

/// Every command, in the order of the reference.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start HostKit on this machine
    #[command(after_help = examples::UP)]
    Up(UpArgs),
    /// Stop HostKit and the apps it runs
    #[command(after_help = examples::DOWN)]
    Down,
    /// Have this machine's programs trust the certificates of `hostkit up --tls`
    #[command(after_help = examples::TRUST)]
    Trust(TrustArgs),
    /// Show where this installation is and how it is
    #[command(after_help = examples::STATUS)]
    Status,
    /// Check the installation, or whether a project is fit for production
    #[command(after_help = examples::DOCTOR)]
    Doctor(DoctorArgs),
    /// Write a hostkit.toml for the folder you are in
    #[command(after_help = examples::INIT)]
    Init(InitArgs),
    /// Make a project with all it needs; done again, mend it
    #[command(after_help = examples::PROVISION)]
    Provision(ProvisionArgs),
    /// Create, list, show and delete projects
    #[command(after_help = examples::PROJECT)]
    Project(ProjectArgs),
    /// Upload a folder, build it and bring it live
    #[command(after_help = examples::DEPLOY)]
    Deploy(DeployArgs),
    /// Look for secrets that were left in a folder
    #[command(after_help = examples::SCAN)]
    Scan(ScanArgs),
    /// Make the canary the live release, or give it more visitors
    #[command(after_help = examples::PROMOTE)]
    Promote(PromoteArgs),
    /// Bring an earlier release live again, with its variables and without a build; or end a canary
    #[command(after_help = examples::ROLLBACK)]
    Rollback(RollbackArgs),
    /// Cancel a deployment that has not switched yet; what is live stays so
    #[command(after_help = examples::CANCEL)]
    Cancel(CancelArgs),
    /// List the releases that can be rolled back to
    #[command(after_help = examples::RELEASES)]
    Releases(ReleasesArgs),
    /// List earlier deployments, show one, read its log
    #[command(after_help = examples::DEPLOYMENTS)]
    Deployments(DeploymentsArgs),
    /// Show what runs
    #[command(after_help = examples::PS)]
    Ps(PsArgs),
    /// Read what the programs print
    #[command(after_help = examples::LOGS)]
    Logs(LogsArgs),
    /// Show what happened
    #[command(after_help = examples::EVENTS)]
    Events(EventsArgs),
    /// Change how many instances of a process run
    #[command(after_help = examples::SCALE)]
    Scale(ScaleArgs),
    /// Replace every instance by a fresh one, without losing a request
    #[command(after_help = examples::RESTART)]
    Restart(ChangeArgs),
    /// Stop an environment; its release stays the live one
    #[command(after_help = examples::STOP)]
    Stop(ChangeArgs),
    /// Start a stopped environment
    #[command(after_help = examples::START)]
    Start(ChangeArgs),
    /// Take answers out of the front door's cache
    #[command(after_help = examples::CACHE)]
    Cache(CacheArgs),
    /// Set, read, import and export variables
    #[command(after_help = examples::ENV)]
    Env(EnvArgs),
    /// Add, list, rotate and remove what a project has besides programs: a database, a Redis
    #[command(after_help = examples::ADDON)]
    Addon(AddonArgs),
    /// Work on the databases of a project: look into them, copy them, open psql
    #[command(after_help = examples::DB)]
    Db(DbArgs),
    /// Work on the Redis of a project
    #[command(after_help = examples::REDIS)]
    Redis(RedisArgs),
    /// Back projects up, prove that it comes back, restore it
    #[command(after_help = examples::BACKUP)]
    Backup(BackupArgs),
    /// Work on the bucket of a project: list, copy, remove and sign objects, and say what is public
    #[command(after_help = examples::STORAGE)]
    Storage(StorageArgs),
    /// Add, list, remove and check domains of a project
    #[command(after_help = examples::DOMAIN)]
    Domain(DomainArgs),
    /// Add a domain under the name this command used to have
    #[command(after_help = examples::NGINX)]
    Nginx(NginxArgs),
    /// List, import, renew and remove certificates of the front door
    #[command(after_help = examples::CERT)]
    Cert(CertificateArgs),
    /// Run a one-off command in the live release, with its variables
    #[command(after_help = examples::RUN)]
    Run(RunArgs),
    /// Print the URL of a project, and open it in a browser if there is one
    #[command(after_help = examples::OPEN)]
    Open(OpenArgs),
    /// Decide whose SSH keys may log in to a project's account
    #[command(after_help = examples::ACCESS)]
    Access(AccessArgs),
    /// Create, list and revoke tokens for the API
    #[command(after_help = examples::TOKEN)]
    Token(TokenArgs),
    /// Look after the key that stored values are encrypted with
    #[command(after_help = examples::VAULT)]
    Vault(VaultArgs),
    /// Set up the machine as a server, and check it
    #[command(after_help = examples::SERVER)]
    Server(ServerArgs),
    /// Print the completion script of a shell
    #[command(after_help = examples::COMPLETIONS)]
    Completions(CompletionsArgs),
    /// Write the manual pages into a folder; for whoever makes a package
    #[command(hide = true)]
    ManualPages {
        /// The folder
        folder: PathBuf,
    },
    /// Print the version
    #[command(after_help = examples::VERSION)]
    Version,
    /// Print help for HostKit or one of its commands
    #[command(after_help = examples::HELP)]
    Help(HelpArgs),
}

/// The daemons that `hostkit up` or systemd starts: the same binary, never typed by people and so no part of the help.
#[derive(Debug, Parser)]
#[command(name = "hostkit", disable_help_subcommand = true)]
pub(crate) struct DaemonCli {
    #[command(flatten)]
    pub(crate) globals: Globals,
    #[command(subcommand)]
    pub(crate) command: DaemonCommand,
}

/// Which daemon.
#[derive(Debug, Subcommand)]
pub(crate) enum DaemonCommand {
    /// The control daemon.
    Control(ControlArgs),
    /// The front door.
    Proxy(ProxyArgs),
}

/// `hostkit help env set`.
#[derive(Debug, Args)]
pub(crate) struct HelpArgs {
    /// The command, word by word
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[cfg(test)]
mod tests;
