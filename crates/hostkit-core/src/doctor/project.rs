//! The production checklist of one environment: what is set, what is live, what runs, and whether there is a way back.

use crate::deployment::{Deployment, DeploymentState};
use crate::manifest::Manifest;
use crate::names::HostName;
use crate::plan::variables::missing;
use crate::project::EnvironmentId;
use crate::release::Release;
use crate::size::ByteSize;
use crate::variables::Variables;

use super::activity::{self, Activity};
use super::{Finding, options, values};

/// All that is looked at.
#[derive(Debug)]
pub struct Observed<'a> {
    /// The environment.
    pub environment: &'a EnvironmentId,
    /// What environments answer below; `localhost` where nobody but this machine is served.
    pub base_host: &'a HostName,
    /// The variables that are set now.
    pub variables: &'a Variables,
    /// The variables the live release was frozen with.
    pub frozen: Option<&'a Variables>,
    /// The release that is live.
    pub live: Option<&'a Release>,
    /// Whether somebody stopped it.
    pub stopped: bool,
    /// Whether there is a release to go back to, with its files.
    pub has_previous: bool,
    /// The newest deployment that is over.
    pub last: Option<&'a Deployment>,
    /// What runs.
    pub activity: &'a Activity,
    /// How many bytes are free where releases lie, where it could be found out.
    pub free: Option<u64>,
    /// How many must stay free; deployments are refused below it.
    pub least_free: u64,
}

/// The whole list, in the order it is read.
pub fn check(observed: &Observed<'_>) -> Vec<Finding> {
    let mut findings = vec![live(observed)];
    findings.extend(last_deployment(observed));
    let nothing = Manifest::default();
    let manifest = observed.live.map_or(&nothing, |release| &release.manifest);
    findings.push(required(observed, manifest));
    findings.extend(pending(observed));
    findings.extend(values::check(observed, manifest));
    if observed.live.is_some() && !observed.stopped {
        findings.extend(activity::check(observed.environment, observed.activity));
    }
    findings.extend(way_back(observed));
    findings.extend(disk(observed));
    findings
}

fn live(observed: &Observed<'_>) -> Finding {
    let target = options(observed.environment);
    match observed.live {
        None => Finding::problem("release", "nothing is live yet")
            .hint(format!("`hostkit deploy {target}` in the folder of the app")),
        Some(release) if observed.stopped => {
            Finding::warning("release", format!("{} is live and stopped", release.name))
                .hint(format!("`hostkit start {target}` starts it"))
        }
        Some(release) => Finding::fine("release", format!("{} is live", release.name)),
    }
}

/// Where the newest one failed, people believe in something that is not live.
fn last_deployment(observed: &Observed<'_>) -> Option<Finding> {
    let last = observed.last?;
    if last.state != DeploymentState::Failed {
        return None;
    }
    let why = last
        .failure
        .as_ref()
        .map_or("it failed", |failure| failure.message.as_str());
    let message = format!("the last one, {}, failed: {why}", last.id);
    Some(Finding::warning("deployment", message).hint(format!(
        "`hostkit deployments log {} {}`",
        last.id,
        options(observed.environment)
    )))
}

fn required(observed: &Observed<'_>, manifest: &Manifest) -> Finding {
    let missing = missing(manifest, observed.variables);
    let Some(first) = missing.first() else {
        let message = match manifest.required.len() {
            0 => "hostkit.toml names none".to_owned(),
            1 => "the one that is required has a value".to_owned(),
            count => format!("all {count} have a value"),
        };
        return Finding::fine("required variables", message);
    };
    let names: Vec<String> = missing.iter().map(|name| format!("`{name}`")).collect();
    Finding::problem("required variables", format!("no value: {}", names.join(", "))).hint(format!(
        "`hostkit env set {first}=VALUE {}`",
        options(observed.environment)
    ))
}

/// What was set since the live release was frozen and is not live.
fn pending(observed: &Observed<'_>) -> Option<Finding> {
    let frozen = observed.frozen?;
    if frozen == observed.variables {
        return None;
    }
    let mut names: Vec<String> = Vec::new();
    for name in frozen.keys().chain(observed.variables.keys()) {
        let shown = format!("`{name}`");
        if frozen.get(name) != observed.variables.get(name) && !names.contains(&shown) {
            names.push(shown);
        }
    }
    let message = format!("changed and not live yet: {}", names.join(", "));
    Some(Finding::warning("variables", message).hint(format!(
        "`hostkit env apply {}` brings them live",
        options(observed.environment)
    )))
}

fn way_back(observed: &Observed<'_>) -> Option<Finding> {
    observed.live?;
    Some(match observed.has_previous {
        true => Finding::fine("rollback", "there is an earlier release to go back to"),
        false => Finding::warning("rollback", "there is no earlier release to go back to").hint(
            "the next deployment makes one; until then a release that turns out wrong can only be replaced",
        ),
    })
}

fn disk(observed: &Observed<'_>) -> Option<Finding> {
    let (free, least) = (observed.free?, observed.least_free);
    let shown = ByteSize(free);
    Some(if free < least {
        Finding::problem(
            "disk",
            format!(
                "only {shown} are free, deployments are refused below {}",
                ByteSize(least)
            ),
        )
        .hint("free some space, or have fewer releases kept: `keep` below [releases] in hostkit.toml")
    } else if free < least.saturating_mul(4) {
        Finding::warning("disk", format!("only {shown} are free"))
            .hint("free some space before a deployment is refused for it")
    } else {
        Finding::fine("disk", format!("{shown} are free"))
    })
}
