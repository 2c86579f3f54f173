//! The production checklist of one environment: looks at everything the rules of `hostkit_core::doctor` want to know.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use hostkit_core::doctor::{Activity, Finding, Observed, ProcessLook, Wanted, check, tell_of_old};
use hostkit_core::event::What;
use hostkit_core::kind::Failure;
use hostkit_core::manifest::Reach;
use hostkit_core::names::ProcessName;
use hostkit_core::project::EnvironmentId;
use hostkit_core::release::{FrozenProcess, Release};
use hostkit_core::size::Span;
use hostkit_core::traits::Health;
use hostkit_core::workload::{Instance, InstanceState, Scope};
use hostkit_store::{Environment, EventQuery, Standing};

use crate::Engine;
use crate::addons;
use crate::context::Context;
use crate::{aging, canary, health, wanted};

/// How far back restarts are counted.
const LATELY: Duration = Duration::from_secs(3600);
/// The most events that are looked at; an instance that crashes all the time makes about 120 in an hour.
const MOST_EVENTS: usize = 5000;
/// The longest one instance is waited for. Somebody waits for the whole list.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many finished deployments may lie behind ones that are still under way.
const DEPLOYMENTS: usize = 20;

impl Engine {
    /// What is worth a look.
    pub async fn doctor(&self) -> Vec<Finding> {
        health::doctor(&self.context).await
    }

    /// The production checklist of one environment. Its findings say something of the values of variables.
    pub async fn doctor_of(&self, id: &EnvironmentId) -> Result<Vec<Finding>, Failure> {
        look_at(&self.context, id).await
    }
}

async fn look_at(context: &Context, id: &EnvironmentId) -> Result<Vec<Finding>, Failure> {
    let parts = &context.parts;
    let environment = parts.store.environment(id)?;
    let live = match &environment.live {
        Some(live) => Some(context.release(id, &live.release)?),
        None => None,
    };
    let frozen = match &environment.live {
        Some(live) => {
            let frozen = parts.store.release_variables(id, &live.release)?;
            Some(addons::with(context, id, frozen)?)
        }
        None => None,
    };
    let variables = addons::with(context, id, parts.store.variables(id)?)?;
    let deployments = parts.store.deployments(id, DEPLOYMENTS)?;
    let last = deployments.iter().find(|deployment| deployment.state.is_final());
    let activity = match &live {
        Some(release) => look(context, &environment, release).await?,
        None => Activity::default(),
    };
    let has_previous = environment
        .previous
        .as_ref()
        .is_some_and(|previous| parts.files.is_folder(&parts.layout.release(id, previous)));
    let data = parts.layout.data().to_owned();
    let free = context.aside(move |files| files.free_bytes(&data)).await.ok();
    let mut findings = check(&Observed {
        environment: id,
        base_host: &parts.settings.base_host,
        variables: &variables,
        frozen: frozen.as_ref(),
        live: live.as_deref(),
        stopped: environment.stopped,
        has_previous,
        last,
        activity: &activity,
        free,
        least_free: parts.settings.min_free.0,
    });
    findings.extend(addons::findings(context, id).await?);
    findings.extend(tell_of_old(id, &aging::old(context, id, live.as_deref())?));
    if environment.canary.is_some() {
        let observed = parts.runtime.observe(&Scope::of(id)).await?;
        let ejected = health::ejected(context);
        findings.extend(canary::finding(context, &environment, &observed, &ejected));
    }
    Ok(findings)
}

async fn look(context: &Context, environment: &Environment, release: &Release) -> Result<Activity, Failure> {
    let standing = environment.standing();
    let instances = context.parts.runtime.observe(&Scope::of(&environment.id)).await?;
    let restarts = restarts(context, &environment.id)?;
    let looks = release.processes.iter().map(async |(name, process)| {
        let live = environment.live.as_ref();
        let of_process = instances.iter().filter(|instance| {
            let workload = &instance.id.workload;
            workload.process == *name && live.is_some_and(|live| live.generation == workload.deployment)
        });
        let running: Vec<&Instance> = of_process
            .filter(|instance| instance.state == InstanceState::Running)
            .collect();
        let look = ProcessLook {
            instances: Wanted {
                wanted: usize::from(count(&standing, name, process)),
                found: running.len(),
            },
            has_health_path: process.rule.health.path.is_some(),
            has_port: process.rule.reach != Reach::Unreachable,
            answers: answers(context, &environment.id, process, &running).await,
            restarts: restarts.get(name).copied().unwrap_or(0),
        };
        (name.clone(), look)
    });
    Ok(Activity {
        processes: join_all(looks).await.into_iter().collect(),
    })
}

fn count(standing: &Standing, name: &ProcessName, process: &FrozenProcess) -> u16 {
    match standing.stopped {
        true => 0,
        false => wanted::count(standing, name, process),
    }
}

/// Asks every instance with a port at once.
async fn answers(
    context: &Context,
    id: &EnvironmentId,
    process: &FrozenProcess,
    running: &[&Instance],
) -> Vec<Health> {
    let settings = &context.parts.settings;
    let host = id.default_host(&settings.base_host);
    let mut rule = process.rule.health.clone();
    rule.timeout = Span(rule.timeout.0.min(PATIENCE));
    let addresses = running.iter().filter_map(|instance| instance.address);
    join_all(addresses.map(|address| context.parts.probe.check(address, &host, &rule))).await
}

/// How often instances of each process were started again of late, by what was told then.
fn restarts(context: &Context, id: &EnvironmentId) -> Result<BTreeMap<ProcessName, u32>, Failure> {
    let parts = &context.parts;
    let since = parts.clock.now() - jiff::SignedDuration::try_from(LATELY).unwrap_or_default();
    let events = parts.store.events(&EventQuery {
        environment: Some(id.clone()),
        last: Some(MOST_EVENTS),
        ..EventQuery::default()
    })?;
    let mut counts = BTreeMap::new();
    for event in events.into_iter().filter(|event| event.at >= since) {
        if let What::InstanceCrashed { process, .. } | What::InstanceUnhealthy { process, .. } = event.what {
            *counts.entry(process).or_insert(0) += 1;
        }
    }
    Ok(counts)
}
