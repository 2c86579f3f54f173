//! Completion: the shell asks the binary itself what may come next, so that it knows the projects there are. What the
//! shell is told once (`hostkit completions SHELL`) only says how to ask.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::time::Duration;

use clap_complete::CompletionCandidate;
use clap_complete::engine::ArgValueCompleter;
use clap_complete::env::Shells;
use hostkit_api::client::{Address, Client};
use hostkit_api::endpoints::{GetCaller, ListDatabases, ListProjects, NoQuery};
use hostkit_api::target::Installation;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::layout::Layout;
use hostkit_core::names::{EnvironmentName, ProjectName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::secret::Secret;

use crate::args;
use crate::local;

/// The variable by which a shell asks; its value names the shell.
const VARIABLE: &str = "HOSTKIT_COMPLETE";
/// Whoever presses a key does not wait any longer.
const PATIENCE: Duration = Duration::from_millis(500);

/// Answers a shell that asks, and returns the exit code; nothing where none does.
pub(crate) fn answer(words: &[OsString]) -> Option<u8> {
    let shell = std::env::var_os(VARIABLE).filter(|shell| !shell.is_empty())?;
    // The command line stands behind `--`.
    let at = words.iter().position(|word| word == "--")?;
    let line = words.get(at + 1..)?.to_vec();
    let shells = Shells::builtins();
    let shell = shells.completer(shell.to_str()?)?;
    let mut command = args::command();
    command.build();
    let mut text = Vec::new();
    let here = std::env::current_dir().ok();
    let written = shell.write_complete(&mut command, line, here.as_deref(), &mut text);
    let told = written.and_then(|()| std::io::stdout().write_all(&text));
    Some(u8::from(told.is_err()))
}

/// What a shell has to be told.
pub(crate) fn script(shell: clap_complete::Shell) -> Result<Vec<u8>, Failure> {
    let shells = Shells::builtins();
    let name = shell.to_string();
    let cannot = |why: String| Failure::new(Kind::Internal, format!("cannot write completions: {why}"));
    let shell = shells
        .completer(&name)
        .ok_or_else(|| cannot(format!("there are none for {name}")))?;
    let mut text = Vec::new();
    shell
        .write_registration(VARIABLE, "hostkit", "hostkit", "hostkit", &mut text)
        .map_err(|error| cannot(error.to_string()))?;
    Ok(text)
}

/// Completes the names of projects.
pub(crate) fn projects() -> ArgValueCompleter {
    ArgValueCompleter::new(|begun: &OsStr| {
        let begun = begun.to_string_lossy();
        let names = names().into_iter().filter(|name| name.starts_with(&*begun));
        names.map(CompletionCandidate::new).collect()
    })
}

/// Completes the databases of the project that the line names.
pub(crate) fn databases() -> ArgValueCompleter {
    ArgValueCompleter::new(|begun: &OsStr| {
        let begun = begun.to_string_lossy();
        let labels = labels().into_iter().filter(|label| label.starts_with(&*begun));
        labels.map(CompletionCandidate::new).collect()
    })
}

/// The databases of the project behind `db COMMAND`; none where it is not there yet.
fn labels() -> Vec<String> {
    let asked = || -> Option<Vec<String>> {
        let words: Vec<String> = std::env::args().skip_while(|word| word != "--").collect();
        let at = words.iter().position(|word| word == "db")?;
        let mut names = words
            .get(at + 2..)?
            .iter()
            .filter_map(|word| ProjectName::parse(word).ok());
        let environment = given("--env", "HOSTKIT_ENV").or_else(|| given("-e", "HOSTKIT_ENV"));
        let environment = match environment {
            Some(name) => EnvironmentName::parse(name.to_str()?).ok()?,
            None => EnvironmentName::production(),
        };
        let environment = EnvironmentId::new(names.next()?, environment);
        let client = client()?;
        let databases = at_once(client.call::<ListDatabases>(&environment, &NoQuery {}, &()))?;
        Some(
            databases
                .ok()?
                .into_iter()
                .map(|database| database.label.to_string())
                .collect(),
        )
    };
    asked().unwrap_or_default()
}

/// What an answer is that comes while somebody waits who pressed a key.
fn at_once<T>(answer: impl Future<Output = T>) -> Option<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .ok()?;
    runtime.block_on(async { tokio::time::timeout(PATIENCE, answer).await.ok() })
}

/// The projects of the installation the command line is about; none where it does not answer at once. A shell has no
/// use for a reason.
fn names() -> Vec<String> {
    let asked = || -> Option<Vec<String>> {
        let client = client()?;
        let whole = client.call::<ListProjects>(&Installation, &NoQuery {}, &());
        // Whoever may work on one project alone has only that to choose.
        let own = client.call::<GetCaller>(&Installation, &NoQuery {}, &());
        let names = async {
            match whole.await {
                Ok(projects) => Some(projects.into_iter().map(|project| project.name).collect()),
                Err(_) => own.await.ok()?.project.map(|own| vec![own]),
            }
        };
        let names: Vec<ProjectName> = at_once(names)??;
        Some(names.iter().map(ToString::to_string).collect())
    };
    asked().unwrap_or_default()
}

fn client() -> Option<Client> {
    let server = Layout::server();
    let layout = match given("--data", "HOSTKIT_DATA") {
        Some(data) => Some(Layout::new(data)),
        None if server.control_socket().exists() => Some(server),
        None => local::default_data(|name| std::env::var_os(name)).map(Layout::new),
    };
    let token = given("--token", "HOSTKIT_TOKEN").and_then(|token| token.into_string().ok());
    let token = token.or_else(|| std::fs::read_to_string(layout.as_ref()?.token()).ok());
    let token = token.map(|token| Secret::new(token.trim()));
    let address = match given("--url", "HOSTKIT_URL") {
        Some(url) => Address::parse(url.to_str()?).ok()?,
        None => Address::Socket(layout?.control_socket()),
    };
    Some(Client::new(address, token))
}

/// A global option as it stands in the line that is being completed, or else in its variable. The line is not finished:
/// the parser would refuse it.
fn given(option: &str, variable: &str) -> Option<OsString> {
    let words: Vec<OsString> = std::env::args_os().skip_while(|word| word != "--").collect();
    let apart = words
        .windows(2)
        .find(|pair| pair[0] == option)
        .map(|pair| pair[1].clone());
    let joined = || {
        let prefix = format!("{option}=");
        let mut found = words
            .iter()
            .filter_map(|word| word.to_str()?.strip_prefix(&prefix));
        found.next_back().map(OsString::from)
    };
    let set = || std::env::var_os(variable).filter(|value| !value.is_empty());
    apart.or_else(joined).or_else(set)
}
