//! What each command does: one file per noun or verb.

mod access;
mod addon;
mod address;
mod backup;
mod cache;
mod cancel;
mod certificate;
mod change;
pub(crate) mod daemon;
mod database;
mod deploy;
mod deployment;
pub(crate) mod doctor;
mod domain;
mod event;
pub(crate) mod init;
mod installation;
mod instance;
mod isolation;
mod log;
mod open;
mod project;
mod provision;
mod redis;
mod release;
mod run;
pub(crate) mod scan;
pub(crate) mod server;
pub(crate) mod shell;
mod storage;
mod token;
pub(crate) mod trust;
mod variable;
mod vault;

use crate::args::Command;
use crate::session::Session;
use crate::stop::Stop;

/// Runs a command that calls the API.
pub(crate) async fn run(session: &Session<'_>, command: Command) -> Result<(), Stop> {
    match command {
        Command::Status => installation::status(session).await,
        Command::Provision(args) => provision::run(session, &args).await,
        Command::Project(args) => project::run(session, args.command).await,
        Command::Deploy(args) => deploy::run(session, &args).await,
        Command::Promote(args) => change::promote(session, &args).await,
        Command::Rollback(args) => change::rollback(session, &args).await,
        Command::Cancel(args) => cancel::run(session, &args).await,
        Command::Releases(args) => release::list(session, &args).await,
        Command::Deployments(args) => deployment::run(session, &args).await,
        Command::Ps(args) => instance::list(session, &args).await,
        Command::Logs(args) => log::run(session, &args).await,
        Command::Events(args) => event::run(session, &args).await,
        Command::Scale(args) => change::scale(session, &args).await,
        Command::Restart(args) => change::restart(session, &args).await,
        Command::Stop(args) => change::stop(session, &args).await,
        Command::Start(args) => change::start(session, &args).await,
        Command::Cache(args) => cache::run(session, args.command).await,
        Command::Env(args) => variable::run(session, args.command).await,
        Command::Addon(args) => addon::run(session, args.command).await,
        Command::Db(args) => database::run(session, args.command).await,
        Command::Redis(args) => redis::run(session, args.command).await,
        Command::Backup(args) => backup::run(session, args.command).await,
        Command::Storage(args) => storage::run(session, args.command).await,
        Command::Domain(args) => domain::run(session, args.command).await,
        Command::Cert(args) => certificate::run(session, args.command).await,
        Command::Nginx(args) => domain::nginx(session, args.command).await,
        Command::Run(args) => run::run(session, &args).await,
        Command::Open(args) => open::run(session, &args).await,
        Command::Server(args) => server::call(session, args.command).await,
        Command::Access(args) => access::run(session, args.command).await,
        Command::Token(args) => token::run(session, args.command).await,
        Command::Vault(args) => vault::run(session, args.command).await,
        Command::Up(_)
        | Command::Down
        | Command::Trust(_)
        | Command::Doctor(_)
        | Command::Init(_)
        | Command::Scan(_)
        | Command::Completions(_)
        | Command::ManualPages { .. }
        | Command::Version
        | Command::Help(_) => Ok(()),
    }
}
