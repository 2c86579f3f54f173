//! `hostkit ps`.

use futures_util::future::try_join_all;
use hostkit_api::client::Client;
use hostkit_api::endpoints::{GetEnvironment, ListInstances, ListProjects, NoQuery};
use hostkit_api::project::EnvironmentState;
use hostkit_api::target::Installation;
use hostkit_core::kind::Kind;
use hostkit_core::project::EnvironmentId;
use hostkit_core::size::ByteSize;
use hostkit_core::workload::{Instance, InstanceState};

use super::project;
use crate::args::PsArgs;
use crate::output::{Style, Table, ago};
use crate::session::{Session, spelled};
use crate::stop::Stop;

pub(crate) async fn list(session: &Session<'_>, args: &PsArgs) -> Result<(), Stop> {
    let client = session.client()?;
    let printer = session.printer();
    let environment = match session.target(&args.target).await {
        Err(_) if session.has_guessed() => return everywhere(session, &client).await,
        other => other?,
    };
    let instances = match client.call::<ListInstances>(&environment, &NoQuery {}, &()).await {
        // Nobody named a project, and this folder is none: then all of them are meant.
        Err(failure) if failure.kind == Kind::NotFound && session.has_guessed() => {
            return everywhere(session, &client).await;
        }
        other => other?,
    };
    if printer.wants_json() {
        return printer.json(&instances);
    }
    if instances.is_empty() {
        return nothing(session, &client, &environment).await;
    }
    printer.table(&table(&instances, false, printer.is_verbose()))
}

/// The instances of every project.
async fn everywhere(session: &Session<'_>, client: &Client) -> Result<(), Stop> {
    let projects = client
        .call::<ListProjects>(&Installation, &NoQuery {}, &())
        .await?;
    let environments = projects.into_iter().flat_map(|project| project.environments);
    let lists = environments.map(|environment| async move {
        let id = EnvironmentId::new(environment.project, environment.name);
        client.call::<ListInstances>(&id, &NoQuery {}, &()).await
    });
    let instances: Vec<Instance> = try_join_all(lists).await?.into_iter().flatten().collect();
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&instances);
    }
    if instances.is_empty() {
        printer.say("Nothing runs in any project.");
        printer.next("`hostkit status` shows the projects");
        return Ok(());
    }
    printer.table(&table(&instances, true, printer.is_verbose()))
}

/// Why nothing runs, and what to do about it.
async fn nothing(session: &Session<'_>, client: &Client, environment: &EnvironmentId) -> Result<(), Stop> {
    let printer = session.printer();
    let found = client
        .call::<GetEnvironment>(environment, &NoQuery {}, &())
        .await?;
    let target = spelled(environment);
    let (why, next) = match found.state {
        EnvironmentState::NeverDeployed => (
            "nothing was deployed yet".to_owned(),
            format!("`hostkit deploy{target}` in the folder of the app"),
        ),
        EnvironmentState::Stopped => (
            "it is stopped".to_owned(),
            format!("`hostkit start{target}` brings it back as it was"),
        ),
        EnvironmentState::Live if found.processes.is_empty() => (
            "it is files, which the front door serves itself".to_owned(),
            format!("`hostkit open{target}` shows it: {}", found.url),
        ),
        EnvironmentState::Live if found.processes.values().all(|count| *count == 0) => (
            "every process is scaled to 0".to_owned(),
            format!("`hostkit scale{target} PROCESS=1` starts one"),
        ),
        EnvironmentState::Live => (
            "its instances are being started".to_owned(),
            format!("`hostkit events{target}` says what happened"),
        ),
    };
    printer.say(&format!("Nothing runs in `{environment}`: {why}."));
    printer.next(&next);
    Ok(())
}

fn table(instances: &[Instance], everywhere: bool, verbose: bool) -> Table {
    let now = jiff::Timestamp::now();
    // While one release follows another, which is which matters; otherwise it is the live one.
    let several = instances.windows(2).any(|two| {
        let [one, other] = two else { return false };
        one.id.workload.deployment != other.id.workload.deployment
    });
    let with_release = verbose || (several && !everywhere);
    let mut headings = vec![
        "PROCESS", "STATE", "STARTED", "RESTARTS", "MEMORY", "ADDRESS", "PID",
    ];
    if everywhere {
        headings.insert(0, "PROJECT");
    }
    if with_release {
        headings.extend(["RELEASE", "DEPLOYMENT"]);
    }
    let mut table = Table::new(&headings);
    for instance in instances {
        let (state, style) = state(instance);
        let restarts = if instance.restarts > 0 {
            Style::Warning
        } else {
            Style::Plain
        };
        let started = instance.started_at.map(|at| ago(now, at));
        let memory = instance
            .memory
            .filter(|bytes| *bytes > 0)
            .map(|bytes| ByteSize(bytes).to_string());
        let mut row = vec![
            (short_name(instance), Style::Name),
            (state, style),
            (started.unwrap_or_default(), Style::Plain),
            (instance.restarts.to_string(), restarts),
            (memory.unwrap_or_default(), Style::Plain),
            (
                instance.address.map(|a| a.to_string()).unwrap_or_default(),
                Style::Plain,
            ),
            (
                instance.pid.map(|pid| pid.to_string()).unwrap_or_default(),
                Style::Plain,
            ),
        ];
        if everywhere {
            let environment = &instance.id.workload.environment;
            row.insert(0, (project::shown(environment), Style::Name));
        }
        if with_release {
            row.push((instance.release.to_string(), Style::Plain));
            row.push((instance.id.workload.deployment.to_string(), Style::Plain));
        }
        table.row(row);
    }
    table
}

/// `web.1`: what is needed within one environment.
fn short_name(instance: &Instance) -> String {
    format!("{}.{}", instance.id.workload.process, instance.id.number)
}

fn state(instance: &Instance) -> (String, Style) {
    let (word, style) = match instance.state {
        InstanceState::Running => return ("running".to_owned(), Style::Good),
        InstanceState::Backoff => ("starts again", Style::Warning),
        InstanceState::CrashLoop => ("crash loop", Style::Bad),
        InstanceState::Stopping => ("stopping", Style::Dim),
        InstanceState::Stopped => ("stopped", Style::Dim),
    };
    match &instance.last_exit {
        Some(exit) => (format!("{word} ({exit})"), style),
        None => (word.to_owned(), style),
    }
}
