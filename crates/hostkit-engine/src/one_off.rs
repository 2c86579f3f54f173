//! One-off commands: a program of the user's choice with the folder and the variables of a release.

use hostkit_core::addon::{AddonId, AddonKind, Console};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::{Command, ProcessRule};
use hostkit_core::names::{ProcessName, RelativePath, ReleaseName, VariableName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::release::{FrozenProcess, Program, Release};
use hostkit_core::secret::Secret;
use hostkit_core::traits::{ExecStreams, OneOff};

use crate::context::Context;
use crate::{addons, wanted};

/// A one-off command of a user's.
#[derive(Debug, Clone)]
pub struct OneOffRequest {
    /// The program and its arguments; no shell. For a console, what follows its own arguments.
    pub arguments: Vec<String>,
    /// The add-on to work on with its console, instead of a program of the user's choice.
    pub console: Option<AddonKind>,
    /// Rows and columns, where the caller has a terminal.
    pub terminal: Option<(u16, u16)>,
    /// The release it runs in; the live one where none is named.
    pub release: Option<ReleaseName>,
}

pub(crate) async fn run(
    context: &Context,
    id: &EnvironmentId,
    request: OneOffRequest,
) -> Result<ExecStreams, Failure> {
    let parts = &context.parts;
    let exec = parts.runtime.exec().ok_or_else(|| {
        let message = format!(
            "cannot run a command in `{id}`: the runtime `{}` runs none",
            parts.runtime.name()
        );
        Failure::new(Kind::Conflict, message)
    })?;
    let environment = parts.store.environment(id)?;
    if let Some(kind) = request.console {
        return exec.exec(&console(context, id, kind, &request)?).await;
    }
    if request.arguments.is_empty() {
        return Err(
            Failure::new(Kind::Invalid, "cannot run nothing: name a program").hint("hostkit run -- ls -l")
        );
    }
    let name = request
        .release
        .or(environment.live.as_ref().map(|live| live.release.clone()))
        .ok_or_else(|| {
            Failure::new(
                Kind::Conflict,
                format!("cannot run a command in `{id}`: nothing was deployed yet"),
            )
            .hint("deploy first with `hostkit deploy`")
        })?;
    let release = context.release(id, &name)?;
    let user = addons::with(context, id, parts.store.release_variables(id, &name)?)?;
    let like = surroundings(&release);
    let command = OneOff {
        environment: id.clone(),
        arguments: request.arguments,
        directory: parts.layout.release(id, &name),
        variables: wanted::variables(context, &environment, &release, &like, &user),
        terminal: request.terminal,
    };
    exec.exec(&command).await
}

/// The console of an add-on: it needs no release, and sees nothing of one.
fn console(
    context: &Context,
    id: &EnvironmentId,
    kind: AddonKind,
    request: &OneOffRequest,
) -> Result<OneOff, Failure> {
    let addon = AddonId::new(id.clone(), kind);
    let Console {
        arguments,
        mut variables,
    } = addons::console(context, &addon, &request.arguments)?;
    let settings = &context.parts.settings;
    for (name, value) in [("PATH", settings.system_path.as_str()), ("LANG", "C.UTF-8")] {
        if let Ok(name) = VariableName::parse(name) {
            variables.insert(name, Secret::new(value));
        }
    }
    Ok(OneOff {
        environment: id.clone(),
        arguments,
        directory: "/".into(),
        variables,
        terminal: request.terminal,
    })
}

/// The surroundings the release's main program has.
fn surroundings(release: &Release) -> FrozenProcess {
    let web = ProcessName::web();
    let process = release
        .processes
        .get(&web)
        .or_else(|| release.processes.values().next());
    process.cloned().unwrap_or_else(|| FrozenProcess {
        rule: ProcessRule::named(&web),
        program: Program {
            command: Command::Arguments(Vec::new()),
            directory: RelativePath::root(),
            path: Vec::new(),
            variables: Default::default(),
        },
    })
}
