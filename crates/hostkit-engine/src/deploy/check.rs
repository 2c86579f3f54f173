//! New instances ready. One that ends meanwhile fails the deployment at once, with all that can be said about it.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::try_join_all;
use hostkit_core::deployment::{Act, StepName};
use hostkit_core::kind::{Failure, Kind};
use hostkit_core::manifest::{HealthRule, Reach};
use hostkit_core::names::{HostName, VariableName};
use hostkit_core::plan::explain::{Evidence, explain};
use hostkit_core::release::FrozenProcess;
use hostkit_core::size::Span;
use hostkit_core::traits::Health;
use hostkit_core::workload::{Diagnosis, Instance, InstanceId, InstanceState, Scope};
use tokio::time::Instant;

use super::start::counts_before;
use super::{Step, elsewhere};
use crate::addons;
use crate::probing;
use crate::run::Run;
use crate::wanted;

pub(super) struct Check;

/// How many last lines of a program go into a failure.
const LINES: usize = 20;

/// The longest a program may take for the page that warms it up; the switch does not wait for more.
const WARM_UP: Span = Span::secs(2);

/// Time to the next look at an instance that is not ready: short while many programs get ready, longer later.
fn pause(waited: Duration) -> Duration {
    match waited.as_millis() {
        0..2_000 => Duration::from_millis(10),
        2_000..10_000 => Duration::from_millis(25),
        _ => Duration::from_millis(100),
    }
}

/// Why an instance is not ready.
pub(super) struct NotReady {
    instance: Instance,
    /// The last word of its health check.
    reason: Option<String>,
    what: String,
}

/// An instance that shall get ready.
struct Awaited<'a> {
    instance: Instance,
    process: &'a FrozenProcess,
}

/// The instances with these names, as they are now.
pub(super) async fn observe(run: &Run, wanted: &[InstanceId]) -> Result<Vec<Instance>, Failure> {
    let scope = Scope::of(&run.deployment.environment);
    let observed = run.context.parts.runtime.observe(&scope).await?;
    Ok(observed.into_iter().filter(|i| wanted.contains(&i.id)).collect())
}

/// The first instance that is missing or does not run.
pub(super) fn fallen(wanted: &[InstanceId], there: &[Instance]) -> Option<Result<Instance, InstanceId>> {
    wanted
        .iter()
        .find_map(|id| match there.iter().find(|i| i.id == *id) {
            Some(i) if i.state == InstanceState::Running && i.restarts == 0 => None,
            Some(i) => Some(Ok(i.clone())),
            None => Some(Err(id.clone())),
        })
}

impl Run {
    /// Whether what this deployment starts never ran before.
    pub(super) fn is_of_new_release(&self) -> bool {
        matches!(
            self.deployment.act,
            Act::Deploy { .. } | Act::Promote { .. } | Act::Apply
        )
    }

    /// The instances this deployment starts.
    pub(super) fn new_instances(&self) -> Result<Vec<InstanceId>, Failure> {
        let before = counts_before(self)?;
        let counts = wanted::counts(&self.context, &self.deployment.environment, self.wanted()?)?;
        let all = wanted::instances(&counts).into_iter();
        Ok(all
            .filter(|id| before.get(&id.workload).is_none_or(|count| id.number > *count))
            .collect())
    }
}

/// Waits until one instance is ready.
async fn ready(run: &Run, awaited: &Awaited<'_>) -> Result<(), NotReady> {
    let begun = Instant::now();
    let parts = &run.context.parts;
    let rule = &awaited.process.rule.health;
    let Some(address) = awaited.instance.address else {
        // Without a port there is nothing to ask: it has to stay up for a moment, when its release is new. Whether it
        // goes on to is seen after the switch, which can still be taken back.
        if run.is_of_new_release() {
            tokio::time::sleep(parts.settings.worker_ready).await;
        }
        return Ok(());
    };
    let host = probing::host(&run.context, &run.deployment.environment);
    let mut watch = elsewhere::Watch::default();
    loop {
        let left = rule.start_period.0.saturating_sub(begun.elapsed());
        let once = HealthRule {
            timeout: rule.timeout.min(Span(left.max(Duration::from_millis(100)))),
            ..rule.clone()
        };
        let reason = match probing::is_ready(&run.context, address, &host, &once).await {
            Health::Healthy => {
                warm_up(run, awaited.process, address, &host).await;
                return Ok(());
            }
            Health::Unhealthy(reason) => reason,
        };
        if begun.elapsed() >= rule.start_period.0 {
            return Err(NotReady {
                instance: awaited.instance.clone(),
                what: format!("it was not ready within {}: {reason}", rule.start_period),
                reason: Some(reason),
            });
        }
        let (instance, process) = (&awaited.instance, awaited.process);
        if watch.is_certain(run, instance, process, &host, &reason).await {
            return Err(NotReady {
                instance: instance.clone(),
                what: "it serves, but not where it was told to".into(),
                reason: Some(reason),
            });
        }
        tokio::time::sleep(pause(begun.elapsed())).await;
    }
}

/// Asks a public program once for its first page, whatever it answers: frameworks load much on the first request, and
/// the first visitor after the switch shall not be the one who waits for it.
async fn warm_up(run: &Run, process: &FrozenProcess, address: SocketAddr, host: &HostName) {
    let rule = &process.rule;
    if rule.reach == Reach::Public && rule.health.path.as_deref().is_some_and(|path| path != "/") {
        let first_page = HealthRule {
            path: None,
            timeout: WARM_UP,
            ..rule.health.clone()
        };
        run.context.parts.probe.check(address, host, &first_page).await;
    }
}

/// Ends when an instance ends.
async fn watch(run: &Run, wanted: &[InstanceId]) -> Result<NotReady, Failure> {
    let begun = Instant::now();
    loop {
        let there = observe(run, wanted).await?;
        match fallen(wanted, &there) {
            Some(Ok(instance)) => return Ok(ended(instance)),
            Some(Err(id)) => {
                let message = format!("cannot start `{id}`: it disappeared");
                return Err(Failure::new(Kind::Internal, message));
            }
            None => tokio::time::sleep(pause(begun.elapsed()).max(Duration::from_millis(20))).await,
        }
    }
}

/// What is said of an instance that ended by itself.
pub(super) fn ended(instance: Instance) -> NotReady {
    let exit = instance.last_exit.as_ref().map(ToString::to_string);
    NotReady {
        what: format!(
            "it ended by itself ({})",
            exit.unwrap_or_else(|| "in an unknown way".into())
        ),
        reason: None,
        instance,
    }
}

/// The failure with everything that explains it: causes, last lines, ports.
pub(super) async fn explained(run: &Run, not_ready: NotReady) -> Failure {
    let NotReady {
        instance,
        reason,
        what,
    } = not_ready;
    let parts = &run.context.parts;
    let diagnosis = parts.runtime.diagnose(&instance.id).await.unwrap_or_default();
    let process = &instance.id.workload.process;
    let message = format!(
        "cannot start `{process}` of `{}`: {what}",
        run.deployment.environment
    );
    let mut failure = Failure::new(Kind::Failed, message);
    let release = run
        .context
        .release(&run.deployment.environment, &instance.release)
        .ok();
    let rule = release
        .as_ref()
        .and_then(|r| r.processes.get(process))
        .map(|p| &p.rule);
    if let Some(rule) = rule {
        let user = parts
            .store
            .release_variables(&run.deployment.environment, &instance.release)
            .unwrap_or_default();
        let bound = addons::names(&run.context, &run.deployment.environment).unwrap_or_default();
        let bound = bound.into_iter().map(|(_, name)| name);
        let variables: Vec<VariableName> = user.into_keys().chain(bound).collect();
        let causes = explain(&Evidence {
            process,
            diagnosis: &diagnosis,
            health: reason.as_deref(),
            rule: &rule.health,
            port: instance.address.map(|a| a.port()),
            port_variable: &rule.port_variable,
            variables: &variables,
        });
        failure.hint = causes.first().map(|cause| cause.hint.clone());
        failure
            .details
            .extend(causes.into_iter().map(|cause| cause.sentence));
    }
    failure.details.extend(seen(&diagnosis, &instance));
    failure
}

fn seen(diagnosis: &Diagnosis, instance: &Instance) -> Vec<String> {
    let mut details = Vec::new();
    if let (Some(address), false) = (instance.address, diagnosis.listening.is_empty()) {
        let ports: Vec<String> = diagnosis.listening.iter().map(ToString::to_string).collect();
        details.push(format!(
            "it was told to listen on {address} and listens on {}",
            ports.join(", ")
        ));
    }
    if let (Some(exit), 2..) = (&diagnosis.last_exit, diagnosis.restarts) {
        details.push(format!(
            "it ended {} times by now, the last time with {exit}",
            diagnosis.restarts
        ));
    }
    let skip = diagnosis.last_lines.len().saturating_sub(LINES);
    if !diagnosis.last_lines.is_empty() {
        details.push("its last lines:".into());
        details.extend(
            diagnosis
                .last_lines
                .iter()
                .skip(skip)
                .map(|line| format!("  {line}")),
        );
    }
    details
}

#[async_trait::async_trait]
impl Step for Check {
    fn name(&self) -> StepName {
        StepName::Check
    }

    fn can_be_left(&self) -> bool {
        true
    }

    async fn run(&self, run: &mut Run) -> Result<(), Failure> {
        let wanted = run.new_instances()?;
        if wanted.is_empty() {
            return Ok(());
        }
        let there = observe(run, &wanted).await?;
        let mut releases = BTreeMap::new();
        for instance in &there {
            let release = run
                .context
                .release(&run.deployment.environment, &instance.release)?;
            releases.insert(instance.release.clone(), release);
        }
        let awaited: Vec<Awaited<'_>> = there
            .into_iter()
            .filter_map(|instance| {
                let release = releases.get(&instance.release)?;
                let process = release.processes.get(&instance.id.workload.process)?;
                Some(Awaited { instance, process })
            })
            .collect();
        let all = try_join_all(awaited.iter().map(|one| ready(run, one)));
        let not_ready = tokio::select! {
            all = all => all.err(),
            one = watch(run, &wanted) => Some(one?),
        };
        if let Some(not_ready) = not_ready {
            return Err(explained(run, not_ready).await);
        }
        // What they are now is what was found healthy; one that ended in this moment is found by its start time.
        let there = observe(run, &wanted).await?;
        if let Some(Ok(instance)) = fallen(&wanted, &there) {
            return Err(explained(run, ended(instance)).await);
        }
        for instance in &there {
            run.context.ready.mark(instance);
        }
        Ok(())
    }

    async fn undo(&self, _run: &mut Run) -> Result<(), Failure> {
        Ok(())
    }
}
