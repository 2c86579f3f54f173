//! `hostkit project`.

use std::io::{BufRead, IsTerminal};

use hostkit_api::endpoints::{DeleteProject, GetProject, ListProjects, NoQuery};
use hostkit_api::project::{Deletion, Environment, EnvironmentState, Project};
use hostkit_api::target::Installation;
use hostkit_core::kind::Failure;
use hostkit_core::names::ProjectName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::size::ByteSize;
use hostkit_core::traits::Archive;

use super::provision;
use crate::args::ProjectCommand;
use crate::output::{Style, Table, ago};
use crate::session::Session;
use crate::stop::Stop;

pub(crate) async fn run(session: &Session<'_>, command: ProjectCommand) -> Result<(), Stop> {
    match command {
        ProjectCommand::Create(args) => provision::create(session, &args).await,
        ProjectCommand::List => list(session).await,
        ProjectCommand::Show { name } => show(session, name).await,
        ProjectCommand::Delete {
            name,
            yes,
            no_archive,
            no_backup,
        } => {
            let archive = no_archive.then_some(false);
            let backup = no_backup.then_some(false);
            delete(session, name, yes, Deletion { archive, backup }).await
        }
    }
}

async fn list(session: &Session<'_>) -> Result<(), Stop> {
    let projects = covered(session).await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&projects);
    }
    if projects.is_empty() {
        printer.say("There is no project yet.");
        printer.next("`hostkit deploy` in the folder of an app creates one");
        return Ok(());
    }
    let mut table = Table::new(&["PROJECT", "STATE", "RELEASE", "URL"]);
    for project in projects.iter().filter(|project| project.environments.is_empty()) {
        let mut row = vec![(project.name.to_string(), Style::Name)];
        row.extend(std::iter::repeat_n((String::new(), Style::Plain), 3));
        table.row(row);
    }
    for environment in projects.iter().flat_map(|project| &project.environments) {
        let (state, style) = state(environment);
        let mut release = environment.release.as_ref().map(ToString::to_string);
        if let (Some(release), Some(canary)) = (&mut release, canary(environment)) {
            release.push_str(&format!(", canary {canary}"));
        }
        table.row(vec![
            (shown(&id(environment)), Style::Name),
            (state.to_owned(), style),
            (release.unwrap_or_default(), Style::Plain),
            (environment.url.clone(), Style::Plain),
        ]);
    }
    printer.table(&table)
}

/// Every project that the caller may look at.
pub(super) async fn covered(session: &Session<'_>) -> Result<Vec<Project>, Failure> {
    let client = session.client()?;
    if let Some(own) = session.own_project().await {
        return Ok(vec![client.call::<GetProject>(&own, &NoQuery {}, &()).await?]);
    }
    client.call::<ListProjects>(&Installation, &NoQuery {}, &()).await
}

/// `shop`, or `shop/staging`: production goes without saying.
pub(super) fn shown(environment: &EnvironmentId) -> String {
    if environment.environment.is_production() {
        environment.project.to_string()
    } else {
        environment.to_string()
    }
}

pub(super) fn id(environment: &Environment) -> EnvironmentId {
    EnvironmentId::new(environment.project.clone(), environment.name.clone())
}

pub(super) fn state(environment: &Environment) -> (&'static str, Style) {
    match environment.state {
        EnvironmentState::NeverDeployed => ("never deployed", Style::Dim),
        EnvironmentState::Live => ("live", Style::Good),
        EnvironmentState::Stopped => ("stopped", Style::Warning),
    }
}

/// `10 %: release 20250215-120000`, where there is a canary.
pub(super) fn canary(environment: &Environment) -> Option<String> {
    let canary = environment.canary.as_ref()?;
    Some(format!("{}: release {}", canary.percent, canary.release))
}

/// What a project is on its machine, as rows.
pub(super) fn on_machine(project: &Project) -> Vec<(&'static str, String)> {
    let Some(there) = &project.on_machine else {
        return Vec::new();
    };
    let mut rows = vec![
        ("account", there.account.clone()),
        ("home", there.home.clone()),
        ("logs", there.logs.clone()),
        ("service", there.service.clone()),
    ];
    if let Some(port) = there.base_port {
        rows.push(("port", format!("127.0.0.1:{port}")));
    }
    if let Some(exposure) = there.exposure {
        let row = format!("{exposure:.1} exposed of 10, by systemd-analyze security");
        rows.push(("sandbox", row));
    }
    rows
}

async fn show(session: &Session<'_>, name: Option<ProjectName>) -> Result<(), Stop> {
    let name = session.project(name.as_ref()).await?;
    let project = session
        .client()?
        .call::<GetProject>(&name, &NoQuery {}, &())
        .await?;
    if session.printer().wants_json() {
        return session.printer().json(&project);
    }
    print_project(session, &project)
}

fn print_project(session: &Session<'_>, project: &Project) -> Result<(), Stop> {
    let printer = session.printer();
    let age = ago(jiff::Timestamp::now(), project.created_at);
    printer.line(&format!(
        "{}, created {age}",
        printer.on_out(project.name.as_str(), Style::Strong)
    ))?;
    for (name, value) in on_machine(project) {
        printer.line(&format!(
            "  {}{value}",
            printer.on_out(&format!("{name:<10}"), Style::Dim)
        ))?;
    }
    for environment in &project.environments {
        let (state, style) = state(environment);
        let state = printer.on_out(state, style);
        printer.line(&format!(
            "\n{}: {state}",
            printer.on_out(environment.name.as_str(), Style::Name)
        ))?;
        let row = |name: &str, value: String| {
            printer.line(&format!(
                "  {}{value}",
                printer.on_out(&format!("{name:<10}"), Style::Dim)
            ))
        };
        row("URL", environment.url.clone())?;
        for host in environment.hosts.iter().skip(1) {
            row("host", host.to_string())?;
        }
        if let Some(release) = &environment.release {
            row("release", release.to_string())?;
        }
        if let Some(canary) = canary(environment) {
            row("canary", canary)?;
        }
        for (process, count) in &environment.processes {
            let port = environment
                .ports
                .get(process)
                .map(|port| format!(", 127.0.0.1:{port}"))
                .unwrap_or_default();
            row("process", format!("{process} × {count}{port}"))?;
        }
    }
    Ok(())
}

async fn delete(session: &Session<'_>, name: ProjectName, yes: bool, deletion: Deletion) -> Result<(), Stop> {
    let client = session.client()?;
    // What does not exist is said before anybody is asked about it.
    client.call::<GetProject>(&name, &NoQuery {}, &()).await?;
    if !yes {
        let what = format!("`{name}` with its releases, variables, add-ons, logs and files");
        confirm(session, &name, "delete", &what)?;
    }
    let deleted = client.call::<DeleteProject>(&name, &deletion, &()).await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&deleted);
    }
    printer.say(&format!(
        "Deleted project `{name}` with its releases, variables, add-ons, logs and files."
    ));
    if let Some(Archive { file, bytes }) = &deleted.archive {
        printer.say(&format!(
            "What was in its home is kept in {file} ({}), for root alone; it holds secrets.",
            ByteSize(*bytes)
        ));
        printer.next(&format!("`sudo rm {file}` when it is not needed any more"));
    }
    Ok(())
}

/// Asks whether something of a project is really to be deleted.
pub(super) fn confirm(session: &Session<'_>, name: &ProjectName, verb: &str, what: &str) -> Result<(), Stop> {
    if !std::io::stdin().is_terminal() {
        return Err(Stop::usage(
            format!("cannot {verb} {what}: nobody can be asked, stdin is no terminal"),
            "add `--yes` if you mean it",
        ));
    }
    let question = format!("This {verb}s {what}. Type `{name}` to go on: ");
    if answers(session, &question, name.as_str())? {
        return Ok(());
    }
    session.printer().say(&format!("Nothing was {verb}d."));
    Err(Stop::Code(1))
}

/// Whether somebody who is asked answers with this word.
pub(super) fn answers(session: &Session<'_>, question: &str, word: &str) -> Result<bool, Stop> {
    session.printer().ask(question);
    let mut answer = String::new();
    std::io::stdin()
        .lock()
        .read_line(&mut answer)
        .map_err(|error| Stop::internal(format!("cannot read the answer: {error}")))?;
    Ok(answer.trim() == word)
}
