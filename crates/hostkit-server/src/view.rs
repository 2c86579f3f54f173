//! What of the state is shown: every type that leaves is filled here field by field.

use std::collections::BTreeMap;

use hostkit_api::installation::{Finding, Outcome};
use hostkit_api::project::{Canary, Environment, EnvironmentState, OnMachine, Project};
use hostkit_api::release::{Process, Release};
use hostkit_core::domain::DomainName;
use hostkit_core::kind::Failure;
use hostkit_core::layout::Layout;
use hostkit_core::names::{EnvironmentName, ProcessName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::release::Release as Frozen;
use hostkit_engine::Level;

use crate::shared::Shared;

pub(crate) fn project(shared: &Shared, project: hostkit_store::Project) -> Result<Project, Failure> {
    let environments = project.environments.iter().map(|e| environment(shared, e));
    Ok(Project {
        environments: environments.collect::<Result<_, _>>()?,
        on_machine: on_machine(&shared.settings.layout, &project),
        name: project.name,
        created_at: project.created_at,
    })
}

fn on_machine(layout: &Layout, project: &hostkit_store::Project) -> Option<OnMachine> {
    let production = EnvironmentId::new(project.name.clone(), EnvironmentName::production());
    let of_production = project.environments.iter().find(|e| e.id == production);
    let base_port = of_production.and_then(|e| e.ports.get(&ProcessName::web()));
    layout.is_server().then(|| OnMachine {
        account: project.name.to_string(),
        home: layout.home(&project.name).display().to_string(),
        logs: layout.logs(&production).display().to_string(),
        service: format!("hostkit-{}.service", project.name),
        base_port: base_port.copied(),
        exposure: None,
    })
}

pub(crate) fn environment(
    shared: &Shared,
    environment: &hostkit_store::Environment,
) -> Result<Environment, Failure> {
    let (id, live) = (&environment.id, environment.live.as_ref());
    let release = match live {
        Some(live) => Some(shared.store().release(id, &live.release)?),
        None => None,
    };
    let host = id.default_host(&shared.settings.base_host);
    let further: Vec<DomainName> = match &release {
        Some(release) if id.environment.is_production() => release.manifest.hosts.clone(),
        _ => Vec::new(),
    };
    let mut processes: BTreeMap<_, _> = release
        .iter()
        .flat_map(|release| &release.processes)
        .map(|(name, process)| (name.clone(), process.rule.count))
        .collect();
    for (name, count) in &environment.counts {
        if let Some(wanted) = processes.get_mut(name) {
            *wanted = *count;
        }
    }
    Ok(Environment {
        project: id.project.clone(),
        name: id.environment.clone(),
        url: shared.url(&host),
        hosts: std::iter::once(host.into()).chain(further).collect(),
        state: match live {
            None => EnvironmentState::NeverDeployed,
            Some(_) if environment.stopped => EnvironmentState::Stopped,
            Some(_) => EnvironmentState::Live,
        },
        release: live.map(|live| live.release.clone()),
        deployment: live.map(|live| live.generation),
        canary: environment.canary.as_ref().map(|canary| Canary {
            release: canary.release.clone(),
            deployment: canary.generation,
            percent: canary.percent,
        }),
        processes,
        ports: environment.ports.clone(),
    })
}

pub(crate) fn release(frozen: Frozen, of: &hostkit_store::Environment) -> Release {
    let live = of.live.as_ref().is_some_and(|live| live.release == frozen.name);
    let canary = of.canary.as_ref().filter(|canary| canary.release == frozen.name);
    let processes = frozen.processes.into_iter().map(|(name, process)| {
        let shown = Process {
            reach: process.rule.reach,
            count: process.rule.count,
            command: process.program.command.to_string(),
        };
        (name, shown)
    });
    Release {
        processes: processes.collect(),
        name: frozen.name,
        live,
        canary: canary.map(|canary| canary.percent),
        created_at: frozen.created_at,
        source: frozen.source,
        builder: frozen.artifact.builder,
        assumed: frozen.artifact.assumed,
        bytes: frozen.bytes,
    }
}

pub(crate) fn finding(finding: hostkit_engine::Finding) -> Finding {
    Finding {
        check: finding.subject,
        outcome: match finding.level {
            Level::Fine => Outcome::Fine,
            Level::Warning => Outcome::Warning,
            Level::Problem => Outcome::Problem,
        },
        message: finding.message,
        hint: finding.hint,
    }
}
