//! The proof that nobody noticed: while a deployment runs, requests go through the front door as a visitor's would,
//! and those that were lost are counted.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hostkit_core::canary::Side;
use hostkit_core::deployment::ProbeReport;
use hostkit_core::manifest::{HealthRule, Reach};
use hostkit_core::names::{HostName, ReleaseName};
use hostkit_core::project::EnvironmentId;
use hostkit_core::traits::{FrontDoor, Health};
use hostkit_store::Standing;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::context::{Context, locked};
use crate::wanted;

/// Time from one request to the next.
const PACE: Duration = Duration::from_millis(50);

/// A probe under way; ends when it is dropped.
pub(crate) struct Probe {
    task: JoinHandle<()>,
    report: Arc<Mutex<ProbeReport>>,
}

impl Probe {
    /// Starts to ask for `path` of an environment's host. A site that does not answer before anything was done to it
    /// is not probed: its failures would prove nothing.
    pub(crate) fn start(front_door: Arc<dyn FrontDoor>, host: HostName, path: String) -> Self {
        let report = Arc::new(Mutex::new(ProbeReport::default()));
        let sink = report.clone();
        let task = tokio::spawn(async move {
            if !answers(&*front_door, &host, &path).await {
                return;
            }
            loop {
                let begun = Instant::now();
                let answered = answers(&*front_door, &host, &path).await;
                let took = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
                {
                    let mut report = locked(&sink);
                    report.requests += 1;
                    report.lost += u64::from(!answered);
                    report.slowest_ms = report.slowest_ms.max(took);
                }
                tokio::time::sleep(PACE.saturating_sub(begun.elapsed())).await;
            }
        });
        Probe { task, report }
    }

    /// What was seen so far; nothing where nothing was asked.
    pub(crate) fn report(&self) -> Option<ProbeReport> {
        let report = locked(&self.report).clone();
        (report.requests > 0).then_some(report)
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answers(front_door: &dyn FrontDoor, host: &HostName, path: &str) -> bool {
    matches!(front_door.visit(host, path, Side::Live).await, Ok(visit) if !matches!(visit.status, 502..=504))
}

/// Whether a release of an environment that stands so answers requests from outside, and the path that is best asked.
pub(crate) fn public_path(
    context: &Context,
    id: &EnvironmentId,
    standing: &Standing,
    release: &ReleaseName,
) -> Option<String> {
    if standing.stopped {
        return None;
    }
    let release = context.release(id, release).ok()?;
    let mut processes = release.processes.iter();
    match processes.find(|(_, p)| p.rule.reach == Reach::Public) {
        Some((name, process)) if wanted::count(standing, name, process) == 0 => None,
        Some((_, process)) => Some(process.rule.health.path.clone().unwrap_or_else(|| "/".into())),
        None => release.artifact.files.as_ref().map(|_| "/".into()),
    }
}

/// The same where it is asked again and again: during maintenance visitors are shown a page that says so, and nothing
/// would be lost that they are not meant to lose.
pub(crate) fn watched_path(context: &Context, id: &EnvironmentId, standing: &Standing) -> Option<String> {
    let live = standing.live.as_ref()?;
    let release = context.release(id, &live.release).ok()?;
    match release.manifest.routing.rules.maintenance {
        true => None,
        false => public_path(context, id, standing, &live.release),
    }
}

/// The host an environment answers under.
pub(crate) fn host(context: &Context, id: &EnvironmentId) -> HostName {
    id.default_host(&context.parts.settings.base_host)
}

/// Whether an instance is alive and wants requests.
pub(crate) async fn is_ready(
    context: &Context,
    address: SocketAddr,
    host: &HostName,
    rule: &HealthRule,
) -> Health {
    let probe = &context.parts.probe;
    match (probe.check(address, host, rule).await, rule.readiness()) {
        (Health::Healthy, Some(readiness)) => probe.check(address, host, &readiness).await,
        (health, _) => health,
    }
}
