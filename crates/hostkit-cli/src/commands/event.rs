//! `hostkit events`.

use futures_util::StreamExt;
use hostkit_api::client::LineStream;
use hostkit_api::endpoints::{ListEnvironmentEvents, ListEvents};
use hostkit_api::event::EventsQuery;
use hostkit_api::target::Installation;
use hostkit_core::deployment::{DeploymentState, StepState};
use hostkit_core::event::{Event, What};
use hostkit_core::kind::Failure;
use hostkit_core::names::EnvironmentName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::size::ByteSize;
use jiff::Timestamp;

use crate::args::EventsArgs;
use crate::output::{Printer, Style, clock, milliseconds, plural};
use crate::session::Session;
use crate::stop::Stop;

/// The most events of the past that are shown.
const MOST: usize = 1000;

pub(crate) async fn run(session: &Session<'_>, args: &EventsArgs) -> Result<(), Stop> {
    let printer = session.printer();
    // What is not shown does not count.
    let everything = printer.is_verbose() || printer.wants_json();
    let wanted = args.last.min(MOST);
    let query = EventsQuery {
        after: None,
        last: Some(u32::try_from(if everything { wanted } else { MOST }).unwrap_or(u32::MAX)),
        follow: false,
    };
    let mut past = Vec::new();
    let mut events = ask(session, args, &query).await?;
    while let Some(event) = events.next().await {
        past.push(event?);
    }
    let after = past.last().map_or(0, |event| event.id);
    past.retain(|event| everything || is_news(event));
    for event in past.iter().skip(past.len().saturating_sub(wanted)) {
        print(printer, event)?;
    }
    if past.is_empty() && !args.follow {
        printer.say("Nothing happened yet.");
    }
    if args.follow {
        let query = EventsQuery {
            after: Some(after),
            last: None,
            follow: true,
        };
        let mut events = ask(session, args, &query).await?;
        while let Some(event) = events.next().await {
            let event = event?;
            if everything || is_news(&event) {
                print(printer, &event)?;
            }
        }
    }
    Ok(())
}

async fn ask(
    session: &Session<'_>,
    args: &EventsArgs,
    query: &EventsQuery,
) -> Result<LineStream<Event>, Failure> {
    let client = session.client()?;
    let project = match &args.project {
        Some(project) => Some(project.clone()),
        // Whoever may look at one project alone means that one.
        None => session.own_project().await,
    };
    match project {
        None => client.lines::<ListEvents>(&Installation, query).await,
        Some(project) => {
            let environment = args
                .environment
                .clone()
                .unwrap_or_else(EnvironmentName::production);
            let target = EnvironmentId::new(project, environment);
            client.lines::<ListEnvironmentEvents>(&target, query).await
        }
    }
}

/// Whether an event is one of its own: steps are told with their deployment.
fn is_news(event: &Event) -> bool {
    !matches!(event.what, What::Step { .. })
}

fn print(printer: &Printer, event: &Event) -> Result<(), Stop> {
    if printer.wants_json() {
        return printer.json_line(event);
    }
    let time = printer.on_out(&clock(Timestamp::now(), event.at), Style::Dim);
    let whose = printer.name_on_out(&whose(event));
    let (text, style) = sentence(&event.what);
    let text = printer.on_out(&printer.foreign_on_out(&text), style);
    printer.line(&format!("{time} {whose} {text}"))
}

fn whose(event: &Event) -> String {
    match (&event.project, &event.environment) {
        (Some(project), Some(environment)) => format!("{project}/{environment}"),
        (Some(project), None) => project.to_string(),
        _ => "hostkit".to_owned(),
    }
}

fn sentence(what: &What) -> (String, Style) {
    match what {
        What::ControlStarted { version } => (format!("control {version} started"), Style::Plain),
        What::ProjectCreated => ("project created".to_owned(), Style::Plain),
        What::ProjectMended { changes } => (
            format!("mended on the machine: {}", changes.join(", ")),
            Style::Warning,
        ),
        What::ProjectDeleted => ("project deleted".to_owned(), Style::Warning),
        What::Deployment { state, message, .. } => (
            message.clone(),
            match state {
                DeploymentState::Succeeded => Style::Good,
                DeploymentState::Failed => Style::Bad,
                _ => Style::Plain,
            },
        ),
        What::Step {
            deployment,
            step,
            state,
            milliseconds: took,
        } => {
            let word = match state {
                StepState::Running => "began",
                StepState::Done => "done",
                StepState::Failed => "failed",
                StepState::Undone => "undone",
            };
            let took = took
                .map(|ms| format!(" after {}", milliseconds(ms)))
                .unwrap_or_default();
            let style = if *state == StepState::Failed {
                Style::Bad
            } else {
                Style::Dim
            };
            (format!("deployment {deployment}: {step} {word}{took}"), style)
        }
        What::SecretsFound {
            deployment,
            count,
            places,
            stopped,
        } => {
            let outcome = if *stopped { ", which stopped it" } else { "" };
            let what = plural(*count, "secret");
            let places = places.join(", ");
            (
                format!("deployment {deployment}: {what} in its source{outcome}: {places}"),
                if *stopped { Style::Bad } else { Style::Warning },
            )
        }
        What::DomainAdded { domain, by } => (format!("domain {domain} added by `{by}`"), Style::Plain),
        What::DomainRemoved { domain, by } => (format!("domain {domain} removed by `{by}`"), Style::Warning),
        What::CertificateImported { name, by } => {
            (format!("certificate of {name} imported by `{by}`"), Style::Plain)
        }
        What::CertificateRemoved { name, by } => {
            (format!("certificate of {name} removed by `{by}`"), Style::Warning)
        }
        What::VariablesChanged { set, unset } => {
            let mut parts = Vec::new();
            if !set.is_empty() {
                parts.push(format!("set {}", set.join(", ")));
            }
            if !unset.is_empty() {
                parts.push(format!("removed {}", unset.join(", ")));
            }
            (format!("variables changed: {}", parts.join("; ")), Style::Plain)
        }
        What::VariablesRevealed { names, by } => (
            format!("values shown to `{by}`: {}", names.join(", ")),
            Style::Warning,
        ),
        What::OperatorKey {
            fingerprint,
            comment,
            added,
            by,
        } => {
            let word = if *added {
                "may log in"
            } else {
                "may not log in any more"
            };
            (
                format!("key {fingerprint} {comment} {word}, says `{by}`"),
                Style::Warning,
            )
        }
        What::InstanceCrashed {
            instance,
            exit,
            restarts,
            ..
        } => (
            format!("{} crashed ({exit}), restart {restarts} follows", short(instance)),
            Style::Bad,
        ),
        What::InstanceUnhealthy { instance, reason, .. } => (
            format!("{} is unhealthy ({reason}) and is started again", short(instance)),
            Style::Bad,
        ),
        What::Canary { release, answers } => match answers {
            true => (
                format!("canary {release} answers again and has its visitors back"),
                Style::Plain,
            ),
            false => (
                format!("canary {release} does not answer, so its visitors get the live release"),
                Style::Bad,
            ),
        },
        What::RoutePutAside { route, reason } => {
            (format!("route {route} is not served: {reason}"), Style::Bad)
        }
        What::Token { name, created } => {
            let word = if *created { "made" } else { "revoked" };
            (format!("token `{name}` {word}"), Style::Plain)
        }
        What::SecretsOld { names } => (
            format!("the same for long, replace them: {}", names.join(", ")),
            Style::Warning,
        ),
        What::MasterKeyRotated { by, values } => (
            format!("the master key was replaced by `{by}`, {values} values encrypted again"),
            Style::Good,
        ),
        What::AddonAdded { kind, by } => (format!("{} added by `{by}`", kind.title()), Style::Plain),
        What::AddonChanged { kind, by } => (
            format!("{} got other settings from `{by}`", kind.title()),
            Style::Plain,
        ),
        What::AddonRotation { kind, by } => (
            format!("{} gets a new credential, says `{by}`", kind.title()),
            Style::Plain,
        ),
        What::AddonRotated { kind } => (
            format!("{} accepts its new credential alone", kind.title()),
            Style::Good,
        ),
        What::AddonRemoved { kind } => (format!("{} removed with its data", kind.title()), Style::Warning),
        What::AddonDown { kind, reason } => (format!("{} does not work: {reason}", kind.title()), Style::Bad),
        What::DatabaseCreated { database, by } => {
            (format!("database `{database}` created by `{by}`"), Style::Plain)
        }
        What::DatabaseDropped { database, by } => {
            (format!("database `{database}` dropped by `{by}`"), Style::Warning)
        }
        What::DatabaseDumped { database, by } => {
            (format!("database `{database}` dumped for `{by}`"), Style::Plain)
        }
        What::DatabaseDumpFailed { database, reason } => (
            format!("database `{database}` was not dumped to its end: {reason}"),
            Style::Bad,
        ),
        What::DatabaseReplaced { database, with, by } => (
            format!("database `{database}` replaced by {with}, says `{by}`"),
            Style::Warning,
        ),
        What::BackupMade {
            number, proven: true, ..
        } => (
            format!("backup {number} made and restored for trial"),
            Style::Good,
        ),
        What::BackupMade { number, reason, .. } => {
            let why = reason.as_deref().unwrap_or("nobody knows why");
            (
                format!("backup {number} made, not restored for trial: {why}"),
                Style::Warning,
            )
        }
        What::BackupFailed { number, reason } => (format!("backup {number} failed: {reason}"), Style::Bad),
        What::BackupDamaged { number, reason } => {
            (format!("backup {number} is damaged: {reason}"), Style::Bad)
        }
        What::BackupRestored { backup, by } => {
            (format!("backup {backup} restored by `{by}`"), Style::Warning)
        }
        What::DatabasesRecovered { from, moment, by } => (
            format!("databases brought back to those of {from} at {moment} by `{by}`"),
            Style::Warning,
        ),
        What::HistoryChanged { on: true, days, by } => (
            format!("changes of databases are kept for {days} days: `{by}`"),
            Style::Good,
        ),
        What::HistoryChanged { by, .. } => (
            format!("changes of databases are not kept any more: `{by}`"),
            Style::Warning,
        ),
        What::HistoryHeldUp { reason } => (
            format!("changes of databases are not taken away, and wait on the disk: {reason}"),
            Style::Bad,
        ),
        What::HistoryGoesOn => (
            "changes of databases are taken away again".to_owned(),
            Style::Good,
        ),
        What::HistoryGap { bytes } => (
            format!(
                "{} of changes of databases were thrown away before they filled the disk: moments are missing",
                ByteSize(*bytes)
            ),
            Style::Bad,
        ),
        What::RecoveryKit { done, by } => (format!("recovery kit {done} by `{by}`"), Style::Plain),
        What::AddonBack { kind } => (format!("{} works again", kind.title()), Style::Good),
    }
}

/// `web.1 of deployment 42` for `shop.production.web.42.1`, of which the line has told the beginning.
fn short(instance: &str) -> String {
    let parts: Vec<&str> = instance.split('.').collect();
    match parts.as_slice() {
        [_, _, process, deployment, number] => format!("{process}.{number} of deployment {deployment}"),
        _ => instance.to_owned(),
    }
}
