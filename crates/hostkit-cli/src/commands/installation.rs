//! `status`.

use std::collections::BTreeMap;

use futures_util::future::try_join_all;
use hostkit_api::client::Client;
use hostkit_api::endpoints::{GetProject, GetStatus, ListInstances, ListProjects, NoQuery};
use hostkit_api::installation::{Health, HealthStatus, Status};
use hostkit_api::project::{Environment, EnvironmentState, Project};
use hostkit_api::target::Installation;
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::names::{ProcessName, ProjectName};
use hostkit_core::workload::{Instance, InstanceState};
use serde::Serialize;

use super::project::{canary, id, shown, state};
use crate::output::{Style, Table, span};
use crate::session::Session;
use crate::stop::Stop;

#[derive(Serialize)]
struct Everything {
    #[serde(flatten)]
    status: Status,
    health: Health,
    environments: Vec<Running>,
}

/// What there is to see of one project.
#[derive(Serialize)]
struct OfProject<'a> {
    project: &'a ProjectName,
    environments: Vec<Running>,
}

/// An environment, and what of it runs.
#[derive(Serialize)]
struct Running {
    #[serde(flatten)]
    environment: Environment,
    /// Instances of each process that run just now.
    running: BTreeMap<ProcessName, u16>,
}

impl Running {
    fn of(environment: Environment, instances: &[Instance]) -> Self {
        let count = |process: &ProcessName| {
            let running = instances.iter().filter(|instance| {
                let workload = &instance.id.workload;
                // Those of a canary do not make up for the live release's.
                workload.process == *process
                    && Some(workload.deployment) == environment.deployment
                    && instance.state == InstanceState::Running
            });
            u16::try_from(running.count()).unwrap_or(u16::MAX)
        };
        let running = environment
            .processes
            .keys()
            .map(|process| (process.clone(), count(process)));
        Running {
            running: running.collect(),
            environment,
        }
    }

    /// `web, worker × 2`, or `web 1 of 3` where something is missing; whether all is there.
    fn words(&self) -> (String, bool) {
        let mut complete = true;
        let mut words = Vec::new();
        for (process, wanted) in &self.environment.processes {
            let running = self.running.get(process).copied().unwrap_or(0);
            words.push(match (running, *wanted) {
                (running, wanted) if running < wanted => {
                    complete = false;
                    format!("{process} {running} of {wanted}")
                }
                (1, _) => process.to_string(),
                (running, _) => format!("{process} × {running}"),
            });
        }
        if words.is_empty() {
            words.push("files".to_owned());
        }
        (words.join(", "), complete)
    }
}

/// What runs, of every environment of these projects.
async fn running(client: &Client, projects: Vec<Project>) -> Result<Vec<Running>, Failure> {
    let environments = projects.into_iter().flat_map(|project| project.environments);
    try_join_all(environments.map(|environment| async move {
        if environment.state != EnvironmentState::Live || environment.processes.is_empty() {
            return Ok(Running::of(environment, &[]));
        }
        match client
            .call::<ListInstances>(&id(&environment), &NoQuery {}, &())
            .await
        {
            Ok(instances) => Ok(Running::of(environment, &instances)),
            // Deleted meanwhile.
            Err(failure) if failure.kind == Kind::NotFound => Ok(Running::of(environment, &[])),
            Err(failure) => Err(failure),
        }
    }))
    .await
}

pub(crate) async fn status(session: &Session<'_>) -> Result<(), Stop> {
    let client = session.client()?;
    let printer = session.printer();
    if let Some(own) = session.own_project().await {
        return status_of(session, &client, &own).await;
    }
    let all = async {
        let projects = client
            .call::<ListProjects>(&Installation, &NoQuery {}, &())
            .await?;
        running(&client, projects).await
    };
    let (status, health, environments) = tokio::try_join!(
        client.call::<GetStatus>(&Installation, &NoQuery {}, &()),
        client.health(),
        all
    )?;
    let healthy = health.status == HealthStatus::Healthy;
    if printer.wants_json() {
        printer.json(&Everything {
            status,
            health,
            environments,
        })?;
    } else {
        let word = if healthy {
            printer.on_out("healthy", Style::Good)
        } else {
            printer.on_out("unhealthy", Style::Bad)
        };
        let rows = [
            (
                "HostKit",
                format!(
                    "{}, {word}, up for {}",
                    status.version,
                    span(status.uptime_seconds)
                ),
            ),
            ("front door", status.front_door),
            ("API", status.api),
            ("data", status.data),
        ];
        for (name, value) in rows {
            printer.line(&format!(
                "{}{value}",
                printer.on_out(&format!("{name:<12}"), Style::Dim)
            ))?;
        }
        if environments.is_empty() {
            printer.next("`hostkit deploy` in the folder of an app puts it live");
        } else {
            printer.line("")?;
            printer.table(&table(&environments))?;
        }
        for (name, check) in health
            .checks
            .iter()
            .filter(|(_, check)| check.status != HealthStatus::Healthy)
        {
            printer.warn(&format!("the check `{name}` fails ({} ms)", check.latency_ms));
        }
        if !healthy {
            printer.next("`hostkit doctor` says what to do");
        }
    }
    if healthy { Ok(()) } else { Err(Stop::Code(2)) }
}

/// What there is to see for whoever may look at one project alone.
async fn status_of(session: &Session<'_>, client: &Client, own: &ProjectName) -> Result<(), Stop> {
    let project = client.call::<GetProject>(own, &NoQuery {}, &()).await?;
    let environments = running(client, vec![project]).await?;
    let printer = session.printer();
    if printer.wants_json() {
        return printer.json(&OfProject {
            project: own,
            environments,
        });
    }
    printer.table(&table(&environments))
}

fn table(environments: &[Running]) -> Table {
    let mut table = Table::new(&["PROJECT", "STATE", "RUNS", "URL"]);
    for one in environments {
        let (state, mut style) = state(&one.environment);
        let mut runs = String::new();
        if one.environment.state == EnvironmentState::Live {
            let (words, complete) = one.words();
            runs = words;
            if !complete {
                style = Style::Bad;
            }
            if let Some(canary) = canary(&one.environment) {
                runs.push_str(&format!("; canary {canary}"));
            }
        }
        table.row(vec![
            (shown(&id(&one.environment)), Style::Name),
            (state.to_owned(), style),
            (runs, if style == Style::Bad { style } else { Style::Plain }),
            (one.environment.url.clone(), Style::Plain),
        ]);
    }
    table
}
